use mediaflow_core::geometry::Rect;
use mediaflow_core::media::Medium;
use mediaflow_core::ops::Resize;

use crate::found::Found;
use crate::word::{Canvas, Compile, View};

impl Compile for Resize {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        let placed = self.place(size);
        let (kernel, linear) = (self.kernel, self.linear);
        if self.gravity.is_found() {
            let uncut = self.uncut(size);
            let (width, height) = (f64::from(size.0), f64::from(size.1));
            let crop = Rect { x: 0.0, y: 0.0, width, height };
            let scaled = View::Scale { crop, size: uncut, kernel, linear };
            return [scaled]
                .into_iter()
                .chain(Found::view(self.gravity, uncut, placed.size))
                .collect();
        }
        let mut views = vec![View::Scale { crop: placed.crop, size: placed.size, kernel, linear }];
        if placed.canvas != placed.size {
            let ground = self.ground(Medium::Still);
            views.push(View::Canvas(Canvas { size: placed.canvas, offset: placed.offset, ground }));
        }
        views
    }
}
