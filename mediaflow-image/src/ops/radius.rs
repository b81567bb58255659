use mediaflow_core::media::Image;
use mediaflow_core::ops::Radius;
use mediaflow_core::{Result, RunContext};

use crate::pixels::{bands, owned, widen};
use crate::word::{Compile, View, Whole, one};

impl Compile for Radius {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        if self.radius == 0.0 { Vec::new() } else { vec![View::whole(*self)] }
    }
}

impl Whole for Radius {
    fn explain(&self) -> (&'static str, String) {
        ("round corners", format!("by {} pixels", self.radius))
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        let channels = if image.channels() < 3 { 2 } else { 4 };
        let image = widen(image, channels, cx)?;
        let (width, height) = (image.width(), image.height());
        let metadata = image.metadata().clone();
        let mut pixels = owned(image, cx)?;
        let radius = self.radius.min(f64::from(width.min(height)) / 2.0);
        let n = usize::from(channels);
        let row = width as usize * n;
        bands(height as usize, row, cx, |rows| {
            for y in rows {
                let Some(beyond_y) = beyond(y, height, radius) else { continue };
                let row = pixels[y * row..(y + 1) * row].chunks_exact_mut(n);
                for (x, pixel) in row.enumerate() {
                    if let Some(beyond_x) = beyond(x, width, radius) {
                        let distance = beyond_x.hypot(beyond_y);
                        pixel[n - 1] = covered(pixel[n - 1], radius - distance);
                    }
                }
            }
        })?;
        Ok(Image::new(width, height, channels, pixels)?.with_metadata(metadata))
    }
}

/// How far the middle of a pixel lies beyond the middle of the circle at its end of a side, if it does.
#[expect(clippy::cast_precision_loss, reason = "a side of a picture")]
fn beyond(at: usize, side: u32, radius: f64) -> Option<f64> {
    let middle = at as f64 + 0.5;
    let distance = (radius - middle).max(middle - (f64::from(side) - radius));
    (distance > 0.0).then_some(distance)
}

/// An alpha, by how far inside of an edge its pixel lies: half of one that lies upon it is covered.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn covered(alpha: u8, inside: f64) -> u8 {
    (f64::from(alpha) * (inside + 0.5).clamp(0.0, 1.0)).round() as u8
}
