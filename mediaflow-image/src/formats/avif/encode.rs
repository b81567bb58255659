use bytes::Bytes;
use libavif::{AvifImage, Encoder, RgbPixels, YuvFormat};
use mediaflow_core::media::{Format, Image};
use mediaflow_core::{Error, Result, RunContext};

use super::boxes::boxes;
use super::items::{Items, Property};
use super::params::Avif;
use super::write::{self, Coded};
use crate::codec::{check_side, fitting, kept};
use crate::error;
use crate::formats::Chroma;
use crate::pixels::bands;

/// The quality of alpha, at least: with less, edges are seen.
const ALPHA: u8 = 90;

/// The fastest that there is of ten.
const FASTEST: u8 = 9;

/// Encodes at a quality that fits. Whether to stop is looked at between two of the pictures that a file has, and between two
/// qualities that are tried: the library can not be interrupted.
pub(super) fn encode(image: &Image, how: &Avif, cx: &RunContext) -> Result<Vec<u8>> {
    check_side(image, &Format::AVIF, 65_536)?;
    let size = (image.width(), image.height());
    let kept = kept(image.metadata(), how.metadata);
    let effort = |quality| {
        cx.check()?;
        let mut encoder = Encoder::new();
        encoder.set_quality(quality).set_speed(FASTEST.saturating_sub(how.effort));
        Ok::<_, Error>(encoder)
    };
    let (channels, pixels) = (usize::from(image.channels()), image.pixels());
    let grey = channels < 3;
    let opaque = channels % 2 == 1;
    let alpha = if opaque {
        None
    } else {
        let alpha = some(pixels, channels, channels - 1..channels, cx)?;
        let picture =
            AvifImage::from_luma8(size.0, size.1, &alpha).map_err(|error| refused(&error))?;
        Some(coded(&effort(how.quality.max(ALPHA))?, &picture)?)
    };
    let picture = {
        let colours =
            if opaque { None } else { Some(some(pixels, channels, 0..channels - 1, cx)?) };
        let colours = colours.as_deref().unwrap_or(pixels);
        if grey {
            AvifImage::from_luma8(size.0, size.1, colours).map_err(|error| refused(&error))?
        } else {
            let pixels =
                RgbPixels::new(size.0, size.1, colours).map_err(|error| refused(&error))?;
            pixels.to_image(match how.chroma {
                Chroma::Quarter => YuvFormat::Yuv420,
                Chroma::Half => YuvFormat::Yuv422,
                Chroma::Full => YuvFormat::Yuv444,
            })
        }
    };
    fitting(how.max_bytes, how.quality, cx, |quality| {
        let colours = coded(&effort(quality)?, &picture)?;
        Ok(write::file(size, grey, &colours, alpha.as_ref(), &kept))
    })
}

/// Some channels of a picture.
fn some(
    pixels: &[u8],
    channels: usize,
    wanted: std::ops::Range<usize>,
    cx: &RunContext,
) -> Result<Vec<u8>> {
    let mut found = Vec::with_capacity(pixels.len() / channels * wanted.len());
    bands(pixels.len() / channels, channels, cx, |band| {
        let pixels = &pixels[band.start * channels..band.end * channels];
        pixels.chunks_exact(channels).for_each(|pixel| found.extend(&pixel[wanted.clone()]));
    })?;
    Ok(found)
}

/// The stream of a picture, out of the file that the library makes of it: that has no place for metadata.
fn coded(encoder: &Encoder, picture: &AvifImage) -> Result<Coded> {
    let file = Bytes::from(encoder.encode(picture).map_err(|error| refused(&error))?.to_vec());
    let found = || {
        let (_, meta) = boxes(&file).find(|(kind, _)| kind == b"meta")?;
        let items = Items::read(&file.slice_ref(meta))?;
        let item = items.item(items.primary)?;
        let stream = items.said(item).find_map(|(property, _)| match property {
            Property::Stream(stream) => Some(*stream),
            _ => None,
        });
        Some(Coded {
            head: stream?.head,
            stream: items.place(item, file.len() as u64)?.read(&file)?,
        })
    };
    found().ok_or_else(|| error::encode(&Format::AVIF, "its file can not be read"))
}

fn refused(cause: &libavif::Error) -> Error {
    error::encode(&Format::AVIF, cause.to_string())
}
