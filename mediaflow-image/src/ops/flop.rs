use mediaflow_core::ops::Flop;

use crate::pixels::Turn;
use crate::word::{Compile, View};

impl Compile for Flop {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::Turn(Turn::LEFT_RIGHT)]
    }
}
