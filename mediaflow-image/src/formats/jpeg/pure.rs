use std::cell::Cell;

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};
use mediaflow_core::media::{Format, Image};
use mediaflow_core::{Error, Result, RunContext, codes};

use super::params::{Chroma, Jpeg};
use super::segment::EOI;
use crate::codec::{Cancellable, Header, Reading};
use crate::error::{self, corrupt, truncated, unsupported};

/// Whether a scaled decode averages: this one cuts off frequencies, which loses nothing.
pub(super) const AVERAGES: bool = false;

/// Bytes that it holds while it decodes, for so many of pixels: the planes.
pub(super) fn memory(pixels: u64) -> u64 {
    pixels
}

/// Bits that are no code, and the end marker: what follows the data in the place of its own end. The decoder takes what is
/// missing at the end of data for zeros, and would say nothing.
const TAIL: [u8; 34] = {
    let mut tail = [0xFF; 34];
    let mut at = 1;
    while at < 32 {
        tail[at] = 0;
        at += 2;
    }
    tail[33] = EOI;
    tail
};

/// Decodes a whole file: width, height, channels (4 are inks, 255 is none) and pixels.
pub(super) fn read(
    bytes: &[u8],
    header: &Header,
    eighths: u32,
    reading: &Reading<'_>,
) -> Result<(u32, u32, u8, Vec<u8>)> {
    let ended = Cell::new(false);
    let failed = |error| match error_of(error, header) {
        error if ended.get() && error.code() == codes::IMAGE_CORRUPT => truncated(&header.format),
        error => error,
    };
    let data = &bytes[..last_end(bytes).unwrap_or(bytes.len())];
    let data = Cancellable::new(data, reading.cx).followed_by(&TAIL, &ended);
    let mut decoder = jpeg_decoder::Decoder::new(data);
    let side = |full: u32| u16::try_from((full * eighths).div_ceil(8)).unwrap_or(u16::MAX);
    decoder.scale(side(header.width), side(header.height)).map_err(failed)?;
    let mut pixels = decoder.decode().map_err(failed)?;
    let info = decoder.info().ok_or_else(|| corrupt(&header.format, "there is no picture"))?;
    let channels = match info.pixel_format {
        jpeg_decoder::PixelFormat::L8 => 1,
        jpeg_decoder::PixelFormat::RGB24 => 3,
        jpeg_decoder::PixelFormat::CMYK32 => {
            pixels.iter_mut().for_each(|ink| *ink = 255 - *ink);
            4
        }
        jpeg_decoder::PixelFormat::L16 => {
            return Err(unsupported(&header.format, "16 bits per sample are not decoded"));
        }
    };
    Ok((u32::from(info.width), u32::from(info.height), channels, pixels))
}

/// It writes no whole files: with the shortest codes each component would have a scan of its own.
#[expect(clippy::unnecessary_wraps, reason = "as of the other library")]
pub(super) fn write(
    _image: &Image,
    _how: &Jpeg,
    _quality: u8,
    _cx: &RunContext,
) -> Result<Option<Vec<u8>>> {
    Ok(None)
}

/// Writes a strip of a picture as a file of its own, with the codes that come first to hand.
pub(super) fn strip(
    pixels: &[u8],
    (width, height): (u32, u32),
    channels: u8,
    how: &Jpeg,
    quality: u8,
) -> Result<Vec<u8>> {
    let failed = |cause| error::encode(&Format::JPEG, cause);
    let side = |side: u32| u16::try_from(side).map_err(|e| error::encode(&Format::JPEG, e));
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    // Its default drops three of four values, which costs colour at no gain.
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder.set_sampling_factor(match how.chroma {
        Chroma::Quarter => SamplingFactor::F_2_2,
        Chroma::Half => SamplingFactor::F_2_1,
        Chroma::Full => SamplingFactor::F_1_1,
    });
    let kind = if channels == 1 { ColorType::Luma } else { ColorType::Rgb };
    encoder.encode(pixels, side(width)?, side(height)?, kind).map_err(failed)?;
    Ok(bytes)
}

/// The last end marker of a file: where it stands.
fn last_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).rposition(|pair| pair == [0xFF, EOI])
}

fn error_of(error: jpeg_decoder::Error, header: &Header) -> Error {
    match error {
        jpeg_decoder::Error::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            truncated(&header.format)
        }
        jpeg_decoder::Error::Unsupported(what) => {
            unsupported(&header.format, "the file uses a rare kind of JPEG")
                .with("feature", format_args!("{what:?}"))
        }
        error => corrupt(&header.format, "the picture can not be decoded").because(error),
    }
}
