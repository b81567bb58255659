use mediaflow_core::ops::Flip;

use crate::pixels::Turn;
use crate::word::{Compile, View};

impl Compile for Flip {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::Turn(Turn::TOP_DOWN)]
    }
}
