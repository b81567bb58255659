use mediaflow_core::geometry::{Fit, FitBox, Gravity, Rect};
use mediaflow_core::media::Image;
use mediaflow_core::ops::{Extend, ExtendMode, Kernel};
use mediaflow_core::{Result, RunContext};

use crate::pixels::{Bounds, Resample, bands, blurred, resample};
use crate::word::{Canvas, Compile, Extent, View, Whole, one};

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
            ExtendMode::Blur => "the picture blurred",
            _ => "the picture mirrored",
        };
        ("extend", format!("by {how}"))
    }

    /// Rows that the resampler makes narrower, or wider, first.
    fn memory(&self, _input: Extent, output: Extent) -> u64 {
        let soft = output.width * output.height * output.channels;
        if self.mode == ExtendMode::Blur { soft } else { 0 }
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        if self.mode == ExtendMode::Blur {
            return on_itself(self, &image, cx);
        }
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

/// The picture on a blurred one that covers all.
fn on_itself(how: &Extend, image: &Image, cx: &RunContext) -> Result<Image> {
    let size = how.size((image.width(), image.height()));
    let ground = soft(image, size, cx)?;
    let (from, to) = (usize::from(image.channels()), usize::from(ground.channels()));
    let (across, row) = (image.width() as usize, size.0 as usize * from);
    let mut pixels = ground.into_pixels();
    // Grey with alpha comes back in colours, which are all alike.
    if from == 2 && to == 4 {
        for index in 0..pixels.len() / 4 {
            pixels.copy_within(index * 4 + 2..index * 4 + 4, index * 2);
        }
        pixels.truncate(pixels.len() / 2);
    }
    bands(image.height() as usize, across * from, cx, |rows| {
        for y in rows {
            let start = (how.top as usize + y) * row + how.left as usize * from;
            let line = &image.pixels()[y * across * from..(y + 1) * across * from];
            pixels[start..start + line.len()].copy_from_slice(line);
        }
    })?;
    Ok(Image::new(size.0, size.1, image.channels(), pixels)?
        .with_metadata(image.metadata().clone()))
}

/// The picture so large that it fills this size, and blurred: while it is small, as far as that is not to be seen.
fn soft(image: &Image, size: (u32, u32), cx: &RunContext) -> Result<Image> {
    let sigma = f64::from(size.0.max(size.1)) / 50.0;
    let smaller = (sigma / 4.0).clamp(1.0, 16.0);
    let small = (part(size.0, smaller), part(size.1, smaller));
    let cover = FitBox {
        width: Some(size.0),
        height: Some(size.1),
        fit: Fit::Cover,
        gravity: Gravity::Center,
        without_enlargement: false,
    };
    let crop = cover.place(image.width(), image.height()).crop;
    let within = Bounds::all((image.width(), image.height()));
    let (kernel, linear, crisp) = (Kernel::Mitchell, false, false);
    let how = Resample { crop, within, size: small, kernel, linear, crisp };
    let made = blurred(&resample(image, &how, cx)?, (sigma / smaller).max(0.5), cx)?;
    let (width, height) = (made.width(), made.height());
    let crop = Rect { x: 0.0, y: 0.0, width: width.into(), height: height.into() };
    let within = Bounds::all((width, height));
    resample(&made, &Resample { crop, within, size, ..how }, cx)
}

/// A side that is so many times smaller; at least one pixel.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "less than the side was"
)]
fn part(side: u32, smaller: f64) -> u32 {
    ((f64::from(side) / smaller).round() as u32).max(1)
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
