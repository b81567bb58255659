use std::f64::consts::PI;
use std::ops::Range;

use fast_image_resize::images::{CroppedImage, Image as Surface, ImageRef, TypedCroppedImage};
use fast_image_resize::{
    Filter, FilterType, MulDiv, PixelType, ResizeAlg, ResizeOptions, Resizer, pixels,
};
use mediaflow_core::geometry::Rect;
use mediaflow_core::media::Image;
use mediaflow_core::ops::Kernel;
use mediaflow_core::{Error, Result, RunContext, codes};

use super::{bands, eight_bits, try_bands};

/// One pass of the resampler: crop and scale at once, so that a crop may begin between two pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Resample {
    /// The part of the input that is kept, in its pixels.
    pub(crate) crop: Rect,
    /// The pixels that may be mixed in at its edges.
    pub(crate) within: Bounds,
    /// What that part becomes.
    pub(crate) size: (u32, u32),
    pub(crate) kernel: Kernel,
    /// Mix light, not numbers: exact for fine bright patterns, three times slower.
    pub(crate) linear: bool,
    /// The decoder has halved the picture by averaging, which dims fine detail: bring it back.
    pub(crate) crisp: bool,
}

/// Some whole pixels of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Bounds {
    /// All of a picture.
    pub(crate) fn all((width, height): (u32, u32)) -> Self {
        Self { left: 0, top: 0, width, height }
    }

    /// Kept inside the picture: rounding may have pushed them out; at least one pixel.
    pub(crate) fn of(self, size: (u32, u32)) -> Self {
        let (left, top) = (self.left.min(size.0 - 1), self.top.min(size.1 - 1));
        let width = self.width.clamp(1, size.0 - left);
        let height = self.height.clamp(1, size.1 - top);
        Self { left, top, width, height }
    }
}

/// Crops and scales. The result keeps the metadata and, but for grey with alpha, the channels.
pub(crate) fn resample(image: &Image, how: &Resample, cx: &RunContext) -> Result<Image> {
    let within = how.within.of((image.width(), image.height()));
    if is_beyond(how.crop, within) {
        let crop = Rect {
            x: how.crop.x - f64::from(within.left) + 1.0,
            y: how.crop.y - f64::from(within.top) + 1.0,
            ..how.crop
        };
        let framed = framed(image, within, cx)?;
        let within = Bounds::all((framed.width(), framed.height()));
        return resample(&framed, &Resample { crop, within, ..*how }, cx);
    }
    let crop = inside(how.crop, within);
    if crop_is_exact(crop, how.size) {
        return whole_pixels(image, crop, how.size, cx);
    }
    if image.channels() == 2 {
        // Rare enough to do without kernels of its own.
        return resample(&super::widen(image.clone(), 4, cx)?, how, cx);
    }
    let (width, height) = how.size;
    let options = options(how, image.has_alpha());
    let bytes = if how.linear && how.kernel != Kernel::Nearest {
        linear(image, how.size, (crop, within), &options, cx)?
    } else {
        let mut bytes = vec![0; width as usize * height as usize * usize::from(image.channels())];
        let kind = match image.channels() {
            1 => PixelType::U8,
            3 => PixelType::U8x3,
            _ => PixelType::U8x4,
        };
        let from =
            ImageRef::new(image.width(), image.height(), image.pixels(), kind).map_err(refused)?;
        convolve(&from, how.size, &mut bytes, (crop, within), &options, cx)?;
        bytes
    };
    Ok(Image::new(width, height, image.channels(), bytes)?.with_metadata(image.metadata().clone()))
}

pub(super) fn options(how: &Resample, alpha: bool) -> ResizeOptions {
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
        // Multiplies by alpha before and divides after; on opaque pictures it would only cost.
        .use_alpha(alpha && kernel != Kernel::Nearest)
}

/// Lanczos3 that lifts the highest frequencies by what averaging two pixels has taken from them. Averaging multiplies a
/// frequency `f` by cos(pi f), in cycles per pixel of the full picture; for a result of 0.7 to 1 times the halved size
/// a three-tap sharpening with half a pixel between its taps inverts that to the second order; half of the full inverse
/// (0.08) gives the least error, because what averaging has folded back is lifted too.
fn crisp_lanczos3() -> FilterType {
    Filter::new("crisp Lanczos3", crisp_weight, 3.5)
        .map_or(FilterType::Lanczos3, FilterType::Custom)
}

pub(super) fn crisp_weight(x: f64) -> f64 {
    const LIFT: f64 = 0.04;
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    let lanczos3 = |x: f64| if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 };
    (1.0 + 2.0 * LIFT) * lanczos3(x) - LIFT * (lanczos3(x - 0.5) + lanczos3(x + 0.5))
}

/// How many bytes the resampler reads while others copy one.
const FAST: f64 = 128.0;

/// Into `bytes`, band by band, if the picture is so large that it takes longer than a moment.
fn convolve(
    from: &ImageRef<'_>,
    size: (u32, u32),
    bytes: &mut [u8],
    (crop, within): (Rect, Bounds),
    options: &ResizeOptions,
    cx: &RunContext,
) -> Result<()> {
    if !options.mul_div_alpha {
        return in_bands(from, within, size, bytes, (crop, within), options, cx);
    }
    // For each band the library would multiply all that it sees by alpha.
    let multiplied = multiplied(from, within, cx)?;
    let kind = from.pixel_type();
    let from = ImageRef::new(within.width, within.height, &multiplied, kind).map_err(refused)?;
    let (all, options) = (Bounds::all((within.width, within.height)), options.use_alpha(false));
    in_bands(&from, all, size, bytes, (crop, within), &options, cx)?;
    let row = size.0 as usize * kind.size();
    try_bands(size.1 as usize, row, cx, |rows| {
        let part = &mut bytes[rows.start * row..rows.end * row];
        let high = u32::try_from(rows.len()).unwrap_or(size.1);
        let mut part = Surface::from_slice_u8(size.0, high, part, kind).map_err(refused)?;
        MulDiv::new().divide_alpha_inplace(&mut part).map_err(refused)
    })
}

/// Some pixels, multiplied by alpha.
fn multiplied(from: &ImageRef<'_>, of: Bounds, cx: &RunContext) -> Result<Vec<u8>> {
    let kind = from.pixel_type();
    let row = of.width as usize * kind.size();
    let mut bytes = vec![0; row * of.height as usize];
    try_bands(of.height as usize, row, cx, |rows| {
        let (top, high) = (u32::try_from(rows.start), u32::try_from(rows.len()));
        let (top, high) = (top.unwrap_or(0), high.unwrap_or(of.height));
        let part = CroppedImage::new(from, of.left, of.top + top, of.width, high);
        let to = &mut bytes[rows.start * row..rows.end * row];
        let mut to = Surface::from_slice_u8(of.width, high, to, kind).map_err(refused)?;
        MulDiv::new().multiply_alpha(&part.map_err(refused)?, &mut to).map_err(refused)
    })?;
    Ok(bytes)
}

/// Band by band: what is seen of `from`, which `within` is named by its place in the whole picture.
fn in_bands(
    from: &ImageRef<'_>,
    seen: Bounds,
    (width, height): (u32, u32),
    bytes: &mut [u8],
    (crop, within): (Rect, Bounds),
    options: &ResizeOptions,
    cx: &RunContext,
) -> Result<()> {
    let kind = from.pixel_type();
    let row = width as usize * kind.size();
    let cost = row_cost(crop, (width, height), kind.size());
    try_bands(height as usize, cost, cx, |rows| {
        let Rect { x, y, width: across, height: down } = band(crop, within, &rows, height);
        let high = u32::try_from(rows.len()).unwrap_or(height);
        let to = &mut bytes[rows.start * row..rows.end * row];
        let mut to = Surface::from_slice_u8(width, high, to, kind).map_err(refused)?;
        one_band(from, seen, &mut to, &options.crop(x, y, across, down))
    })
}

/// What these rows of the result show, of so many, seen from where these pixels begin.
pub(super) fn band(crop: Rect, within: Bounds, rows: &Range<usize>, of: u32) -> Rect {
    let Rect { x, y, width, height } = part(crop, rows, of);
    let (x, y) = (x - f64::from(within.left), y - f64::from(within.top));
    let width = fitting(x, width, within.width);
    Rect { x, y, width, height: fitting(y, height, within.height) }
}

/// A length from here that ends within so many pixels: rounding may have pushed the end out by a hair.
pub(super) fn fitting(start: f64, len: f64, room: u32) -> f64 {
    let room = f64::from(room);
    if start + len > room { room - start - room * 1e-12 } else { len }
}

/// What a row of the result costs, in bytes that are copied, for pixels of so many bytes.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a row of a picture"
)]
pub(super) fn row_cost(crop: Rect, (width, height): (u32, u32), pixel: usize) -> usize {
    let row = width as usize * pixel;
    let read = crop.width * crop.height / f64::from(height) * pixel as f64;
    (read.max(row as f64) / FAST) as usize
}

/// What these rows of the result show, of so many.
fn part(crop: Rect, rows: &Range<usize>, of: u32) -> Rect {
    if rows.len() == of as usize {
        return crop;
    }
    #[expect(clippy::cast_precision_loss, reason = "rows of a picture")]
    let at = |row: usize| row as f64 * (crop.height / f64::from(of));
    Rect { y: crop.y + at(rows.start), height: at(rows.len()), ..crop }
}

/// The library's `resize` is generic and large: this is the only place where it is compiled, and only for the pixels
/// that are used here.
pub(super) fn one_band(
    from: &ImageRef<'_>,
    within: Bounds,
    to: &mut Surface<'_>,
    options: &ResizeOptions,
) -> Result<()> {
    let Bounds { left, top, width, height } = within;
    macro_rules! kinds {
        ($($kind:ident),*) => {
            match from.pixel_type() {
                $(PixelType::$kind => match (from.typed_image::<pixels::$kind>(), to.typed_image_mut::<pixels::$kind>()) {
                    (Some(from), Some(mut to)) => {
                        let from = TypedCroppedImage::from_ref(&from, left, top, width, height).map_err(refused)?;
                        Resizer::new().resize_typed(&from, &mut to, options).map_err(refused)
                    }
                    _ => Err(Error::internal(codes::IMAGE_RESIZE, "the pixels are not aligned")),
                },)*
                _ => Err(Error::internal(codes::IMAGE_RESIZE, "there are no such pixels")),
            }
        };
    }
    kinds!(U8, U8x3, U8x4, U16x4)
}

/// The same on light: sRGB to linear 16 bit, convolve, and back. Always four channels: one set of kernels is enough.
fn linear(
    image: &Image,
    (width, height): (u32, u32),
    part: (Rect, Bounds),
    options: &ResizeOptions,
    cx: &RunContext,
) -> Result<Vec<u8>> {
    let channels = usize::from(image.channels());
    let to_light = to_light();
    let mut from = Surface::new(image.width(), image.height(), PixelType::U16x4);
    let (surface, _) = from.buffer_mut().as_chunks_mut::<8>();
    let row = image.width() as usize;
    bands(image.height() as usize, row * 8, cx, |rows| {
        let band = rows.start * row..rows.end * row;
        let bytes = &image.pixels()[band.start * channels..band.end * channels];
        in_light(bytes, channels, &to_light, &mut surface[band]);
    })?;
    let mut light = Surface::new(width, height, PixelType::U16x4);
    let view = ImageRef::new(image.width(), image.height(), from.buffer(), PixelType::U16x4)
        .map_err(refused)?;
    convolve(&view, (width, height), light.buffer_mut(), part, options, cx)?;
    drop(from);
    let from_light = from_light(&to_light);
    let mut bytes = Vec::with_capacity(width as usize * height as usize * channels);
    let (surface, _) = light.buffer().as_chunks::<8>();
    bands(height as usize, width as usize * 8, cx, |rows| {
        let rows = &surface[rows.start * width as usize..rows.end * width as usize];
        out_of_light(rows, channels, &from_light, &mut bytes);
    })?;
    Ok(bytes)
}

/// Pixels of so many channels in light, four channels of 16 bits; what they do not have is zero, or opaque.
pub(super) fn in_light(bytes: &[u8], channels: usize, to_light: &[u16], light: &mut [[u8; 8]]) {
    let colours = if channels == 4 { 3 } else { channels };
    for (to, pixel) in light.iter_mut().zip(bytes.chunks_exact(channels)) {
        let (to, _) = to.as_chunks_mut::<2>();
        for (to, value) in to.iter_mut().zip(&pixel[..colours]) {
            *to = to_light[usize::from(*value)].to_ne_bytes();
        }
        to[3] = pixel.get(colours).map_or(u16::MAX, |alpha| u16::from(*alpha) * 257).to_ne_bytes();
    }
}

/// The same back.
pub(super) fn out_of_light(
    light: &[[u8; 8]],
    channels: usize,
    from_light: &[u8],
    bytes: &mut Vec<u8>,
) {
    let colours = if channels == 4 { 3 } else { channels };
    for pixel in light {
        let value =
            |channel: usize| u16::from_ne_bytes([pixel[2 * channel], pixel[2 * channel + 1]]);
        bytes.extend((0..colours).map(|channel| from_light[usize::from(value(channel))]));
        if colours < channels {
            bytes.push(eight_bits(value(3)));
        }
    }
}

/// The light of each sRGB value, from 0 to 65,535.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 65,535 by construction"
)]
pub(super) fn to_light() -> Vec<u16> {
    let light = |value: u8| super::to_light(f64::from(value) / 255.0);
    (0..=u8::MAX).map(|value| (light(value) * 65535.0).round() as u16).collect()
}

/// The nearest sRGB value of each light: walks up the table of [`to_light`].
pub(super) fn from_light(to_light: &[u16]) -> Vec<u8> {
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

/// Whether a crop begins or ends in pixels that may not be mixed in: in a scaled decode they show more than what is kept.
pub(super) fn is_beyond(crop: Rect, within: Bounds) -> bool {
    let beyond = |start: f64, len: f64, first: u32, room: u32| {
        let (first, last) = (f64::from(first), f64::from(first + room));
        (first - start).max(start + len - last) > 1e-3
    };
    beyond(crop.x, crop.width, within.left, within.width)
        || beyond(crop.y, crop.height, within.top, within.height)
}

/// These pixels, the outermost of them twice: so a crop that begins in the pixel before lies where it should.
fn framed(image: &Image, within: Bounds, cx: &RunContext) -> Result<Image> {
    let pixel = usize::from(image.channels());
    let (width, height) = (within.width as usize, within.height as usize);
    let (row, left) = (image.width() as usize * pixel, within.left as usize * pixel);
    let mut pixels = Vec::with_capacity((width + 2) * (height + 2) * pixel);
    bands(height + 2, (width + 2) * pixel, cx, |rows| {
        for y in rows {
            let y = within.top as usize + y.saturating_sub(1).min(height - 1);
            let kept = &image.pixels()[y * row + left..][..width * pixel];
            pixels.extend_from_slice(&kept[..pixel]);
            pixels.extend_from_slice(kept);
            pixels.extend_from_slice(&kept[kept.len() - pixel..]);
        }
    })?;
    Ok(Image::new(within.width + 2, within.height + 2, image.channels(), pixels)?
        .with_metadata(image.metadata().clone()))
}

/// The crop, kept inside these pixels: rounding may have pushed an edge out by a hair.
pub(super) fn inside(crop: Rect, within: Bounds) -> Rect {
    let keep = |start: f64, len: f64, first: u32, room: u32| {
        let (first, room) = (f64::from(first), f64::from(room));
        let last = first + room;
        let from = start.clamp(first, last - room * 1e-9);
        (from, (start + len).min(last) - from)
    };
    let (x, width) = keep(crop.x, crop.width, within.left, within.width);
    let (y, height) = keep(crop.y, crop.height, within.top, within.height);
    Rect { x, y, width, height }
}

/// Whether nothing is to be scaled: the crop is as large as the result and lies on whole pixels.
pub(super) fn crop_is_exact(crop: Rect, (width, height): (u32, u32)) -> bool {
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
fn whole_pixels(image: &Image, crop: Rect, size: (u32, u32), cx: &RunContext) -> Result<Image> {
    if size == (image.width(), image.height()) {
        return Ok(image.clone());
    }
    super::crop(image, (crop.x.round() as u32, crop.y.round() as u32), size, cx)
}

pub(super) fn refused(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal(codes::IMAGE_RESIZE, "the resampler refused the picture").because(cause)
}
