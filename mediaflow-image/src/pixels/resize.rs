use std::f64::consts::PI;

use fast_image_resize::images::{Image as Surface, ImageRef};
use fast_image_resize::{Filter, FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, pixels};
use mediaflow_core::geometry::Rect;
use mediaflow_core::media::Image;
use mediaflow_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a resize mixes pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kernel {
    /// Mixes nothing: for pixel art and masks.
    Nearest,
    /// Soft and cheap.
    Bilinear,
    /// Sharp, little ringing.
    CatmullRom,
    /// Between soft and sharp.
    Mitchell,
    /// Sharpest. The default.
    #[default]
    Lanczos3,
}

/// One pass of the resampler: crop and scale at once, so that a crop may begin between two pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Resample {
    /// The part of the input that is kept, in its pixels.
    pub(crate) crop: Rect,
    /// What that part becomes.
    pub(crate) size: (u32, u32),
    pub(crate) kernel: Kernel,
    /// Mix light, not numbers: exact for fine bright patterns, three times slower.
    pub(crate) linear: bool,
    /// The decoder has halved the picture by averaging, which dims fine detail: bring it back.
    pub(crate) crisp: bool,
}

/// Crops and scales. The result keeps the metadata and, but for grey with alpha, the channels.
pub(crate) fn resample(image: &Image, how: &Resample) -> Result<Image> {
    let crop = inside(how.crop, image);
    if crop_is_exact(crop, how.size) {
        return whole_pixels(image, crop, how.size);
    }
    if image.channels() == 2 {
        // Rare enough to do without kernels of its own.
        return resample(&super::widen(image.clone(), 4)?, how);
    }
    let (width, height) = how.size;
    let options = options(how, crop, image.has_alpha());
    let bytes = if how.linear && how.kernel != Kernel::Nearest {
        linear(image, how.size, &options)?
    } else {
        let mut bytes = vec![0; width as usize * height as usize * usize::from(image.channels())];
        let kind = match image.channels() {
            1 => PixelType::U8,
            3 => PixelType::U8x3,
            _ => PixelType::U8x4,
        };
        let from =
            ImageRef::new(image.width(), image.height(), image.pixels(), kind).map_err(refused)?;
        let mut to = Surface::from_slice_u8(width, height, &mut bytes, kind).map_err(refused)?;
        convolve(&from, &mut to, &options)?;
        bytes
    };
    Ok(Image::new(width, height, image.channels(), bytes)?.with_metadata(image.metadata().clone()))
}

fn options(how: &Resample, crop: Rect, alpha: bool) -> ResizeOptions {
    let kernel = how.kernel;
    let algorithm = match kernel {
        Kernel::Lanczos3 if how.crisp => ResizeAlg::Convolution(crisp_lanczos3()),
        Kernel::Nearest => ResizeAlg::Nearest,
        Kernel::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
        Kernel::CatmullRom => ResizeAlg::Convolution(FilterType::CatmullRom),
        Kernel::Mitchell => ResizeAlg::Convolution(FilterType::Mitchell),
        Kernel::Lanczos3 => ResizeAlg::Convolution(FilterType::Lanczos3),
    };
    ResizeOptions::new()
        .resize_alg(algorithm)
        .crop(crop.x, crop.y, crop.width, crop.height)
        // Multiplies by alpha before and divides after; on opaque pictures it would only cost.
        .use_alpha(alpha && kernel != Kernel::Nearest)
}

/// Lanczos3 that lifts the highest frequencies by what averaging two pixels has taken from them. Averaging multiplies a
/// frequency `f` by cos(pi f), in cycles per pixel of the full picture; for a result of 0.7 to 1 times the halved size
/// a three-tap sharpening with half a pixel between its taps inverts that to the second order; half of the full inverse
/// (0.08) gives the least error, because what averaging has folded back is lifted too.
fn crisp_lanczos3() -> FilterType {
    fn lanczos3(x: f64) -> f64 {
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
    }
    fn crisp(x: f64) -> f64 {
        const LIFT: f64 = 0.04;
        (1.0 + 2.0 * LIFT) * lanczos3(x) - LIFT * (lanczos3(x - 0.5) + lanczos3(x + 0.5))
    }
    Filter::new("crisp Lanczos3", crisp, 3.5).map_or(FilterType::Lanczos3, FilterType::Custom)
}

/// The library's `resize` is generic and large: this is the only place where it is compiled, and only for the pixels
/// that are used here.
fn convolve(from: &ImageRef<'_>, to: &mut Surface<'_>, options: &ResizeOptions) -> Result<()> {
    macro_rules! kinds {
        ($($kind:ident),*) => {
            match from.pixel_type() {
                $(PixelType::$kind => match (from.typed_image::<pixels::$kind>(), to.typed_image_mut::<pixels::$kind>()) {
                    (Some(from), Some(mut to)) => Resizer::new().resize_typed(&from, &mut to, options).map_err(refused),
                    _ => Err(Error::internal("image.resize", "the pixels are not aligned")),
                },)*
                _ => Err(Error::internal("image.resize", "there are no such pixels")),
            }
        };
    }
    kinds!(U8, U8x3, U8x4, U16x4)
}

/// The same on light: sRGB to linear 16 bit, convolve, and back. Always four channels: one set of kernels is enough.
fn linear(image: &Image, (width, height): (u32, u32), options: &ResizeOptions) -> Result<Vec<u8>> {
    let channels = usize::from(image.channels());
    let colours = if image.has_alpha() { channels - 1 } else { channels };
    let to_light = to_light();
    let mut from = Surface::new(image.width(), image.height(), PixelType::U16x4);
    let (pixels, _) = from.buffer_mut().as_chunks_mut::<8>();
    for (to, pixel) in pixels.iter_mut().zip(image.pixels().chunks_exact(channels)) {
        let (to, _) = to.as_chunks_mut::<2>();
        for (to, value) in to.iter_mut().zip(&pixel[..colours]) {
            *to = to_light[usize::from(*value)].to_ne_bytes();
        }
        to[3] = pixel.get(colours).map_or(u16::MAX, |alpha| u16::from(*alpha) * 257).to_ne_bytes();
    }
    let mut to = Surface::new(width, height, PixelType::U16x4);
    let view = ImageRef::new(image.width(), image.height(), from.buffer(), PixelType::U16x4)
        .map_err(refused)?;
    convolve(&view, &mut to, options)?;
    drop(from);
    let from_light = from_light(&to_light);
    let mut bytes = Vec::with_capacity(width as usize * height as usize * channels);
    for pixel in to.buffer().as_chunks::<8>().0 {
        let value =
            |channel: usize| u16::from_ne_bytes([pixel[2 * channel], pixel[2 * channel + 1]]);
        bytes.extend((0..colours).map(|channel| from_light[usize::from(value(channel))]));
        if colours < channels {
            bytes.push(eight_bits(value(3)));
        }
    }
    Ok(bytes)
}

/// The light of each sRGB value, from 0 to 65,535.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 65,535 by construction"
)]
fn to_light() -> Vec<u16> {
    let light = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    (0..=u8::MAX).map(|value| (light(value) * 65535.0).round() as u16).collect()
}

/// The nearest sRGB value of each light: walks up the table of [`to_light`].
fn from_light(to_light: &[u16]) -> Vec<u8> {
    let mut value = 0_u8;
    (0..=u16::MAX)
        .map(|light| {
            while let Some(next) = to_light.get(usize::from(value) + 1)
                && next.abs_diff(light) < to_light[usize::from(value)].abs_diff(light)
            {
                value += 1;
            }
            value
        })
        .collect()
}

#[expect(clippy::cast_possible_truncation, reason = "65,535 / 257 is 255")]
fn eight_bits(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

/// The crop, kept inside the picture: rounding may have pushed an edge out by a hair.
fn inside(crop: Rect, image: &Image) -> Rect {
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let x = crop.x.clamp(0.0, width - f64::MIN_POSITIVE.max(width * 1e-9));
    let y = crop.y.clamp(0.0, height - f64::MIN_POSITIVE.max(height * 1e-9));
    Rect { x, y, width: crop.width.min(width - x), height: crop.height.min(height - y) }
}

/// Whether nothing is to be scaled: the crop is as large as the result and lies on whole pixels.
fn crop_is_exact(crop: Rect, (width, height): (u32, u32)) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
    near(crop.width, f64::from(width))
        && near(crop.height, f64::from(height))
        && near(crop.x, crop.x.round())
        && near(crop.y, crop.y.round())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "inside the picture, see `inside`"
)]
fn whole_pixels(image: &Image, crop: Rect, (width, height): (u32, u32)) -> Result<Image> {
    if (width, height) == (image.width(), image.height()) {
        return Ok(image.clone());
    }
    super::crop(image, crop.x.round() as u32, crop.y.round() as u32, width, height)
}

fn refused(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("image.resize", "the resampler refused the picture").because(cause)
}
