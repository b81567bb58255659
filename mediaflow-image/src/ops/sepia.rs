use mediaflow_core::ops::Sepia;

use crate::pixels::Tone;
use crate::word::{Compile, View};

/// Red, green and blue of a picture that is all brown, out of its colours.
const BROWN: [[f64; 3]; 3] = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]];

impl Compile for Sepia {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        let amount = self.amount;
        let mut matrix = BROWN.map(|row| row.map(|weight| weight * amount));
        for (own, row) in matrix.iter_mut().enumerate() {
            row[own] += 1.0 - amount;
        }
        vec![View::Tone(Tone::mix("sepia", false, matrix))]
    }
}
