use mediaflow_core::media::{Facts, Image};
use mediaflow_core::ops::FocalPoint;
use mediaflow_core::{Result, RunContext};
use serde::Serialize;

use crate::pixels::attention;
use crate::word::{Compile, Finder, View};

impl Compile for FocalPoint {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        View::facts(&self.copy(), size, Attention { of: size })
    }
}

/// Where there is most to see in a picture that had this size.
#[derive(Debug, PartialEq)]
struct Attention {
    of: (u32, u32),
}

/// In parts of the sides.
#[derive(Serialize)]
struct Point {
    x: f64,
    y: f64,
}

impl Finder for Attention {
    fn explain(&self) -> String {
        "where there is most attention".to_owned()
    }

    fn find(&self, image: Image, cx: &RunContext) -> Result<Facts> {
        let side = self.of.0.min(self.of.1);
        let (x, y) = attention(image, (side, side), self.of, cx)?;
        let [x, y] = [x, y].map(|cell| f64::from(cell) / 32.0);
        Facts::new(Point { x, y })
    }
}
