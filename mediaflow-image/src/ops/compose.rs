use mediaflow_core::geometry::Gravity;
use mediaflow_core::media::Image;
use mediaflow_core::ops::Compose;
use mediaflow_core::{Result, RunContext};

use crate::pixels::{Upon, overlay};
use crate::word::{Compile, View, Whole, first};

impl Compile for Compose {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::whole(self.clone())]
    }
}

impl Whole for Compose {
    fn explain(&self) -> (&'static str, String) {
        match self.layers.len() {
            1 => ("compose", "one layer".to_owned()),
            layers => ("compose", format!("{layers} layers")),
        }
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let (mut below, rest) = first(inputs)?;
        for (layer, above) in self.layers.iter().zip(rest) {
            let upon = Upon::of(layer.opacity, layer.blend)?;
            let place = |outer: u32, inner: u32, horizontal, by: i32| {
                start(layer.gravity, outer, inner, horizontal) + i64::from(by)
            };
            let left = place(below.width(), above.width(), true, layer.x);
            let top = place(below.height(), above.height(), false, layer.y);
            below = overlay(below, &above, (left, top), upon, cx)?;
        }
        Ok(below)
    }
}

/// Where something begins on a side that may be shorter than it: then as much of it stands out on both ends as gravity says.
#[expect(clippy::cast_possible_truncation, reason = "a place in a picture")]
fn start(gravity: Gravity, outer: u32, inner: u32, horizontal: bool) -> i64 {
    let (outer, inner) = (f64::from(outer), f64::from(inner));
    let (x, y) = gravity.fraction();
    let place = if inner <= outer {
        gravity.place(outer, inner, horizontal)
    } else {
        (outer - inner) * if horizontal { x } else { y }
    };
    place.round() as i64
}
