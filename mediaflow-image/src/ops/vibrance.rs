use std::any::Any;

use mediaflow_core::ops::Vibrance;

use crate::pixels::{Recolour, Tone, to_byte};
use crate::word::{Compile, View};

impl Compile for Vibrance {
    #[expect(clippy::cast_possible_truncation, reason = "a factor needs no more digits")]
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        if self.amount == 0.0 {
            return Vec::new();
        }
        vec![View::Tone(Tone::recolour("vibrance", Weakest { amount: self.amount as f32 }))]
    }
}

/// Moves colours away from their luma, weak ones the most; or towards it, strong ones the most.
#[derive(Debug, PartialEq)]
struct Weakest {
    amount: f32,
}

impl Recolour for Weakest {
    fn recolour(&self, rgb: [u8; 3]) -> [u8; 3] {
        let [r, g, b] = rgb;
        let strength = f32::from(r.max(g).max(b) - r.min(g).min(b)) / 255.0;
        let [r, g, b] = rgb.map(f32::from);
        let luma = 0.212_656 * r + 0.715_158 * g + 0.072_186 * b;
        let away = 1.0 + self.amount * (1.0 - self.amount.signum() * strength);
        [r, g, b].map(|value| to_byte(luma + (value - luma) * away))
    }

    fn same(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }
}
