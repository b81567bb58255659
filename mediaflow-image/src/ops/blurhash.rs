use std::array;
use std::f64::consts::PI;

use mediaflow_core::media::{Facts, Image};
use mediaflow_core::ops::Blurhash;
use mediaflow_core::{Color, Result, RunContext};

use crate::pixels::{flatten, from_light, to_light, widen};
use crate::word::{Compile, Finder, View};

impl Compile for Blurhash {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        View::facts(&self.copy(), size, *self)
    }
}

impl Finder for Blurhash {
    fn explain(&self) -> String {
        format!("a blurhash of {} x {} waves", self.x, self.y)
    }

    fn find(&self, image: Image, cx: &RunContext) -> Result<Facts> {
        let image = widen(flatten(image, Color::WHITE, cx)?, 3, cx)?;
        cx.check()?;
        Facts::new(text(&image, (self.x, self.y)))
    }
}

/// The string, in the order of its inventor's code: sums come out the same to the last bit.
fn text(image: &Image, (across, down): (u8, u8)) -> String {
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let light: Vec<[f64; 3]> = image
        .pixels()
        .chunks_exact(3)
        .map(|pixel| array::from_fn(|channel| to_light(f64::from(pixel[channel]) / 255.0)))
        .collect();
    let wave = |number: u8, side: u32| -> Vec<f64> {
        let of = f64::from(side);
        (0..side).map(|at| (PI * f64::from(number) * f64::from(at) / of).cos()).collect()
    };
    let mut waves = Vec::new();
    for j in 0..down {
        let column = wave(j, image.height());
        for i in 0..across {
            let row = wave(i, image.width());
            let norm = if (i, j) == (0, 0) { 1.0 } else { 2.0 };
            let mut sum = [0.0; 3];
            for (line, y) in light.chunks_exact(row.len()).zip(&column) {
                for (pixel, x) in line.iter().zip(&row) {
                    let weight = norm * x * y;
                    sum.iter_mut().zip(pixel).for_each(|(sum, light)| *sum += weight * light);
                }
            }
            waves.push(sum.map(|sum| sum / (width * height)));
        }
    }
    let (mean, waves) = waves.split_first().map_or(([0.0; 3], &[][..]), |(mean, w)| (*mean, w));
    let strongest = waves.as_flattened().iter().fold(0.0_f64, |most, wave| most.max(wave.abs()));
    let steps = whole(strongest * 166.0 - 0.5, 82.0);
    let strength = f64::from(steps + 1) / 166.0;
    let mut text = String::new();
    digits(&mut text, u32::from(across - 1) + u32::from(down - 1) * 9, 1);
    digits(&mut text, steps, 1);
    digits(&mut text, mean.map(to_srgb).iter().fold(0, |all, byte| all << 8 | byte), 4);
    for wave in waves {
        let level = |value: &f64| {
            let root = (value / strength).abs().sqrt().copysign(*value);
            whole(root * 9.0 + 9.5, 18.0)
        };
        digits(&mut text, wave.iter().fold(0, |all, value| all * 19 + level(value)), 2);
    }
    text
}

/// From light to a number of sRGB.
fn to_srgb(light: f64) -> u32 {
    whole(from_light(light.clamp(0.0, 1.0)) * 255.0 + 0.5, 255.0)
}

/// Rounded down, and kept between 0 and `most`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "kept within few numbers before"
)]
fn whole(value: f64, most: f64) -> u32 {
    value.floor().clamp(0.0, most) as u32
}

/// So many digits of a number to the base 83.
fn digits(text: &mut String, number: u32, count: u32) {
    const DIGITS: &[u8; 83] =
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";
    for place in (0..count).rev() {
        let digit = number / 83_u32.pow(place) % 83;
        text.push(char::from(DIGITS[digit as usize]));
    }
}
