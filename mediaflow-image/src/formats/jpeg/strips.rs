//! A picture that is encoded strip by strip: between two of them it can be stopped.

use mediaflow_core::media::{Format, Image};
use mediaflow_core::{Result, RunContext};
use mediaflow_jpeg::{Coefficients, Control, Failure, Jpeg as Parsed};

use super::library;
use super::params::Jpeg;
use crate::error;

/// So many pixels are encoded between two looks at whether to stop.
const PIXELS: usize = 1 << 21;

/// The most rows of a unit.
const UNIT: usize = 16;

/// Encodes each strip as a file of its own, and puts what stands in them together: the file that the library would have made of
/// the whole, with the shortest codes, or in several passes.
pub(super) fn write(image: &Image, how: &Jpeg, quality: u8, cx: &RunContext) -> Result<Vec<u8>> {
    let (width, channels) = (image.width(), image.channels());
    let pitch = width as usize * usize::from(channels);
    let rows = (PIXELS / (width as usize).max(1) / UNIT).max(1) * UNIT;
    let stop = || cx.check().is_err();
    let control = Control::new(u64::MAX).stopped_by(&stop);
    let failed = |failure: Failure| match cx.check() {
        Ok(()) => error::encode(&Format::JPEG, failure),
        Err(stopped) => stopped,
    };
    let mut all: Option<Coefficients> = None;
    for strip in image.pixels().chunks(rows * pitch) {
        cx.check()?;
        let height = u32::try_from(strip.len() / pitch).unwrap_or(u32::MAX);
        let file = library::strip(strip, (width, height), channels, how, quality)?;
        let read = Parsed::parse(&file).map_err(Failure::from);
        let read = read.and_then(|file| file.coefficients(&control)).map_err(failed)?;
        match &mut all {
            Some(all) => all.append(read).map_err(|odd| failed(odd.into()))?,
            None => all = Some(read),
        }
    }
    match all {
        Some(all) => all.write(how.progressive, &control).map_err(failed),
        None => Err(error::encode(&Format::JPEG, "there is no picture")),
    }
}

#[cfg(all(test, feature = "turbo"))]
mod tests {
    use mediaflow_core::CpuPool;
    use mediaflow_core::media::Scratch;

    use super::*;
    use crate::formats::jpeg::{Chroma, turbo};

    #[tokio::test]
    async fn strips_make_the_file_that_the_whole_makes() {
        let (width, height) = (1600, 3001);
        let value = |at: u32| ((at / 9 * 7 + at / 4800 * 3) % 256).to_le_bytes()[0];
        for channels in [1, 3] {
            let pixels = (0..width * height * u32::from(channels)).map(value).collect();
            let picture = Image::new(width, height, channels, pixels).unwrap();
            let scratch = Scratch::in_folder(std::env::temp_dir());
            let cx = RunContext::builder(CpuPool::new(1), scratch).build(None);
            for chroma in [Chroma::Quarter, Chroma::Half, Chroma::Full] {
                for how in [Jpeg::quality(80), Jpeg::quality(70).progressive()] {
                    let how = how.chroma(chroma);
                    let whole = turbo::write(&picture, &how, how.aim(), &cx).unwrap().unwrap();
                    let strips = write(&picture, &how, how.aim(), &cx).unwrap();
                    assert!(strips == whole, "{how:?}, {channels} channels");
                }
            }
        }
    }
}
