use std::array;
use std::f64::consts::PI;

use mediaflow_core::media::{Facts, Image};
use mediaflow_core::ops::{HashAlgorithm, PerceptualHash};
use mediaflow_core::{Color, Result, RunContext};

use crate::pixels::{flatten, grey};
use crate::word::{Compile, Finder, View};

/// The side of the picture whose waves are looked at.
const SIDE: usize = 32;

/// How many waves are looked at, across and down.
const WAVES: usize = 8;

/// What is no more than rounding: waves of whole numbers are far apart, or the same.
const HAIR: f64 = 1e-6;

impl Compile for PerceptualHash {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        View::facts(&self.copy(), size, *self)
    }
}

impl Finder for PerceptualHash {
    fn explain(&self) -> String {
        let algorithm = match self.algorithm {
            HashAlgorithm::Dhash => "dhash",
            _ => "phash",
        };
        format!("a perceptual hash, by {algorithm}")
    }

    fn find(&self, image: Image, cx: &RunContext) -> Result<Facts> {
        let grey = grey(&flatten(image, Color::WHITE, cx)?, cx)?;
        let bits = match self.algorithm {
            HashAlgorithm::Dhash => differences(&grey),
            _ => waves(&grey),
        };
        Facts::new(format!("{bits:016x}"))
    }
}

/// The first bit is the highest.
fn packed(bits: impl Iterator<Item = bool>) -> u64 {
    bits.fold(0, |all, bit| all << 1 | u64::from(bit))
}

fn differences(grey: &[u8]) -> u64 {
    let pairs = grey.chunks_exact(WAVES + 1).flat_map(|row| row.windows(2));
    packed(pairs.map(|pair| pair[1] > pair[0]))
}

fn waves(grey: &[u8]) -> u64 {
    let wave = |number: usize, at: usize| {
        2.0 * (PI * number as f64 * (2 * at + 1) as f64 / (2 * SIDE) as f64).cos()
    };
    let table: [[f64; SIDE]; WAVES] =
        array::from_fn(|number| array::from_fn(|at| wave(number, at)));
    // Down first, then across.
    let down: [[f64; SIDE]; WAVES] = array::from_fn(|number| {
        array::from_fn(|x| {
            let column = grey.iter().skip(x).step_by(SIDE);
            column.zip(&table[number]).map(|(value, wave)| f64::from(*value) * wave).sum()
        })
    });
    let both: [[f64; WAVES]; WAVES] = array::from_fn(|y| {
        array::from_fn(|x| down[y].iter().zip(&table[x]).map(|(value, wave)| value * wave).sum())
    });
    let all = both.as_flattened();
    let mut sorted = all.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = f64::midpoint(sorted[all.len() / 2 - 1], sorted[all.len() / 2]);
    packed(all.iter().map(|wave| *wave > median + HAIR))
}
