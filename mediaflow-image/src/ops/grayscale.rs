use mediaflow_core::ops::Grayscale;

use crate::pixels::Tone;
use crate::word::{Compile, View};

impl Compile for Grayscale {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::Tone(Tone::luma("grayscale"))]
    }
}
