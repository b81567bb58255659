use mediaflow_core::media::Image;
use mediaflow_core::{Result, RunContext};

use super::{to_byte, try_bands};

/// A Gaussian blur, cut off at three standard deviations, whose rows are given out from the top: samples from 0 to 255,
/// alpha not premultiplied. Beyond the edges the outermost pixels are repeated.
///
/// Both passes are exact sums, in which the work on a row is the same for all of its samples.
pub(crate) fn gaussian(
    image: &Image,
    sigma: f64,
    cx: &RunContext,
    mut give: impl FnMut(usize, &mut [f32]),
) -> Result<()> {
    let weights = weights(sigma);
    let radius = weights.len() - 1;
    let (height, channels) = (image.height() as usize, usize::from(image.channels()));
    let len = image.width() as usize * channels;
    let mut across = vec![vec![0.0; len]; height.min(2 * radius + 1)];
    let mut padded = Vec::new();
    let mut next = 0;
    let mut sum = vec![0.0; len];
    // Each sample takes a sum over all weights in both passes.
    let cost = 16 * len * weights.len();
    try_bands(height, cost, cx, |rows| {
        for y in rows {
            // Many before the first one.
            while next < height && next <= y + radius {
                cx.check()?;
                let row = &image.pixels()[next * len..(next + 1) * len];
                premultiplied(row, channels, image.has_alpha(), radius, &mut padded);
                let slot = next % across.len();
                convolve_row(&padded, channels, &weights, &mut across[slot]);
                next += 1;
            }
            let row = |y: usize| &across[y.min(height - 1) % across.len()];
            scale(&mut sum, row(y), weights[0]);
            for (away, weight) in weights.iter().enumerate().skip(1) {
                add(&mut sum, row(y.saturating_sub(away)), row(y + away), *weight);
            }
            if image.has_alpha() {
                divided(&mut sum, channels);
            }
            give(y, &mut sum);
        }
        Ok(())
    })
}

/// The picture blurred so.
pub(crate) fn blurred(image: &Image, sigma: f64, cx: &RunContext) -> Result<Image> {
    let mut pixels = Vec::with_capacity(image.pixels().len());
    gaussian(image, sigma, cx, |_, row| {
        pixels.extend(row.iter().map(|value| to_byte(*value)));
    })?;
    Ok(Image::new(image.width(), image.height(), image.channels(), pixels)?
        .with_metadata(image.metadata().clone()))
}

/// Bytes that a blur holds, for so many samples in a row.
pub(crate) fn memory(sigma: f64, samples: u64) -> u64 {
    2 * weights(sigma).len() as u64 * samples * 4
}

/// The weight of the middle, and of what is so far away from it on either side. All together are 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a few hundred at most, and weights need no more digits"
)]
fn weights(sigma: f64) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil().max(1.0) as usize;
    let of = |away: usize| (-0.5 * (away as f64 / sigma).powi(2)).exp();
    let total = of(0) + 2.0 * (1..=radius).map(of).sum::<f64>();
    (0..=radius).map(|away| (of(away) / total) as f32).collect()
}

/// A row with its ends repeated so often, colours times alpha.
fn premultiplied(row: &[u8], channels: usize, alpha: bool, radius: usize, to: &mut Vec<f32>) {
    to.clear();
    let pixels = || row.chunks_exact(channels);
    let (first, last) = (pixels().take(1), pixels().skip(row.len() / channels - 1));
    let ends = |end: &[u8]| end.repeat(radius);
    let (before, after): (Vec<u8>, Vec<u8>) =
        (first.flat_map(ends).collect(), last.flat_map(ends).collect());
    for pixel in [&before[..], row, &after[..]].iter().flat_map(|part| part.chunks_exact(channels))
    {
        if alpha {
            let opacity = f32::from(pixel[channels - 1]);
            to.extend(pixel[..channels - 1].iter().map(|v| f32::from(*v) * opacity / 255.0));
            to.push(opacity);
        } else {
            to.extend(pixel.iter().map(|value| f32::from(*value)));
        }
    }
}

fn convolve_row(padded: &[f32], channels: usize, weights: &[f32], to: &mut [f32]) {
    let (radius, len) = (weights.len() - 1, to.len());
    let from = |shift: usize| &padded[shift * channels..shift * channels + len];
    scale(to, from(radius), weights[0]);
    for (away, weight) in weights.iter().enumerate().skip(1) {
        add(to, from(radius - away), from(radius + away), *weight);
    }
}

fn scale(to: &mut [f32], from: &[f32], weight: f32) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = from * weight);
}

fn add(to: &mut [f32], one: &[f32], other: &[f32], weight: f32) {
    for ((to, one), other) in to.iter_mut().zip(one).zip(other) {
        *to += (one + other) * weight;
    }
}

/// Colours divided by alpha again.
fn divided(samples: &mut [f32], channels: usize) {
    for pixel in samples.chunks_exact_mut(channels) {
        let (colours, alpha) = pixel.split_at_mut(channels - 1);
        let opacity = alpha[0] / 255.0;
        if opacity > 0.0 {
            colours.iter_mut().for_each(|value| *value /= opacity);
        }
    }
}
