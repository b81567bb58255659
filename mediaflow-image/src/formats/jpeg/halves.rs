use std::sync::mpsc;

use mediaflow_core::media::MediaInfo;
use mediaflow_jpeg::{Coding, Control, Halves};

use super::frame::Read;
use super::outline::Outline;
use super::{small, turbo};
use crate::codec::{Header, Reading};

/// Files with less data are decoded sooner than another thread has begun.
const SMALL: usize = 1 << 19;

/// So much of the data lies in the upper part. To pass over it takes an eighth of what it takes to decode it, and the other thread
/// waits for that: at half of the data both would end together, and a little less saves work.
const UPPER: f64 = 0.45;

/// Rows of units that a picture has at least: a place is looked for in half of them.
const ROWS: u32 = 96;

/// Decodes a picture in two parts at the same time, if there is a free place for that, and all is as it should be. The codes of a
/// picture can only be read one after the other, but what is above a row of units can be passed over in a fraction of the time
/// that it takes to decode it. Both parts are files of their own. `None` says nothing of the file.
pub(super) fn read(
    bytes: &[u8],
    outline: &Outline,
    header: &Header,
    eighths: u32,
    reading: &Reading<'_>,
) -> Option<Read> {
    let cx = reading.cx;
    let jpeg = mediaflow_jpeg::Jpeg::parse(bytes).ok()?;
    if !is_to_be_cut(&jpeg, bytes.len().saturating_sub(outline.data()), eighths) {
        return None;
    }
    let (give, given) = mpsc::channel::<(Vec<u8>, u32)>();
    let (done, made) = mpsc::channel();
    let scans = cx.limits().scans;
    let begun = cx.beside(move |_| {
        if let Ok((lower, above)) = given.recv() {
            // Whoever does not wait any more does not mind.
            let _ = done.send(turbo::part(&lower, eighths, scans, above));
        }
        false
    });
    if !begun {
        return None;
    }
    let stop = || cx.check().is_err();
    let control = Control::new(cx.limits().image_bytes).stopped_by(&stop);
    let Halves { upper, lower, rows, .. } = jpeg.halves(UPPER, &control).ok()??;
    let above = rows * eighths / 8;
    give.send((lower, above)).ok()?;
    let upper = turbo::part(&upper, eighths, scans, 0);
    // It ends soon, whatever it has come to.
    let lower = made.recv().ok().flatten();
    let ((width, height, channels, pixels), (as_wide, all, as_deep, mut whole)) = (upper?, lower?);
    let size = |side: u32| (side * eighths).div_ceil(8);
    let same = (width, height, channels) == (as_wide, above, as_deep);
    if !same || (width, all) != (size(header.width), size(header.height)) {
        return None;
    }
    whole.get_mut(..pixels.len())?.copy_from_slice(&pixels);
    Some((width, all, channels, whole))
}

/// Bytes that it takes beside the file and as many of pixels.
pub(super) fn memory(info: &MediaInfo, eighths: u32, pixels: u64) -> u64 {
    let is_cut = !info.progressive && !small::is_for(eighths) && info.bytes >= SMALL as u64;
    if is_cut { info.bytes + pixels } else { 0 }
}

/// Whether a picture can be cut between two rows of units, and is worth it: no row of pixels is mixed with the one below it.
fn is_to_be_cut(jpeg: &mediaflow_jpeg::Jpeg<'_>, data: usize, eighths: u32) -> bool {
    let sampling = jpeg.sampling();
    let widest = sampling.iter().map(|part| part.0).max().unwrap_or(1);
    let tallest = sampling.iter().map(|part| part.1).max().unwrap_or(1);
    // Colours of half the size are made as large as the rest by the transform of a smaller picture, and else by mixing.
    let unmixed = sampling.iter().all(|&(across, down)| {
        let half = (2 * across, 2 * down) == (widest, tallest);
        down == tallest || half && eighths < 8
    });
    // At an eighth nearly all of the time goes into the codes, and to read a part of them twice is too much.
    let large = data >= SMALL && jpeg.height() / (8 * tallest) >= ROWS;
    unmixed && large && !small::is_for(eighths) && jpeg.coding() != Coding::Progressive
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mediaflow_core::RunContext;
    use mediaflow_core::media::{Format, Image, MediaFile, Scratch};
    use mediaflow_core::{CpuPool, Limits, Result};

    use super::*;
    use crate::formats::jpeg::{Chroma, Jpeg, outline};

    /// Runs on one of so many places.
    async fn with<T: Send + 'static>(
        places: usize,
        work: impl FnOnce(&RunContext) -> Result<T> + Send + 'static,
    ) -> T {
        let scratch = Scratch::in_folder(std::env::temp_dir());
        let cx = RunContext::builder(CpuPool::new(places), scratch).build(None);
        cx.cpu(work).await.unwrap()
    }

    /// Coarse shapes under fine grain.
    fn picture(width: u32, height: u32, channels: u8) -> Image {
        let mut state = 7_u32;
        let mut value = |x: u32, y: u32, channel: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let shape = (x / 40 + channel * 3) * (y / 60 + 1) * 5 % 200;
            u8::try_from(shape + (state >> 27)).unwrap()
        };
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                pixels.extend((0..u32::from(channels)).map(|channel| value(x, y, channel)));
            }
        }
        Image::new(width, height, channels, pixels).unwrap()
    }

    fn encoded(image: &Image, how: Jpeg, cx: &RunContext) -> Bytes {
        turbo::write(image, &how, how.aim(), cx).unwrap().unwrap().into()
    }

    /// What both ways give: in two parts, and as a whole.
    fn both(bytes: &Bytes, eighths: u32, cx: &RunContext) -> (Option<Read>, Result<Read>) {
        let outline = outline::read(bytes).unwrap();
        let header = outline.header(bytes, &Limits::default()).unwrap();
        let file = MediaFile::new("photo", Format::JPEG, bytes.to_vec().into());
        let reading = Reading::new(&file, cx);
        let halves = read(bytes, &outline, &header, eighths, &reading);
        (halves, turbo::read(bytes, &header, eighths, &reading))
    }

    #[tokio::test]
    async fn two_parts_give_what_the_whole_gives() {
        with(9, |cx| {
            let (colour, grey) = (picture(1203, 1701, 3), picture(1999, 1702, 1));
            let how = |chroma| Jpeg::quality(95).chroma(chroma);
            for (image, how, mixed) in [
                (&colour, how(Chroma::Quarter), true),
                (&colour, how(Chroma::Half), false),
                (&colour, how(Chroma::Full), false),
                (&grey, how(Chroma::Full), false),
            ] {
                let bytes = encoded(image, how, cx);
                for eighths in [1, 2, 4, 8] {
                    let (halves, whole) = both(&bytes, eighths, cx);
                    let none = eighths < 4 || mixed && eighths == 8;
                    assert_eq!(halves.is_none(), none, "{how:?} {eighths}");
                    assert!(halves.is_none_or(|halves| halves == whole.unwrap()), "{how:?}");
                }
            }
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn what_can_not_be_cut_is_read_as_a_whole() {
        let none = |bytes: &Bytes, cx: &RunContext| assert!(both(bytes, 4, cx).0.is_none());
        with(9, move |cx| {
            let image = picture(1203, 1701, 3);
            none(&encoded(&image, Jpeg::quality(95).progressive(), cx), cx);
            none(&encoded(&picture(1203, 801, 3), Jpeg::quality(100), cx), cx);
            Ok(())
        })
        .await;
        // Nobody is there to help.
        with(1, move |cx| {
            none(&encoded(&picture(1203, 1701, 3), Jpeg::quality(95), cx), cx);
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn of_damage_two_parts_say_nothing() {
        with(9, |cx| {
            let bytes = encoded(&picture(1203, 1701, 3), Jpeg::quality(95), cx);
            let data = outline::read(&bytes).unwrap().data();
            let (mut state, mut whole) = (1_u32, 0);
            for _ in 0..30 {
                let mut damaged = bytes.to_vec();
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = data + state as usize % (damaged.len() - data);
                damaged[at] ^= 1 << (state >> 29);
                let (halves, read) = both(&damaged.into(), 4, cx);
                if let Some(halves) = halves {
                    assert!(halves == read.unwrap(), "a bit at {at}");
                    whole += 1;
                }
            }
            assert!(whole < 30, "nothing was damaged");
            Ok(())
        })
        .await;
    }
}
