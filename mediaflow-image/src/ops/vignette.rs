use mediaflow_core::media::Image;
use mediaflow_core::ops::Vignette;
use mediaflow_core::{Result, RunContext};

use crate::pixels::{bands, owned, to_byte};
use crate::word::{Compile, View, Whole, one};

impl Compile for Vignette {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        if self.amount == 0.0 { Vec::new() } else { vec![View::whole(*self)] }
    }
}

impl Whole for Vignette {
    fn explain(&self) -> (&'static str, String) {
        ("vignette", format!("by {}", self.amount))
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        let (width, height, channels) = (image.width(), image.height(), image.channels());
        let colours = usize::from(channels) - usize::from(image.has_alpha());
        let metadata = image.metadata().clone();
        let mut pixels = owned(image, cx)?;
        let falloff = falloff(self.amount);
        let (middle_x, middle_y) = (f64::from(width) / 2.0, f64::from(height) / 2.0);
        let corner = middle_x * middle_x + middle_y * middle_y;
        let n = usize::from(channels);
        let row = width as usize * n;
        // The squares of distances across, as parts of that to the corner.
        let across: Vec<f32> = (0..width).map(|x| part(f64::from(x), middle_x, corner)).collect();
        bands(height as usize, 4 * row, cx, |rows| {
            for y in rows {
                #[expect(clippy::cast_precision_loss, reason = "a row of a picture")]
                let down = part(y as f64, middle_y, corner);
                let row = pixels[y * row..(y + 1) * row].chunks_exact_mut(n);
                for (pixel, across) in row.zip(&across) {
                    let factor = at(&falloff, across + down);
                    pixel[..colours]
                        .iter_mut()
                        .for_each(|value| *value = to_byte(f32::from(*value) * factor));
                }
            }
        })?;
        Ok(Image::new(width, height, channels, pixels)?.with_metadata(metadata))
    }
}

/// How finely the law of the lens is known.
const STEPS: u16 = 1024;

/// What is left of the light, by the square of the distance from the middle, as a part of that of the corner.
#[expect(clippy::cast_possible_truncation, reason = "a factor needs no more digits")]
fn falloff(amount: f64) -> Vec<f32> {
    let corner = (1.0 - amount).powf(0.25).acos();
    let left = |step: u16| (corner * (f64::from(step) / f64::from(STEPS)).sqrt()).cos().powi(4);
    (0..=STEPS).map(|step| left(step) as f32).collect()
}

/// Between two steps in proportion.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place in a table"
)]
fn at(falloff: &[f32], square: f32) -> f32 {
    let place = square * f32::from(STEPS);
    let below = (place as usize).min(falloff.len() - 2);
    let share = place - below as f32;
    falloff[below] + (falloff[below + 1] - falloff[below]) * share
}

#[expect(clippy::cast_possible_truncation, reason = "a part of one")]
fn part(at: f64, middle: f64, corner: f64) -> f32 {
    ((at + 0.5 - middle).powi(2) / corner) as f32
}
