//! The steps. Each type is its parameters as they stand in a spec; unknown parameters are refused.
//!
//! Uses: color, encode, pixels.

mod crop;
mod flatten;
mod jpeg;
mod mirror;
mod png;
mod resize;
mod rotate;
mod tone;
mod watermark;
mod webp;

pub use crop::Crop;
pub use flatten::Flatten;
pub use mirror::{AutoOrient, Flip, Flop};
pub use resize::Resize;
pub use rotate::Rotate;
pub use tone::{Grayscale, Negate};
pub use watermark::Watermark;

use mediaflow_core::media::{Blob, Format, Image, MediaFile, MediaInfo};
use mediaflow_core::{Error, Inputs, OpContext, Outputs, Result, RunContext};

use crate::pixels;

pub use crate::encode::{Chroma, Jpeg, MetadataPolicy, Png, Webp};
pub use crate::pixels::Kernel;

/// What the pixels of an input are, upright and decoded.
fn decoded(input: &MediaInfo) -> Result<MediaInfo> {
    let (width, height) = input.upright_size();
    if width == 0 || height == 0 {
        return Err(Error::input("image.no_picture", "there is no picture to work on")
            .with("format", &input.format));
    }
    let mut info = MediaInfo::new(Format::RAW).with_size(width, height);
    (info.channels, info.alpha) = (input.channels, input.alpha);
    Ok(info)
}

/// What an encoder makes of an input.
fn encoded(input: &MediaInfo, format: Format) -> Result<MediaInfo> {
    let mut info = decoded(input)?;
    info.format = format;
    Ok(info)
}

fn with_channels(mut info: MediaInfo, channels: u8) -> MediaInfo {
    info.channels = channels;
    info.alpha = channels > 0 && channels.is_multiple_of(2);
    info
}

/// Runs a step by itself: on the CPU pool, on sRGB pixels.
async fn on_pixels<F>(inputs: Inputs, cx: &OpContext, work: F) -> Result<Outputs>
where
    F: FnOnce(Image, &RunContext) -> Result<Image> + Send + 'static,
{
    let image = inputs.into_first()?.into_image()?;
    let image = cx.cpu(move |cx| work(srgb(image, cx)?, cx)).await?;
    Ok(Outputs::one(image))
}

/// Runs an encoder by itself: on the CPU pool, on sRGB pixels.
async fn into_file<F>(inputs: Inputs, cx: &OpContext, format: Format, work: F) -> Result<Outputs>
where
    F: FnOnce(Image, &RunContext) -> Result<Vec<u8>> + Send + 'static,
{
    let image = inputs.into_first()?.into_image()?;
    let bytes = cx.cpu(move |cx| work(srgb(image, cx)?, cx)).await?;
    Ok(Outputs::one(file(cx.step(), format, bytes)))
}

/// The result of an encoder, named after its step.
pub(crate) fn file(step: &str, format: Format, bytes: Vec<u8>) -> MediaFile {
    MediaFile::new(format!("{step}.{}", format.extension()), format, Blob::bytes(bytes))
}

/// In sRGB if that can be; else as it is, with a warning.
pub(crate) fn srgb(image: Image, cx: &RunContext) -> Result<Image> {
    let (image, warning) = pixels::to_srgb(image)?;
    if let Some(warning) = warning {
        cx.warn(warning);
    }
    Ok(image)
}

/// A number between two others, or the error that says so.
fn check_range(name: &'static str, value: f64, low: f64, high: f64) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::input("image.range", format!("`{name}` lies between {low} and {high}"))
        .with(name, value))
}
