use std::array;
use std::collections::BTreeMap;

use mediaflow_core::media::{Facts, Image};
use mediaflow_core::ops::Palette;
use mediaflow_core::{Color, Result, RunContext};
use serde::Serialize;

use crate::pixels::{bands, to_light, widen};
use crate::word::{Compile, Finder, View};

/// How often colours are put together anew, at most: by then hardly one of them moves.
const ROUNDS: usize = 24;

impl Compile for Palette {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        View::facts(&self.copy(), size, *self)
    }
}

#[derive(Serialize)]
struct Found {
    dominant: Option<Color>,
    colors: Vec<Share>,
}

#[derive(Serialize)]
struct Share {
    color: Color,
    share: f64,
}

impl Finder for Palette {
    fn explain(&self) -> String {
        format!("a palette of {}", self.colors)
    }

    fn find(&self, image: Image, cx: &RunContext) -> Result<Facts> {
        let shades = shades(&widen(image, 4, cx)?, cx)?;
        let total: f64 = shades.iter().map(|shade| shade.weight).sum();
        let mut means = seeds(&shades, self.colors as usize);
        let mut nearest = Vec::new();
        for _ in 0..ROUNDS {
            cx.check()?;
            let now: Vec<usize> = shades.iter().map(|shade| nearest_of(&means, shade)).collect();
            if now == nearest {
                break;
            }
            nearest = now;
            for (index, mean) in means.iter_mut().enumerate() {
                *mean = mean_of(&shades, &nearest, index, |shade| shade.lab).unwrap_or(*mean);
            }
        }
        let mut colors: Vec<Share> = (0..means.len())
            .filter_map(|index| {
                let [r, g, b] = mean_of(&shades, &nearest, index, |shade| shade.rgb)?.map(to_byte);
                let of = shades.iter().zip(&nearest).filter(|(_, nearest)| **nearest == index);
                let weight: f64 = of.map(|(shade, _)| shade.weight).sum();
                Some(Share { color: Color::rgb(r, g, b), share: weight / total })
            })
            .collect();
        colors.sort_by(|a, b| b.share.total_cmp(&a.share));
        Facts::new(Found { dominant: colors.first().map(|most| most.color), colors })
    }
}

/// Colours that are nearly the same, with their mean.
struct Shade {
    /// Numbers of sRGB.
    rgb: [f64; 3],
    /// The same in `OKLab`, in which equal distances look alike.
    lab: [f64; 3],
    /// How many pixels have it, each as far as it is seen.
    weight: f64,
}

/// The shades of a picture: 32 of each primary.
fn shades(image: &Image, cx: &RunContext) -> Result<Vec<Shade>> {
    let mut sums = BTreeMap::<[u8; 3], [u64; 4]>::new();
    let row = image.row_bytes();
    bands(image.height() as usize, row, cx, |rows| {
        for pixel in image.pixels()[rows.start * row..rows.end * row].chunks_exact(4) {
            let alpha = u64::from(pixel[3]);
            let sum = sums.entry([0, 1, 2].map(|at| pixel[at] >> 3)).or_default();
            let values = pixel[..3].iter().map(|value| u64::from(*value) * alpha).chain([alpha]);
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
    })?;
    let seen = sums.into_values().filter(|sum| sum[3] > 0);
    let shades = seen.map(|[r, g, b, weight]| {
        let rgb = [r, g, b].map(|sum| sum as f64 / weight as f64);
        Shade { rgb, lab: oklab(rgb), weight: weight as f64 / 255.0 }
    });
    Ok(shades.collect())
}

/// Where to begin: what there is most of, and then, again and again, what there is much of and is far from all before.
fn seeds(shades: &[Shade], count: usize) -> Vec<[f64; 3]> {
    let mut seeds: Vec<[f64; 3]> = Vec::new();
    let mut off: Vec<f64> = vec![1.0; shades.len()];
    while seeds.len() < count {
        let gain = |index: &usize| shades[*index].weight * off[*index];
        let next = (0..shades.len()).max_by(|a, b| gain(a).total_cmp(&gain(b)));
        let Some(next) = next.filter(|next| off[*next] > 0.0) else { break };
        let seed = shades[next].lab;
        let first = seeds.is_empty();
        for (off, shade) in off.iter_mut().zip(shades) {
            let from_seed = distance(shade.lab, seed);
            *off = if first { from_seed } else { off.min(from_seed) };
        }
        seeds.push(seed);
    }
    seeds
}

fn nearest_of(means: &[[f64; 3]], shade: &Shade) -> usize {
    let off = |index: &usize| distance(means[*index], shade.lab);
    (0..means.len()).min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(0)
}

/// The mean of the shades that are nearest to this one.
fn mean_of(
    shades: &[Shade],
    nearest: &[usize],
    index: usize,
    value: impl Fn(&Shade) -> [f64; 3],
) -> Option<[f64; 3]> {
    let (mut sum, mut weight) = ([0.0; 3], 0.0);
    for (shade, _) in shades.iter().zip(nearest).filter(|(_, nearest)| **nearest == index) {
        sum.iter_mut().zip(value(shade)).for_each(|(sum, value)| *sum += value * shade.weight);
        weight += shade.weight;
    }
    (weight > 0.0).then(|| sum.map(|sum| sum / weight))
}

/// The square of it.
fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

fn oklab(rgb: [f64; 3]) -> [f64; 3] {
    let times = |rows: [[f64; 3]; 3], by: [f64; 3]| -> [f64; 3] {
        array::from_fn(|row| rows[row].iter().zip(by).map(|(weight, value)| weight * value).sum())
    };
    const CONES: [[f64; 3]; 3] = [
        [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
        [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
        [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
    ];
    const LAB: [[f64; 3]; 3] = [
        [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
        [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
        [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
    ];
    times(LAB, times(CONES, rgb.map(|value| to_light(value / 255.0))).map(f64::cbrt))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn to_byte(value: f64) -> u8 {
    value.round() as u8
}
