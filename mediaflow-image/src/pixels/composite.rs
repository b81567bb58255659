use mediaflow_core::media::Image;
use mediaflow_core::{Color, Result, RunContext};

use super::{Mix, Upon, bands, mul, owned, pixel, to_byte, widen};

/// Lays `mark` over `base` with its left top corner at `at`, which may lie outside. Straight alpha.
pub(crate) fn overlay(
    base: Image,
    mark: &Image,
    at: (i64, i64),
    upon: Upon,
    cx: &RunContext,
) -> Result<Image> {
    let base = widen(base, if mark.channels() >= 3 { 3 } else { 1 }, cx)?;
    let mark = widen(mark.clone(), if base.channels() >= 3 { 4 } else { 2 }, cx)?;
    let (width, height, channels, metadata) =
        (base.width(), base.height(), base.channels(), base.metadata().clone());
    let mut pixels = owned(base, cx)?;
    match channels {
        1 => blend::<1, 2>(&mut pixels, (width, height), &mark, at, upon, cx),
        2 => blend::<2, 2>(&mut pixels, (width, height), &mark, at, upon, cx),
        3 => blend::<3, 4>(&mut pixels, (width, height), &mark, at, upon, cx),
        _ => blend::<4, 4>(&mut pixels, (width, height), &mark, at, upon, cx),
    }?;
    Ok(Image::new(width, height, channels, pixels)?.with_metadata(metadata))
}

fn blend<const N: usize, const M: usize>(
    base: &mut [u8],
    (width, height): (u32, u32),
    mark: &Image,
    (left, top): (i64, i64),
    Upon { opacity, mix }: Upon,
    cx: &RunContext,
) -> Result<()> {
    let (mark_width, mark_height) = (i64::from(mark.width()), i64::from(mark.height()));
    let (from_x, to_x) = (left.max(0), (left + mark_width).min(i64::from(width)));
    let (from_y, to_y) = (top.max(0), (top + mark_height).min(i64::from(height)));
    if from_x >= to_x || from_y >= to_y {
        return Ok(());
    }
    let index = |x: i64, y: i64, stride: i64| usize::try_from(y * stride + x).unwrap_or(usize::MAX);
    let (base, _) = base.as_chunks_mut::<N>();
    let (mark, _) = mark.pixels().as_chunks::<M>();
    let across = usize::try_from(to_x - from_x).unwrap_or(0);
    // A pixel takes about as long as eight that are only copied.
    bands(index(0, to_y - from_y, 1), 8 * across * N, cx, |rows| {
        for y in rows.filter_map(|row| i64::try_from(row).ok()).map(|row| from_y + row) {
            let to = base.iter_mut().skip(index(from_x, y, i64::from(width))).take(across);
            let from = mark.iter().skip(index(from_x - left, y - top, mark_width));
            if let Some(mix) = mix {
                to.zip(from).for_each(|(to, from)| mixed(to, from, opacity, mix));
                continue;
            }
            for (to, from) in to.zip(from) {
                over::<N, M>(to, from, mul(from[M - 1], opacity));
            }
        }
    })
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

/// One pixel over another whose colours are mixed with its own, as far as that one is there.
fn mixed<const N: usize, const M: usize>(to: &mut [u8; N], from: &[u8; M], opacity: u8, mix: Mix) {
    let part = |value: u8| f32::from(value) / 255.0;
    let (colours, below) = if N == M { (N - 1, part(to[N - 1])) } else { (N, 1.0) };
    let above = part(from[M - 1]) * part(opacity);
    let both = above + below * (1.0 - above);
    if both <= 0.0 {
        return;
    }
    for (to, from) in to[..colours].iter_mut().zip(from) {
        let (lower, upper) = (part(*to), part(*from));
        let upper = (1.0 - below) * upper + below * mix(lower, upper);
        let sum = above * upper + below * (1.0 - above) * lower;
        *to = to_byte(sum / both * 255.0);
    }
    if N == M {
        to[N - 1] = to_byte(both * 255.0);
    }
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
    upon: Upon,
    cx: &RunContext,
) -> Result<Image> {
    let step_x = usize::try_from(mark.width().saturating_add(gap)).unwrap_or(usize::MAX);
    let step_y = usize::try_from(mark.height().saturating_add(gap)).unwrap_or(usize::MAX);
    for y in (top..i64::from(base.height())).step_by(step_y) {
        for x in (left..i64::from(base.width())).step_by(step_x) {
            base = overlay(base, mark, (x, y), upon, cx)?;
        }
    }
    Ok(base)
}

/// Puts the picture on an opaque ground: afterwards there is no alpha.
pub(crate) fn flatten(image: Image, ground: Color, cx: &RunContext) -> Result<Image> {
    if !image.has_alpha() {
        return Ok(image);
    }
    let image = if ground.is_grey() { image } else { widen(image, 4, cx)? };
    let (width, height, channels, metadata) =
        (image.width(), image.height(), image.channels(), image.metadata().clone());
    let mut pixels = owned(image, cx)?;
    let ground = pixel(ground, channels - 1);
    let (from, to) = (usize::from(channels), usize::from(channels) - 1);
    let (row, count) = (width as usize, pixels.len() / from);
    bands(height as usize, 4 * row * from, cx, |rows| {
        for i in rows.start * row..rows.end * row {
            let alpha = pixels[i * from + to];
            for (channel, ground) in ground.iter().enumerate() {
                let value = pixels[i * from + channel];
                pixels[i * to + channel] =
                    mix(value, *ground, u32::from(alpha), u32::from(255 - alpha));
            }
        }
    })?;
    pixels.truncate(count * to);
    Ok(Image::new(width, height, channels - 1, pixels)?.with_metadata(metadata))
}

/// Lays the picture on a larger ground of one colour.
pub(crate) fn pad(
    image: Image,
    size: (u32, u32),
    offset: (u32, u32),
    ground: Color,
    cx: &RunContext,
) -> Result<Image> {
    if size == (image.width(), image.height()) {
        return Ok(image);
    }
    let channels = channels_on(ground, image.channels());
    let image = widen(image, channels, cx)?;
    let channels = usize::from(channels);
    let (from, to) = (image.width() as usize * channels, size.0 as usize * channels);
    let empty = pixel(ground, image.channels()).repeat(size.0 as usize);
    let (left, top) = (offset.0 as usize * channels, offset.1 as usize);
    let mut pixels = Vec::with_capacity(to * size.1 as usize);
    bands(size.1 as usize, to, cx, |rows| {
        for y in rows {
            let start = pixels.len() + left;
            pixels.extend_from_slice(&empty);
            let inside = y.checked_sub(top).filter(|y| *y < image.height() as usize);
            if let Some(row) = inside.map(|y| &image.pixels()[y * from..(y + 1) * from])
                && let Some(to) = pixels.get_mut(start..start + from)
            {
                to.copy_from_slice(row);
            }
        }
    })?;
    Ok(Image::new(size.0, size.1, image.channels(), pixels)?
        .with_metadata(image.metadata().clone()))
}

/// How many channels a picture with so many has once it lies on this ground.
pub(crate) fn channels_on(ground: Color, channels: u8) -> u8 {
    let colour = channels > 2 || !ground.is_grey();
    let alpha = channels.is_multiple_of(2) || !ground.is_opaque();
    if colour { 3 + u8::from(alpha) } else { 1 + u8::from(alpha) }
}
