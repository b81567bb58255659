use mediaflow_core::media::Medium;
use mediaflow_core::ops::Resize;

use crate::word::{Canvas, Compile, View};

impl Compile for Resize {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        let placed = self.place(size);
        let mut views = vec![View::Scale {
            crop: placed.crop,
            size: placed.size,
            kernel: self.kernel,
            linear: self.linear,
        }];
        if placed.canvas != placed.size {
            let ground = self.ground(Medium::Still);
            views.push(View::Canvas(Canvas { size: placed.canvas, offset: placed.offset, ground }));
        }
        views
    }
}
