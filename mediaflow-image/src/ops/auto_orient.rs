use mediaflow_core::ops::AutoOrient;

use crate::word::{Compile, View};

/// Nothing is left to do: every picture is upright on its way.
impl Compile for AutoOrient {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        Vec::new()
    }
}
