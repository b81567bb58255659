use mediaflow_core::ops::Extend;

use crate::word::{Canvas, Compile, View};

impl Compile for Extend {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        if self.size(size) == size {
            return Vec::new();
        }
        let offset = (self.left, self.top);
        vec![View::Canvas(Canvas { size: self.size(size), offset, ground: self.ground() })]
    }
}
