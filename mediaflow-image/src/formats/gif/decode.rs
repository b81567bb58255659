use bytes::Bytes;
use mediaflow_core::media::{Blob, Format, Image, Metadata};
use mediaflow_core::{Result, RunContext};

use super::outline::{End, Frame, Outline, Table, read};
use crate::codec::lzw::{Lie, unpack};
use crate::codec::{Reading, Walk};
use crate::error::{corrupt, truncated};

/// The first frame that shows anything, on its canvas.
pub(super) fn decode(bytes: &Bytes, reading: &Reading<'_>) -> Result<Image> {
    let mut walk = Walk::new(&Blob::bytes(bytes.clone()), Format::GIF)?;
    let mut outline = read(&mut walk, reading.cx.limits())?;
    if let Some(open) = outline.open.take()
        && is_full(bytes, &open, reading.cx)?
    {
        outline.end = End::Missing;
    }
    let Some(frame) = outline.first else { return Err(truncated(&Format::GIF)) };
    let Some(colours) = frame.palette.or(outline.palette) else {
        return Err(corrupt(&Format::GIF, "the frame has no colours"));
    };
    if outline.empty > 0 {
        let empty = outline.empty;
        reading.warn(format_args!("{empty} of its frames have no pixel, and were passed over"));
    }
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    let mut numbers = vec![0; width * height];
    let made = numbers_of(bytes, &frame, &mut numbers, reading.cx)?;
    if made < numbers.len() || matches!(outline.end, End::Cut | End::Unknown) {
        accept(&outline, &frame, made, reading)?;
    } else if outline.end == End::Missing {
        reading.warn("the end of the file is missing; all frames are whole");
    } else if outline.stray > 0 {
        reading.warn("there are stray bytes between its blocks");
    }
    let rows = Rows { frame: &frame, numbers: &numbers[..made] };
    let image = paint(&rows, part(bytes, colours), &outline, reading.cx)?;
    Ok(image.with_metadata(metadata(bytes, &outline, reading)))
}

fn metadata(bytes: &Bytes, outline: &Outline, reading: &Reading<'_>) -> Metadata {
    let mut metadata = Metadata::default();
    let packet = outline.xmp.map(|(at, end)| part(bytes, Table { at, bytes: end - at }));
    let limits = reading.cx.limits();
    let packet = packet.filter(|packet| limits.check_metadata(packet.len() as u64).is_ok());
    metadata.xmp = packet.filter(|packet| !packet.is_empty()).map(|packet| bytes.slice_ref(packet));
    metadata
}

/// Says what is missing, or refuses it.
fn accept(outline: &Outline, frame: &Frame, made: usize, reading: &Reading<'_>) -> Result<()> {
    let (width, height) = (usize::from(frame.width), u64::from(frame.height));
    let pixels = width as u64 * height;
    if !reading.accepts_damage() {
        return Err(match outline.end {
            End::Unknown => corrupt(&Format::GIF, "a block of no known kind"),
            End::Whole if made as u64 != pixels => {
                corrupt(&Format::GIF, "the first frame ends before it is full")
            }
            _ => truncated(&Format::GIF),
        });
    }
    if made as u64 == pixels {
        reading.warn("0 % of the rows are missing; frames behind the first may be");
    } else if frame.interlaced {
        reading.missing(pixels - made as u64, pixels, "pixel");
    } else {
        let rows = (made / width.max(1)) as u64;
        reading.missing(height - rows.min(height), height, "row");
    }
    Ok(())
}

/// Whether all pixels of a frame are there, also if the file ends in its data.
fn is_full(bytes: &[u8], frame: &Frame, cx: &RunContext) -> Result<bool> {
    let mut numbers = vec![0; usize::from(frame.width) * usize::from(frame.height)];
    Ok(numbers_of(bytes, frame, &mut numbers, cx)? == numbers.len())
}

/// Unpacks the numbers of the frame's colours, as far as they are there.
fn numbers_of(bytes: &[u8], frame: &Frame, to: &mut [u8], cx: &RunContext) -> Result<usize> {
    let data = usize::try_from(frame.data).ok().and_then(|at| bytes.get(at..));
    let Some((bits, mut blocks)) = data.and_then(<[u8]>::split_first) else { return Ok(0) };
    let mut packed = Vec::new();
    while let Some((len, rest)) = blocks.split_first()
        && *len > 0
    {
        let (block, rest) = rest.split_at(rest.len().min(usize::from(*len)));
        packed.extend_from_slice(block);
        blocks = rest;
    }
    unpack(&packed, *bits, Lie::Low, to, || cx.check())
}

/// The rows of a frame as far as they are there, in the order in which they are stored.
struct Rows<'a> {
    frame: &'a Frame,
    numbers: &'a [u8],
}

impl<'a> Rows<'a> {
    /// Each with its place in the frame.
    fn each(&self) -> impl Iterator<Item = (usize, &'a [u8])> {
        const PASSES: [(usize, usize); 4] = [(0, 8), (4, 8), (2, 4), (1, 2)];
        let height = usize::from(self.frame.height);
        let passes = if self.frame.interlaced { &PASSES[..] } else { &[(0, 1)] };
        let places = passes.iter().flat_map(move |(first, step)| (*first..height).step_by(*step));
        places.zip(self.numbers.chunks(usize::from(self.frame.width.max(1))))
    }
}

fn paint(rows: &Rows<'_>, colours: &[u8], outline: &Outline, cx: &RunContext) -> Result<Image> {
    let header = &outline.header;
    let (width, height) = (header.width as usize, header.height as usize);
    let channels = usize::from(header.channels);
    let mut canvas = vec![0; width * height * channels];
    let (left, top) = (usize::from(rows.frame.left), usize::from(rows.frame.top));
    let (colours, _) = colours.as_chunks::<3>();
    for (row, numbers) in rows.each() {
        cx.check()?;
        let start = (top + row) * width + left;
        let Some(canvas) = canvas.get_mut(start * channels..) else { continue };
        if top + row >= height || left >= width {
            continue;
        }
        for (to, number) in canvas.chunks_exact_mut(channels).take(width - left).zip(numbers) {
            let colour = colours.get(usize::from(*number));
            let Some(colour) = colour.filter(|_| rows.frame.transparent != Some(*number)) else {
                continue;
            };
            to[..3].copy_from_slice(colour);
            if let Some(alpha) = to.get_mut(3) {
                *alpha = u8::MAX;
            }
        }
    }
    Image::new(header.width, header.height, header.channels, canvas)
}

fn part(bytes: &[u8], Table { at, bytes: len }: Table) -> &[u8] {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    let end = at.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
    bytes.get(at..end).unwrap_or_default()
}
