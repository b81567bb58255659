use mediaflow_core::ops::Brightness;

use crate::pixels::Tone;
use crate::word::{Compile, View};

impl Compile for Brightness {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        let amount = self.amount;
        vec![View::Tone(Tone::curve("brightness", amount <= 1.0, |value| value * amount))]
    }
}
