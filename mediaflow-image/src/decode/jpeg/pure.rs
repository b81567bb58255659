use bytes::Bytes;
use mediaflow_core::{Error, Result, RunContext};

use crate::decode::read::Cancellable;
use crate::error::{corrupt, truncated, unsupported};
use crate::probe::Header;

/// Width, height, channels (4 are inks, 255 is none) and pixels.
pub(super) fn pixels(
    bytes: &Bytes,
    header: &Header,
    eighths: u32,
    cx: &RunContext,
) -> Result<(u32, u32, u8, Vec<u8>)> {
    let failed = |error| error_of(error, header);
    let mut decoder = jpeg_decoder::Decoder::new(Cancellable::new(bytes, cx));
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
