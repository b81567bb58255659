use mediaflow_core::media::Image;
use mediaflow_core::ops::{Extend, ExtendMode};
use mediaflow_core::{Result, RunContext};

use crate::pixels::bands;
use crate::word::{Canvas, Compile, View, Whole, one};

impl Compile for Extend {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        if self.size(size) == size {
            return Vec::new();
        }
        if self.mode != ExtendMode::Background {
            return vec![View::whole(*self)];
        }
        let offset = (self.left, self.top);
        vec![View::Canvas(Canvas { size: self.size(size), offset, ground: self.ground() })]
    }
}

/// A border of what the picture has at its edges.
impl Whole for Extend {
    fn explain(&self) -> (&'static str, String) {
        let how = match self.mode {
            ExtendMode::Copy => "the outermost pixels",
            ExtendMode::Repeat => "the picture again",
            _ => "the picture mirrored",
        };
        ("extend", format!("by {how}"))
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        let n = usize::from(image.channels());
        let (width, height) = self.size((image.width(), image.height()));
        let stride = image.width() as usize * n;
        let (left, right) = (self.left as usize, self.right as usize);
        let (across, down) = (image.width() as usize, image.height() as usize);
        let before: Vec<usize> = (0..left).map(|x| shown(self.mode, x, left, across) * n).collect();
        let after: Vec<usize> =
            (0..right).map(|x| shown(self.mode, left + across + x, left, across) * n).collect();
        let mut pixels = Vec::with_capacity(width as usize * height as usize * n);
        bands(height as usize, width as usize * n, cx, |rows| {
            for y in rows {
                let y = shown(self.mode, y, self.top as usize, down);
                let row = &image.pixels()[y * stride..(y + 1) * stride];
                before.iter().for_each(|at| pixels.extend_from_slice(&row[*at..*at + n]));
                pixels.extend_from_slice(row);
                after.iter().for_each(|at| pixels.extend_from_slice(&row[*at..*at + n]));
            }
        })?;
        Ok(Image::new(width, height, image.channels(), pixels)?
            .with_metadata(image.metadata().clone()))
    }
}

/// Which pixel of a side of the picture is shown at a place of the result, in which it begins at `start`.
fn shown(mode: ExtendMode, place: usize, start: usize, side: usize) -> usize {
    // Twice the side is where a mirror begins anew.
    let period = 2 * side;
    let at = (place + period - start % period) % period;
    match mode {
        ExtendMode::Repeat => at % side,
        ExtendMode::Mirror => at.min(period - 1 - at),
        _ => place.saturating_sub(start).min(side - 1),
    }
}
