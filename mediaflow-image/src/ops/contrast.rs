use mediaflow_core::ops::Contrast;

use crate::pixels::Tone;
use crate::word::{Compile, View};

impl Compile for Contrast {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        let amount = self.amount;
        let away = |value: f64| (value - 127.5) * amount + 127.5;
        vec![View::Tone(Tone::curve("contrast", amount <= 1.0, away))]
    }
}
