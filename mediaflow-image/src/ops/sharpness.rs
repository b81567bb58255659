use mediaflow_core::media::{Facts, Image};
use mediaflow_core::ops::Sharpness;
use mediaflow_core::{Color, Result, RunContext};

use crate::pixels::{bands, flatten, grey};
use crate::word::{Compile, Finder, View};

impl Compile for Sharpness {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        View::facts(&self.copy(), size, *self)
    }
}

impl Finder for Sharpness {
    fn explain(&self) -> String {
        "the variance of the Laplacian".to_owned()
    }

    fn find(&self, image: Image, cx: &RunContext) -> Result<Facts> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let grey = grey(&flatten(image, Color::WHITE, cx)?, cx)?;
        let (mut sum, mut squares) = (0_i64, 0_i64);
        bands(height, width, cx, |rows| {
            for y in rows {
                let row = |y: usize| &grey[y * width..(y + 1) * width];
                let (above, here, below) = (row(before(y, height)), row(y), row(after(y, height)));
                for x in 0..width {
                    let sides = [above[x], below[x], here[before(x, width)], here[after(x, width)]];
                    let sides: i64 = sides.into_iter().map(i64::from).sum();
                    let edge = sides - 4 * i64::from(here[x]);
                    sum += edge;
                    squares += edge * edge;
                }
            }
        })?;
        let count = (width * height) as f64;
        let mean = sum as f64 / count;
        Facts::new(squares as f64 / count - mean * mean)
    }
}

/// The place before this one; before the first is the second, as in a mirror.
fn before(at: usize, side: usize) -> usize {
    at.abs_diff(1).min(side - 1)
}

/// The place behind this one; behind the last is the one before it.
fn after(at: usize, side: usize) -> usize {
    if at + 1 < side { at + 1 } else { before(at, side) }
}
