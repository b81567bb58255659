use mediaflow_core::ops::Negate;

use crate::pixels::Tone;
use crate::word::{Compile, View};

impl Compile for Negate {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        // A mean of opposites is the opposite of the mean.
        vec![View::Tone(Tone::curve("negate", true, |value| 255.0 - value))]
    }
}
