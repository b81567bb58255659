use std::borrow::Cow;
use std::io::Write as _;

use mediaflow_core::media::{Format, Image, Metadata};
use mediaflow_core::{Result, RunContext};
use png::{BitDepth, ColorType, Compression, Info};

use super::params::Png;
use crate::codec::{check_side, kept, too_large};
use crate::error;

/// How many rows are written between two looks whether to stop.
const ROWS: usize = 16;

/// So many bytes of pixels are written in a moment, if it is not hard to compress them.
const AT_ONCE: usize = 1 << 24;

pub(super) fn encode(image: &Image, how: &Png, cx: &RunContext) -> Result<Vec<u8>> {
    check_side(image, &Format::PNG, i32::MAX.unsigned_abs())?;
    let kept = kept(image.metadata(), how.metadata);
    let bytes = write(image, compression(how.effort), &kept, cx)?;
    let Some(max) = how.max_bytes.filter(|max| bytes.len() as u64 > *max) else { return Ok(bytes) };
    // Nothing can be given up without loss; more effort is all there is.
    drop(bytes);
    cx.check()?;
    let smallest = write(image, Compression::High, &kept, cx)?;
    if smallest.len() as u64 <= max { Ok(smallest) } else { Err(too_large(smallest.len(), max)) }
}

fn compression(effort: u8) -> Compression {
    match effort {
        0..=1 => Compression::Fastest,
        2..=5 => Compression::Fast,
        6..=8 => Compression::Balanced,
        _ => Compression::High,
    }
}

fn write(
    image: &Image,
    compression: Compression,
    kept: &Metadata,
    cx: &RunContext,
) -> Result<Vec<u8>> {
    let failed = |cause: png::EncodingError| error::encode(&Format::PNG, cause);
    let mut info = Info::with_size(image.width(), image.height());
    info.bit_depth = BitDepth::Eight;
    info.color_type = match image.channels() {
        1 => ColorType::Grayscale,
        2 => ColorType::GrayscaleAlpha,
        3 => ColorType::Rgb,
        _ => ColorType::Rgba,
    };
    info.icc_profile = kept.icc.as_deref().map(Cow::Borrowed);
    info.exif_metadata = kept.exif.as_deref().map(Cow::Borrowed);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::with_info(&mut bytes, info).map_err(failed)?;
    encoder.set_compression(compression);
    if let Some(packet) = kept.xmp.as_deref().and_then(|packet| std::str::from_utf8(packet).ok()) {
        encoder
            .add_itxt_chunk("XML:com.adobe.xmp".to_owned(), packet.to_owned())
            .map_err(failed)?;
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    let slow = matches!(compression, Compression::Balanced | Compression::High);
    if slow || image.pixels().len() > AT_ONCE {
        // It takes its time: a job that is stopped does not wait for the last row.
        let row = image.width() as usize * usize::from(image.channels());
        let mut stream = writer.stream_writer().map_err(failed)?;
        for rows in image.pixels().chunks(row * ROWS) {
            cx.check()?;
            stream.write_all(rows).map_err(|e| failed(e.into()))?;
        }
        stream.finish().map_err(failed)?;
    } else {
        writer.write_image_data(image.pixels()).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    Ok(bytes)
}
