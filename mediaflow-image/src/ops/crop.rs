use mediaflow_core::ops::Crop;

use crate::found::Found;
use crate::word::{Compile, View};

impl Compile for Crop {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        // Describing has refused what leaves the picture.
        let Ok((at, kept)) = self.place(size) else { return Vec::new() };
        match self.gravity.filter(|gravity| gravity.is_found()) {
            Some(gravity) => Found::view(gravity, size, kept).into_iter().collect(),
            None => vec![View::Part { left: at.0, top: at.1, size: kept }],
        }
    }
}
