use mediaflow_core::media::{Format, Image};
use mediaflow_core::{Error, Result, RunContext};
use turbojpeg::{Colorspace, Compressor, Decompressor, PixelFormat, ScalingFactor, Subsamp};

use super::params::{Chroma, Jpeg};
use crate::codec::{Header, Reading};
use crate::error::{self, corrupt, truncated};

/// Whether a scaled decode averages.
pub(super) const AVERAGES: bool = true;

/// Bytes that it holds while it decodes: a few rows.
pub(super) fn memory(_pixels: u64) -> u64 {
    0
}

/// Decodes a whole file: width, height, channels (4 are inks, 255 is none) and pixels.
pub(super) fn read(
    bytes: &[u8],
    header: &Header,
    eighths: u32,
    reading: &Reading<'_>,
) -> Result<(u32, u32, u8, Vec<u8>)> {
    let failed = |error| error_of(error, header);
    let scans = reading.cx.limits().scans;
    let (decoded, told) = decoded(bytes, eighths, scans, 0).map_err(failed)?;
    match told {
        Some(error) if harmless(&error) => reading.warn(format_args!("its decoder warns: {error}")),
        Some(error) => return Err(failed(error)),
        None => {}
    }
    let (width, height, channels, pixels) = decoded;
    let side = |side: usize| {
        u32::try_from(side).map_err(|_| corrupt(&header.format, "the size is absurd"))
    };
    Ok((side(width)?, side(height)?, channels, pixels))
}

/// Decodes a part of a picture that is a file of its own, with room for so many rows above it, which count. `None` if there is
/// anything to tell.
pub(super) fn part(
    bytes: &[u8],
    eighths: u32,
    scans: u32,
    above: u32,
) -> Option<(u32, u32, u8, Vec<u8>)> {
    let (decoded, told) = decoded(bytes, eighths, scans, above as usize).ok()?;
    let (width, height, channels, pixels) = decoded;
    let side = |side: usize| u32::try_from(side).ok().filter(|_| told.is_none());
    Some((side(width)?, side(height)?, channels, pixels))
}

/// What the library gives, below so many empty rows, and what it says at the end.
type Told = ((usize, usize, u8, Vec<u8>), Option<turbojpeg::Error>);

fn decoded(
    bytes: &[u8],
    eighths: u32,
    scans: u32,
    above: usize,
) -> std::result::Result<Told, turbojpeg::Error> {
    let mut decoder = Decompressor::new()?;
    decoder.set_scan_limit(scans)?;
    let seen = decoder.read_header(bytes)?;
    let factor = ScalingFactor::new(eighths as usize, 8);
    decoder.set_scaling_factor(factor)?;
    let (format, channels) = match seen.colorspace {
        Colorspace::Gray => (PixelFormat::GRAY, 1_u8),
        Colorspace::CMYK | Colorspace::YCCK => (PixelFormat::CMYK, 4),
        _ => (PixelFormat::RGB, 3),
    };
    let (width, height) = (factor.scale(seen.width), factor.scale(seen.height));
    let pitch = width * usize::from(channels);
    let mut pixels = vec![0; pitch * (above + height)];
    let image =
        turbojpeg::Image { pixels: &mut pixels[pitch * above..], width, pitch, height, format };
    let told = decoder.decompress(bytes, image).err();
    Ok(((width, above + height, channels, pixels), told))
}

/// Above so many pixels it takes longer than somebody who cancels should wait: the library looks at nothing until it is done.
const AT_ONCE: u64 = 1 << 23;

/// Writes a whole file; `None` if it is too large to be written in one go.
pub(super) fn write(
    image: &Image,
    how: &Jpeg,
    quality: u8,
    cx: &RunContext,
) -> Result<Option<Vec<u8>>> {
    let (width, height) = (image.width(), image.height());
    if u64::from(width) * u64::from(height) > AT_ONCE {
        return Ok(None);
    }
    cx.check()?;
    encode(image.pixels(), (width, height), image.channels(), how, quality, true).map(Some)
}

/// Writes a strip of a picture as a file of its own, with the codes that come first to hand.
pub(super) fn strip(
    pixels: &[u8],
    size: (u32, u32),
    channels: u8,
    how: &Jpeg,
    quality: u8,
) -> Result<Vec<u8>> {
    encode(pixels, size, channels, how, quality, false)
}

fn encode(
    pixels: &[u8],
    (width, height): (u32, u32),
    channels: u8,
    how: &Jpeg,
    quality: u8,
    whole: bool,
) -> Result<Vec<u8>> {
    let failed = |cause| error::encode(&Format::JPEG, cause);
    let grey = channels == 1;
    let mut encoder = Compressor::new().map_err(failed)?;
    encoder.set_quality(i32::from(quality)).map_err(failed)?;
    encoder.set_optimize(whole).map_err(failed)?;
    encoder.set_progressive(whole && how.progressive).map_err(failed)?;
    let subsampling = match how.chroma {
        _ if grey => Subsamp::Gray,
        Chroma::Quarter => Subsamp::Sub2x2,
        Chroma::Half => Subsamp::Sub2x1,
        Chroma::Full => Subsamp::None,
    };
    encoder.set_subsamp(subsampling).map_err(failed)?;
    let (width, height) = (width as usize, height as usize);
    let picture = turbojpeg::Image {
        pixels,
        width,
        pitch: width * usize::from(channels),
        height,
        format: if grey { PixelFormat::GRAY } else { PixelFormat::RGB },
    };
    encoder.compress_to_vec(picture).map_err(failed)
}

/// A warning after which every pixel is still what the camera saw. The library returns it in the place of an error.
fn harmless(error: &turbojpeg::Error) -> bool {
    const HARMLESS: [&str; 3] =
        ["extraneous bytes before marker", "Adobe color transform code", "JFIF revision number"];
    matches!(error, turbojpeg::Error::TurboJpegError(text) if HARMLESS.iter().any(|known| text.contains(known)))
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
