use mediaflow_core::media::Image;
use mediaflow_core::ops::WhiteBalance;
use mediaflow_core::{Result, RunContext};

use crate::pixels::{Curves, Tone, Tones, bands, from_light, to_light};
use crate::word::{Compile, View, Whole, one};

/// What red, green and blue have of the brightness (Rec. 709).
const LUMA: [f64; 3] = [0.2126, 0.7152, 0.0722];

impl Compile for WhiteBalance {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::whole(*self)]
    }
}

impl Whole for WhiteBalance {
    fn explain(&self) -> (&'static str, String) {
        ("white balance", "to a grey mean".to_owned())
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        if image.channels() < 3 {
            return Ok(image);
        }
        let means = means(&image, cx)?;
        if means.iter().any(|mean| *mean <= 0.0) {
            return Ok(image);
        }
        let grey: f64 = LUMA.iter().zip(means).map(|(weight, mean)| weight * mean).sum();
        let curves = Curves(means.map(|mean| curve(grey / mean)));
        Tones::default().then(Tone::recolour("white balance", curves)).apply(image, cx)
    }
}

/// How much red, green and blue there is in linear light: pixels count by their alpha.
#[expect(clippy::cast_precision_loss, reason = "a share of a picture")]
fn means(image: &Image, cx: &RunContext) -> Result<[f64; 3]> {
    let mut counts = Box::new([[0_u64; 256]; 3]);
    let channels = usize::from(image.channels());
    let row = image.width() as usize * channels;
    bands(image.height() as usize, 2 * row, cx, |rows| {
        for pixel in image.pixels()[rows.start * row..rows.end * row].chunks_exact(channels) {
            let alpha = pixel.get(3).map_or(255, |alpha| u64::from(*alpha));
            for (counts, value) in counts.iter_mut().zip(pixel) {
                counts[usize::from(*value)] += alpha;
            }
        }
    })?;
    let light: Vec<f64> = (0..=u8::MAX).map(|value| to_light(f64::from(value) / 255.0)).collect();
    let sum =
        |counts: [u64; 256]| counts.iter().zip(&light).map(|(n, light)| *n as f64 * light).sum();
    let all = counts[0].iter().sum::<u64>().max(1) as f64;
    Ok(counts.map(|counts| {
        let sum: f64 = sum(counts);
        sum / all
    }))
}

/// What becomes of each value when its light is so many times as much.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn curve(gain: f64) -> [u8; 256] {
    let mut table = [0; 256];
    for (to, value) in table.iter_mut().zip(0..=u8::MAX) {
        *to = (from_light(to_light(f64::from(value) / 255.0) * gain) * 255.0).round() as u8;
    }
    table
}
