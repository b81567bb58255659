use mediaflow_core::ops::Saturation;

use crate::pixels::Tone;
use crate::word::{Compile, View};

/// What red, green and blue have of the brightness.
const LUMA: [f64; 3] = [0.213, 0.715, 0.072];

impl Compile for Saturation {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        let amount = self.amount;
        let row = |own: usize| {
            let mut row = LUMA.map(|weight| weight * (1.0 - amount));
            row[own] += amount;
            row
        };
        let matrix = [row(0), row(1), row(2)];
        vec![View::Tone(Tone::mix("saturation", amount <= 1.0, matrix))]
    }
}
