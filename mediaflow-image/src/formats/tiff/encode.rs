use std::io::Write as _;

use flate2::write::ZlibEncoder;
use mediaflow_core::media::{Format, Image};
use mediaflow_core::{Result, RunContext};

use super::layout::tag;
use super::metadata::{PROFILE, XMP, is_kept};
use super::params::{Tiff, TiffCompression};
use crate::codec::fields::Fields;
use crate::codec::{kept, too_large};
use crate::error;

/// Bytes of the pixels of a strip, about: readers hold one at a time.
const STRIP: usize = 1 << 18;

pub(super) fn encode(image: &Image, how: &Tiff, cx: &RunContext) -> Result<Vec<u8>> {
    let kept = kept(image.metadata(), how.metadata);
    let from = kept.exif.as_deref().and_then(|block| Fields::of_block(block, is_kept));
    let mut fields = from.unwrap_or_else(Fields::new);
    let mut file = fields.head(0).to_vec();
    let (row, channels) = (image.row_bytes(), usize::from(image.channels()));
    let rows = (STRIP / row.max(1)).clamp(1, image.height() as usize);
    let (mut places, mut lengths, mut strip) = (Vec::new(), Vec::new(), Vec::new());
    for pixels in image.pixels().chunks(row * rows) {
        cx.check()?;
        places.push(number(file.len())?);
        match how.compression {
            TiffCompression::None => file.extend_from_slice(pixels),
            TiffCompression::Deflate => {
                strip.clear();
                strip.extend_from_slice(pixels);
                strip.chunks_exact_mut(row).for_each(|row| differences(row, channels));
                let mut packer = ZlibEncoder::new(&mut file, flate2::Compression::default());
                packer.write_all(&strip).map_err(failed)?;
                packer.finish().map_err(failed)?;
            }
        }
        lengths.push(number(file.len())? - places.last().copied().unwrap_or_default());
        // Strips begin at even places, as directories do.
        file.resize(file.len().next_multiple_of(2), 0);
    }
    let samples = u32::from(image.channels());
    fields.numbers(tag::WIDTH, &[image.width()]);
    fields.numbers(tag::HEIGHT, &[image.height()]);
    fields.numbers(tag::BITS, &vec![8; channels]);
    fields.numbers(tag::COLOURS, &[if samples < 3 { 1 } else { 2 }]);
    fields.numbers(tag::SAMPLES, &[samples]);
    fields.numbers(tag::STRIP_OFFSETS, &places);
    fields.numbers(tag::STRIP_ROWS, &[number(rows)?]);
    fields.numbers(tag::STRIP_BYTES, &lengths);
    match how.compression {
        TiffCompression::None => fields.numbers(tag::COMPRESSION, &[1]),
        TiffCompression::Deflate => {
            fields.numbers(tag::COMPRESSION, &[8]);
            fields.numbers(tag::PREDICTOR, &[2]);
        }
    }
    if image.has_alpha() {
        // Alpha by which the colours were not multiplied.
        fields.numbers(tag::EXTRA, &[2]);
    }
    if let Some(profile) = &kept.icc {
        fields.bytes(PROFILE, profile);
    }
    if let Some(packet) = &kept.xmp {
        fields.bytes(XMP, packet);
    }
    let at = number(file.len())?;
    file[..8].copy_from_slice(&fields.head(at));
    fields.write(&mut file);
    number(file.len())?;
    match how.max_bytes.filter(|max| file.len() as u64 > *max) {
        Some(max) => Err(too_large(file.len(), max)),
        None => Ok(file),
    }
}

/// Each sample as what it differs from that of the pixel before.
fn differences(row: &mut [u8], samples: usize) {
    for at in (samples..row.len()).rev() {
        row[at] = row[at].wrapping_sub(row[at - samples]);
    }
}

/// A place or a length, which has 4 bytes in the file.
fn number(value: usize) -> Result<u32> {
    u32::try_from(value).map_err(failed)
}

fn failed(cause: impl std::error::Error + Send + Sync + 'static) -> mediaflow_core::Error {
    error::encode(&Format::TIFF, cause)
}
