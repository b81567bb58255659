use mediaflow_core::geometry::{Fit, FitBox, Gravity, Rect};
use mediaflow_core::media::Image;
use mediaflow_core::ops::{Kernel, Watermark};
use mediaflow_core::{Result, RunContext};

use crate::pixels::{Bounds, Resample, Upon, overlay, resample, tile};
use crate::word::{Compile, View, Whole, two};

impl Compile for Watermark {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::whole(*self)]
    }
}

impl Whole for Watermark {
    fn explain(&self) -> (&'static str, String) {
        let how = if self.tile { "watermark, tiled" } else { "watermark" };
        ("overlay", how.to_owned())
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let (base, mark) = two(inputs)?;
        lay(self, base, &mark, cx)
    }
}

/// Lays `mark` over `base`.
fn lay(how: &Watermark, base: Image, mark: &Image, cx: &RunContext) -> Result<Image> {
    let mark = scaled(how, mark, (base.width(), base.height()), cx)?;
    let upon = Upon::of(how.opacity, how.blend)?;
    let at = |outer: u32, inner: u32, horizontal| {
        how.gravity.place_inside(outer.into(), inner.into(), how.offset.into(), horizontal)
    };
    let (x, y) = (at(base.width(), mark.width(), true), at(base.height(), mark.height(), false));
    if how.tile {
        return tile(base, &mark, (0, 0), how.offset, upon, cx);
    }
    overlay(base, &mark, (whole(x), whole(y)), upon, cx)
}

fn scaled(
    how: &Watermark,
    mark: &Image,
    (width, height): (u32, u32),
    cx: &RunContext,
) -> Result<Image> {
    let wanted = how.scale.map_or(f64::from(mark.width()), |part| f64::from(width) * part);
    let fit = FitBox {
        width: Some(whole_u32(wanted).clamp(1, width)),
        height: Some(height),
        fit: Fit::Inside,
        gravity: Gravity::Center,
        without_enlargement: how.scale.is_none(),
    };
    let size = fit.place(mark.width(), mark.height()).size;
    let crop =
        Rect { x: 0.0, y: 0.0, width: f64::from(mark.width()), height: f64::from(mark.height()) };
    let kernel = Kernel::Lanczos3;
    let within = Bounds::all((mark.width(), mark.height()));
    resample(mark, &Resample { crop, within, size, kernel, linear: false, crisp: false }, cx)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn whole_u32(value: f64) -> u32 {
    value.round() as u32
}

fn whole(value: f64) -> i64 {
    i64::from(whole_u32(value))
}
