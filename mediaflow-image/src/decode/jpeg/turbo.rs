use bytes::Bytes;
use mediaflow_core::{Error, Result, RunContext};
use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat, ScalingFactor};

use crate::error::{corrupt, truncated};
use crate::probe::Header;

/// Width, height, channels (4 are inks, 255 is none) and pixels.
pub(super) fn pixels(
    bytes: &Bytes,
    header: &Header,
    eighths: u32,
    cx: &RunContext,
) -> Result<(u32, u32, u8, Vec<u8>)> {
    let failed = |error| error_of(error, header);
    let mut decoder = Decompressor::new().map_err(failed)?;
    decoder.set_scan_limit(cx.limits().scans).map_err(failed)?;
    let seen = decoder.read_header(bytes).map_err(failed)?;
    let factor = ScalingFactor::new(eighths as usize, 8);
    decoder.set_scaling_factor(factor).map_err(failed)?;
    let (format, channels) = match seen.colorspace {
        Colorspace::Gray => (PixelFormat::GRAY, 1_u8),
        Colorspace::CMYK | Colorspace::YCCK => (PixelFormat::CMYK, 4),
        _ => (PixelFormat::RGB, 3),
    };
    let (width, height) = (factor.scale(seen.width), factor.scale(seen.height));
    let pitch = width * usize::from(channels);
    let mut pixels = vec![0; pitch * height];
    match decoder.decompress(bytes, Image { pixels: &mut pixels[..], width, pitch, height, format })
    {
        Ok(()) => {}
        Err(error) if harmless(&error) => cx.warn("the JPEG has stray bytes between its segments"),
        Err(error) => return Err(failed(error)),
    }
    let side = |side: usize| {
        u32::try_from(side).map_err(|_| corrupt(&header.format, "the size is absurd"))
    };
    Ok((side(width)?, side(height)?, channels, pixels))
}

/// A warning after which every pixel is still what the camera saw. The library returns it in the place of an error.
fn harmless(error: &turbojpeg::Error) -> bool {
    matches!(error, turbojpeg::Error::TurboJpegError(text) if text.contains("extraneous bytes before marker"))
}

fn error_of(error: turbojpeg::Error, header: &Header) -> Error {
    match &error {
        turbojpeg::Error::TurboJpegError(text)
            if text.to_ascii_lowercase().contains("premature end") =>
        {
            truncated(&header.format)
        }
        _ => corrupt(&header.format, "the picture can not be decoded").because(error),
    }
}
