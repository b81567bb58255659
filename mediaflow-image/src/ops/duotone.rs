use mediaflow_core::Color;
use mediaflow_core::ops::Duotone;

use crate::pixels::Tone;
use crate::word::{Compile, View};

impl Compile for Duotone {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        let ends = [self.shadows, self.highlights].map(Color::channels);
        let mixed = |luma: f64| {
            [0, 1, 2].map(|channel| {
                let [from, to] = ends.map(|colour| f64::from(colour[channel]));
                from + (to - from) * luma / 255.0
            })
        };
        // The luma of a mean is the mean of lumas, and so is what lies between two colours.
        vec![View::Tone(Tone::gradient("duotone", true, mixed))]
    }
}
