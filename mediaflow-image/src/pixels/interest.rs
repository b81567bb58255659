//! Where there is most to see in a picture: the two ways of libvips (`smartcrop`), with its numbers, so that the parts that are kept
//! are those of sharp.

use std::array;

use mediaflow_core::geometry::Rect;
use mediaflow_core::media::Image;
use mediaflow_core::ops::Kernel;
use mediaflow_core::{Result, RunContext};

use super::{Bounds, Resample, bands, mul, resample, to_light, widen};

/// The side of the picture in which attention is measured.
const SIDE: usize = 32;
const SIZE: (u32, u32) = (32, 32);

/// The direction of skin in XYZ.
const SKIN: [f64; 3] = [0.78, 0.57, 0.44];

/// What is darker than this shows neither skin nor colours: Y from 0 to 100.
const DARK: f64 = 5.0;

/// XYZ of red, green and blue light, white is 100.
const XYZ: [[f64; 3]; 3] =
    [[41.239, 35.758, 18.048], [21.264, 71.517, 7.219], [1.933, 11.919, 95.053]];

/// Where a part of this size begins that shows the most attention in its middle.
pub(crate) fn most_attention(
    image: &Image,
    (width, height): (u32, u32),
    cx: &RunContext,
) -> Result<(u32, u32)> {
    let whole = (image.width(), image.height());
    let crop = Rect { x: 0.0, y: 0.0, width: whole.0.into(), height: whole.1.into() };
    let (within, kernel) = (Bounds::all(whole), Kernel::Lanczos3);
    let how = Resample { crop, within, size: SIZE, kernel, linear: false, crisp: false };
    let (across, down) = attention(resample(image, &how, cx)?, (width, height), whole, cx)?;
    let start = |cell: u32, side: u32, kept: u32| {
        let middle = u64::from(cell) * u64::from(side) / SIDE as u64;
        let middle = u32::try_from(middle).unwrap_or(side);
        middle.saturating_sub(kept / 2).min(side - kept)
    };
    Ok((start(across, whole.0, width), start(down, whole.1, height)))
}

/// Which of the 32 columns and 32 rows of a picture of [`SIZE`] shows the most attention, for a part of this size of a whole of
/// that size.
pub(crate) fn attention(
    small: Image,
    (width, height): (u32, u32),
    whole: (u32, u32),
    cx: &RunContext,
) -> Result<(u32, u32)> {
    let small = widen(small, 3, cx)?;
    let channels = usize::from(small.channels());
    let colours: Vec<[f64; 3]> = small.pixels().chunks_exact(channels).map(xyz).collect();
    let mut scores: Vec<f64> = (0..colours.len()).map(|at| score(&colours, at)).collect();
    let part = |kept: u32, of: u32| f64::from(kept) * f64::from(SIZE.0) / f64::from(of);
    let sigma = part(width, whole.0).hypot(part(height, whole.1)) / 10.0;
    blur(&mut scores, sigma.max(1.0));
    // The first of those that are alike.
    let (mut at, mut best) = ((0, 0), f64::NEG_INFINITY);
    for (row, scores) in (0..).zip(scores.chunks_exact(SIDE)) {
        for (column, score) in (0..).zip(scores) {
            if *score > best {
                (at, best) = ((column, row), *score);
            }
        }
    }
    Ok(at)
}

/// Edges, skin and red or green.
fn score(colours: &[[f64; 3]], at: usize) -> f64 {
    let colour = colours[at];
    let y = |dx: isize, dy: isize| {
        let near = |at: usize, by: isize| at.saturating_add_signed(by).min(SIDE - 1);
        colours[near(at / SIDE, dy) * SIDE + near(at % SIDE, dx)][1]
    };
    let edge = (4.0 * y(0, 0) - y(-1, 0) - y(1, 0) - y(0, -1) - y(0, 1)).abs();
    if colour[1] <= DARK {
        return 5.0 * edge;
    }
    let length = colour.iter().map(|value| value * value).sum::<f64>().sqrt();
    let from_skin: f64 =
        colour.iter().zip(SKIN).map(|(value, skin)| (value / length - skin).powi(2)).sum();
    5.0 * edge + 100.0 - 100.0 * from_skin.sqrt() + a_of_lab(colour)
}

/// XYZ of a pixel; what is transparent is dark.
fn xyz(pixel: &[u8]) -> [f64; 3] {
    let alpha = pixel.get(3).copied().unwrap_or(u8::MAX);
    let light: [f64; 3] =
        array::from_fn(|channel| to_light(f64::from(mul(pixel[channel], alpha)) / 255.0));
    XYZ.map(|row| row.iter().zip(light).map(|(weight, light)| weight * light).sum())
}

/// How red (or, below 0, green) a colour is: a* of CIELAB.
fn a_of_lab([x, y, _]: [f64; 3]) -> f64 {
    let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    500.0 * (f(x / 95.047) - f(y / 100.0))
}

/// A Gaussian whose weights are whole numbers to 20 and end below 4, over edges that go on.
fn blur(values: &mut [f64], sigma: f64) {
    let weight = |x: usize| (-((x * x) as f64) / (2.0 * sigma * sigma)).exp();
    let weights: Vec<f64> =
        (0..SIDE).map(weight).take_while(|w| *w >= 0.2).map(|w| (20.0 * w).round()).collect();
    let sum = weights.iter().sum::<f64>() * 2.0 - weights[0];
    for (step, line) in [(1, SIDE), (SIDE, 1)] {
        for start in (0..SIDE).map(|index| index * line) {
            let old: [f64; SIDE] = array::from_fn(|at| values[start + at * step]);
            for at in 0..SIDE {
                let mut total = weights[0] * old[at];
                for (by, weight) in weights.iter().enumerate().skip(1) {
                    total += weight * (old[at.saturating_sub(by)] + old[(at + by).min(SIDE - 1)]);
                }
                values[start + at * step] = total / sum;
            }
        }
    }
}

/// Where a part of this size begins of which nothing was cut off that has more entropy than what was left: slices of about an
/// eighth of what has to go are taken away, each from the side where there is less.
pub(crate) fn most_entropy(
    image: &Image,
    (width, height): (u32, u32),
    cx: &RunContext,
) -> Result<(u32, u32)> {
    let mut left = Bounds::all((image.width(), image.height()));
    let slice = (left.width - width).div_ceil(8).max((left.height - height).div_ceil(8));
    while left.width > width || left.height > height {
        let across = slice.min(left.width - width);
        let down = slice.min(left.height - height);
        if across > 0 {
            let first = entropy(image, Bounds { width: across, ..left }, cx)?;
            let at = left.left + left.width - across;
            let last = entropy(image, Bounds { left: at, width: across, ..left }, cx)?;
            left.width -= across;
            left.left += if first < last { across } else { 0 };
        }
        if down > 0 {
            let first = entropy(image, Bounds { height: down, ..left }, cx)?;
            let at = left.top + left.height - down;
            let last = entropy(image, Bounds { top: at, height: down, ..left }, cx)?;
            left.height -= down;
            left.top += if first < last { down } else { 0 };
        }
    }
    Ok((left.left, left.top))
}

/// Of the values of all channels of a part.
fn entropy(image: &Image, part: Bounds, cx: &RunContext) -> Result<f64> {
    let n = usize::from(image.channels());
    let colours = if image.has_alpha() { n - 1 } else { n };
    let stride = image.width() as usize * n;
    let across = part.left as usize * n..(part.left + part.width) as usize * n;
    let mut counts = [[0_u32; 256]; 4];
    bands(part.height as usize, across.len(), cx, |rows| {
        for y in rows.map(|y| part.top as usize + y) {
            let row = &image.pixels()[y * stride..][across.clone()];
            for pixel in row.chunks_exact(n) {
                for (channel, value) in pixel.iter().enumerate() {
                    let is_colour = image.has_alpha() && channel < colours;
                    let value = if is_colour { mul(*value, pixel[colours]) } else { *value };
                    counts[channel][usize::from(value)] += 1;
                }
            }
        }
    })?;
    let total = f64::from(part.width) * f64::from(part.height) * n as f64;
    let shares = counts.as_flattened().iter().filter(|count| **count > 0);
    Ok(-shares.map(|count| f64::from(*count) / total).map(|p| p * p.log2()).sum::<f64>())
}
