use mediaflow_core::ops::Gamma;

use crate::pixels::Tone;
use crate::word::{Compile, View};

impl Compile for Gamma {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        let power = 1.0 / self.amount;
        let curve = |value: f64| (value / 255.0).powf(power) * 255.0;
        vec![View::Tone(Tone::curve("gamma", false, curve))]
    }
}
