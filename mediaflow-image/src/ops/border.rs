use mediaflow_core::ops::Border;

use crate::word::{Canvas, Compile, View};

impl Compile for Border {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        if self.width == 0 {
            return Vec::new();
        }
        let offset = (self.width, self.width);
        vec![View::Canvas(Canvas { size: self.size(size), offset, ground: self.color })]
    }
}
