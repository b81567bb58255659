use mediaflow_core::ops::Crop;

use crate::word::{Compile, View};

impl Compile for Crop {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        let size = (self.width, self.height);
        vec![View::Part { left: self.left, top: self.top, size }]
    }
}
