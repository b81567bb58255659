use std::sync::{Arc, mpsc};

use mediaflow_core::RunContext;
use mediaflow_core::media::MediaInfo;

use super::entropy::{Codes, Writer};
use super::frame::{Frame, Read, Tables};
use super::outline::Outline;
use super::segment::{DRI, EOI};
use super::skip::{Bits, Block, skips};
use super::turbo;
use crate::codec::{Header, Reading};

/// Files with less data are decoded sooner than another thread has begun.
const SMALL: usize = 1 << 19;

/// Of ten rows of units so many lie in the upper part at least. To pass over them takes a third of what it takes to decode them,
/// and another thread waits for that: at half of the rows both would end together, and earlier ones save work.
const UPPER: u64 = 3;

/// In so many rows a place is looked for.
const TRIES: u64 = 48;

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
    let tall = rows_of_unit(bytes, outline, eighths)?;
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
    let Halves { upper, lower, rows } =
        Cut::of(bytes, outline, tall)?.halves(bytes, outline, cx)?;
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
    let is_cut = !info.progressive && eighths > 1 && info.bytes >= SMALL as u64;
    if is_cut { info.bytes + pixels } else { 0 }
}

/// Rows of pixels in a row of units, if a picture can be cut between two of them: one scan has all of it, and no row of pixels is
/// mixed with the one below it.
fn rows_of_unit(bytes: &[u8], outline: &Outline, eighths: u32) -> Option<u32> {
    let frame = &outline.frame;
    let scan = frame.scan(bytes.get(outline.scan.content.clone())?)?;
    let restarts = outline.segments.iter().any(|segment| segment.marker == DRI);
    let data = bytes.len().saturating_sub(outline.data());
    let several = scan.parts.len() < frame.components.len();
    // At an eighth nearly all of the time goes into the codes, and to read a part of them twice is too much.
    if frame.is_progressive() || several || restarts || data < SMALL || eighths < 2 {
        return None;
    }
    let widest = frame.components.iter().map(|part| part.across).max()?;
    let tallest = frame.components.iter().map(|part| part.down).max()?;
    // Colours of half the size are made as large as the rest by the transform of a smaller picture, and else by mixing.
    let unmixed = frame.components.iter().all(|part| {
        let half = (2 * part.across, 2 * part.down) == (widest, tallest);
        part.down == tallest || half && eighths < 8
    });
    let plain = scan.parts.len() > 1 || (widest, tallest) == (1, 1);
    (unmixed && plain && frame.units().1 >= 2 * TRIES).then_some(8 * tallest)
}

/// Two files, and how many rows of pixels are in the first.
struct Halves {
    upper: Vec<u8>,
    lower: Vec<u8>,
    rows: u32,
}

/// What is needed to cut a picture in two.
struct Cut {
    /// The blocks of a unit.
    blocks: Vec<Block>,
    /// Units, across and down.
    units: (u64, u64),
    /// Rows of pixels in a row of units.
    tall: u32,
}

impl Cut {
    fn of(bytes: &[u8], outline: &Outline, tall: u32) -> Option<Self> {
        let frame = &outline.frame;
        let scan = frame.scan(bytes.get(outline.scan.content.clone())?)?;
        let tables = Tables::of(&outline.segments, bytes)?;
        let mut blocks: Vec<Block> = Vec::new();
        for (index, (part, dc, ac)) in scan.parts.iter().enumerate() {
            let (dc, ac) = (Codes::of(&tables, *dc)?, Codes::of(&tables, 0x10 | *ac)?);
            let known = blocks.iter().find(|block| block.ac.is(&ac));
            let skips = known.map_or_else(|| skips(&ac).into(), |known| Arc::clone(&known.skips));
            for _ in 0..part.across * part.down {
                let (dc, ac, skips) = (dc.clone(), ac.clone(), Arc::clone(&skips));
                blocks.push(Block { part: index, dc, ac, skips });
            }
        }
        Some(Self { blocks, units: frame.units(), tall })
    }

    /// Passes over the upper part, to a row that the lower part can begin with.
    fn halves(&self, bytes: &[u8], outline: &Outline, cx: &RunContext) -> Option<Halves> {
        let data = bytes.get(outline.data()..)?;
        let mut bits = Bits::of(data);
        let mut means = vec![0_i32; self.blocks.len()];
        let first = self.units.1 * UPPER / 10;
        for row in 0..first + TRIES {
            cx.check().ok()?;
            if row >= first
                && let Some(begin) = self.begin(bits, &means)
            {
                let rows = u32::try_from(row).ok()? * self.tall;
                let mut upper = head(bytes, outline, rows)?;
                bits.before(&mut upper);
                upper.extend([0xFF, EOI]);
                let mut lower = head(bytes, outline, outline.frame.height.checked_sub(rows)?)?;
                lower.reserve_exact(data.len());
                let Begin { codes, after } = begin;
                codes.joined(data, after, &mut lower)?;
                return Some(Halves { upper, lower, rows });
            }
            for _ in 0..self.units.0 {
                for block in &self.blocks {
                    let difference = bits.mean(block)?;
                    means[block.part] = means[block.part].wrapping_add(difference);
                    bits.rest(block)?;
                }
            }
        }
        None
    }

    /// The codes of the unit that comes next as the first of a picture: means are differences from the one before, and there is
    /// none. `None` if there are no such codes, or what follows would have to be moved by bits.
    fn begin(&self, mut bits: Bits<'_>, means: &[i32]) -> Option<Begin> {
        let (mut codes, mut last) = (Writer::default(), None);
        for block in &self.blocks {
            let mut copied = bits;
            let mut difference = bits.mean(block)?;
            if last != Some(block.part) {
                last = Some(block.part);
                difference = difference.wrapping_add(*means.get(block.part)?);
                copied = bits;
                let size = 32 - difference.unsigned_abs().leading_zeros();
                let (code, length) = block.dc.code(u8::try_from(size).ok()?)?;
                codes.put(code, length);
                let value = if difference < 0 { difference - 1 } else { difference };
                let value = value & ((1 << size) - 1);
                codes.put(u16::try_from(value).ok()?, u8::try_from(size).ok()?);
            }
            bits.rest(block)?;
            let mut left = bits.read() - copied.read();
            while left > 0 {
                let count = left.min(8);
                codes.put(copied.take(count)?, u8::try_from(count).ok()?);
                left -= count;
            }
        }
        let after = bits.place();
        (codes.phase() == after.1).then_some(Begin { codes, after })
    }
}

/// How a lower part begins: the codes of its first unit, and where in the data the rest follows, byte and bit.
struct Begin {
    codes: Writer,
    after: (usize, u8),
}

/// All that comes before the data, with another height.
fn head(bytes: &[u8], outline: &Outline, height: u32) -> Option<Vec<u8>> {
    let mut head = bytes.get(..outline.data())?.to_vec();
    let frame = outline.segments.iter().find(|segment| Frame::is(segment.marker))?;
    let at = frame.content.start + 1;
    let height = u16::try_from(height).ok().filter(|height| *height > 0)?;
    head.get_mut(at..at + 2)?.copy_from_slice(&height.to_be_bytes());
    Some(head)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
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
        turbo::write(image, &how, how.quality, cx).unwrap().unwrap().into()
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
                    let none = eighths == 1 || mixed && eighths == 8;
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
                let (halves, read) = both(&damaged.into(), 2, cx);
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
