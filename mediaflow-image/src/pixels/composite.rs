use mediaflow_core::Result;
use mediaflow_core::media::Image;

use super::{mul, widen};
use crate::Color;

/// Lays `mark` over `base` with its left top corner at `at`, which may lie outside. Straight alpha.
pub(crate) fn overlay(base: Image, mark: &Image, at: (i64, i64), opacity: u8) -> Result<Image> {
    let base = widen(base, if mark.channels() >= 3 { 3 } else { 1 })?;
    let mark = widen(mark.clone(), if base.channels() >= 3 { 4 } else { 2 })?;
    let (width, height, channels, metadata) =
        (base.width(), base.height(), base.channels(), base.metadata().clone());
    let mut pixels = base.into_pixels();
    match channels {
        1 => blend::<1, 2>(&mut pixels, (width, height), &mark, at, opacity),
        2 => blend::<2, 2>(&mut pixels, (width, height), &mark, at, opacity),
        3 => blend::<3, 4>(&mut pixels, (width, height), &mark, at, opacity),
        _ => blend::<4, 4>(&mut pixels, (width, height), &mark, at, opacity),
    }
    Ok(Image::new(width, height, channels, pixels)?.with_metadata(metadata))
}

fn blend<const N: usize, const M: usize>(
    base: &mut [u8],
    (width, height): (u32, u32),
    mark: &Image,
    (left, top): (i64, i64),
    opacity: u8,
) {
    let (mark_width, mark_height) = (i64::from(mark.width()), i64::from(mark.height()));
    let (from_x, to_x) = (left.max(0), (left + mark_width).min(i64::from(width)));
    let (from_y, to_y) = (top.max(0), (top + mark_height).min(i64::from(height)));
    if from_x >= to_x {
        return;
    }
    let index = |x: i64, y: i64, stride: i64| usize::try_from(y * stride + x).unwrap_or(usize::MAX);
    let (base, _) = base.as_chunks_mut::<N>();
    let (mark, _) = mark.pixels().as_chunks::<M>();
    let across = usize::try_from(to_x - from_x).unwrap_or(0);
    for y in from_y..to_y {
        let to = base.iter_mut().skip(index(from_x, y, i64::from(width))).take(across);
        let from = mark.iter().skip(index(from_x - left, y - top, mark_width));
        for (to, from) in to.zip(from) {
            over::<N, M>(to, from, mul(from[M - 1], opacity));
        }
    }
}

/// One pixel over another, where `alpha` is the upper one's.
fn over<const N: usize, const M: usize>(to: &mut [u8; N], from: &[u8; M], alpha: u8) {
    if N != M {
        for (to, from) in to.iter_mut().zip(from) {
            *to = mix(*from, *to, u32::from(alpha), u32::from(255 - alpha));
        }
        return;
    }
    let (upper, lower) = (u32::from(alpha) * 255, u32::from(to[N - 1]) * u32::from(255 - alpha));
    for (to, from) in to[..N - 1].iter_mut().zip(from) {
        *to = mix(*from, *to, upper, lower);
    }
    to[N - 1] = u8::try_from((upper + lower + 127) / 255).unwrap_or(u8::MAX);
}

/// The weighted mean, rounded; the second value if both weigh nothing.
fn mix(a: u8, b: u8, weight_a: u32, weight_b: u32) -> u8 {
    let total = weight_a + weight_b;
    if total == 0 {
        return b;
    }
    u8::try_from((u32::from(a) * weight_a + u32::from(b) * weight_b + total / 2) / total)
        .unwrap_or(u8::MAX)
}

/// Lays `mark` over all of `base`, again and again, with this gap between.
pub(crate) fn tile(
    mut base: Image,
    mark: &Image,
    (left, top): (i64, i64),
    gap: u32,
    opacity: u8,
) -> Result<Image> {
    let step_x = usize::try_from(mark.width() + gap).unwrap_or(usize::MAX);
    let step_y = usize::try_from(mark.height() + gap).unwrap_or(usize::MAX);
    for y in (top..i64::from(base.height())).step_by(step_y) {
        for x in (left..i64::from(base.width())).step_by(step_x) {
            base = overlay(base, mark, (x, y), opacity)?;
        }
    }
    Ok(base)
}

/// Puts the picture on an opaque ground: afterwards there is no alpha.
pub(crate) fn flatten(image: Image, ground: Color) -> Result<Image> {
    if !image.has_alpha() {
        return Ok(image);
    }
    let image = if ground.is_grey() { image } else { widen(image, 4)? };
    let (width, height, channels, metadata) =
        (image.width(), image.height(), image.channels(), image.metadata().clone());
    let mut pixels = image.into_pixels();
    let ground = ground.pixel(channels - 1);
    let (from, to) = (usize::from(channels), usize::from(channels) - 1);
    let count = pixels.len() / from;
    for i in 0..count {
        let alpha = pixels[i * from + to];
        for (channel, ground) in ground.iter().enumerate() {
            let value = pixels[i * from + channel];
            pixels[i * to + channel] =
                mix(value, *ground, u32::from(alpha), u32::from(255 - alpha));
        }
    }
    pixels.truncate(count * to);
    Ok(Image::new(width, height, channels - 1, pixels)?.with_metadata(metadata))
}

/// Lays the picture on a larger canvas of one colour.
pub(crate) fn pad(
    image: Image,
    canvas: (u32, u32),
    offset: (u32, u32),
    ground: Color,
) -> Result<Image> {
    if canvas == (image.width(), image.height()) {
        return Ok(image);
    }
    let image = if ground.is_grey() { image } else { widen(image, 3)? };
    let image = if ground.is_opaque() {
        image
    } else {
        {
            let grey = image.channels() <= 2;
            widen(image, if grey { 2 } else { 4 })?
        }
    };
    let channels = usize::from(image.channels());
    let mut pixels = ground.pixel(image.channels()).repeat(canvas.0 as usize * canvas.1 as usize);
    let (from, to) = (image.width() as usize * channels, canvas.0 as usize * channels);
    let rows = pixels.chunks_exact_mut(to).skip(offset.1 as usize);
    for (to, from) in rows.zip(image.pixels().chunks_exact(from)) {
        let start = offset.0 as usize * channels;
        if let Some(to) = to.get_mut(start..start + from.len()) {
            to.copy_from_slice(from);
        }
    }
    Ok(Image::new(canvas.0, canvas.1, image.channels(), pixels)?
        .with_metadata(image.metadata().clone()))
}
