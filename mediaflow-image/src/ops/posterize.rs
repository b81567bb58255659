use mediaflow_core::ops::Posterize;

use crate::pixels::Tone;
use crate::word::{Compile, View};

impl Compile for Posterize {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        let steps = f64::from(self.levels - 1);
        let nearest = |value: f64| (value / 255.0 * steps).round() * 255.0 / steps;
        vec![View::Tone(Tone::curve("posterize", false, nearest))]
    }
}
