use mediaflow_core::ops::Threshold;

use crate::pixels::Tone;
use crate::word::{Compile, View};

impl Compile for Threshold {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        let value = f64::from(self.value);
        let white = |luma: f64| if luma >= value { 255.0 } else { 0.0 };
        vec![
            View::Tone(Tone::luma("grayscale")),
            View::Tone(Tone::curve("threshold", false, white)),
        ]
    }
}
