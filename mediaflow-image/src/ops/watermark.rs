use mediaflow_core::geometry::{Fit, FitBox, Gravity, Rect};
use mediaflow_core::media::Image;
use mediaflow_core::ops::{Blend, Kernel, Watermark};
use mediaflow_core::{Error, Result, RunContext, codes};

use crate::pixels::{Bounds, Mix, Resample, Upon, overlay, resample, tile};
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
    let upon = Upon { opacity: to_byte(how.opacity), mix: mix(how.blend)? };
    let at = |outer: u32, inner: u32, horizontal| {
        let room = f64::from(outer) - 2.0 * f64::from(how.offset);
        let start = f64::from(how.offset) + how.gravity.place(room, f64::from(inner), horizontal);
        // What is too large for the margins is still not pushed out of the picture.
        start.min(f64::from(outer) - f64::from(inner)).max(0.0)
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

/// The formulas of <https://www.w3.org/TR/compositing-1/#blendingseparable>, the lower colour first.
fn mix(blend: Blend) -> Result<Option<Mix>> {
    let mix: Mix = match blend {
        Blend::Normal => return Ok(None),
        Blend::Multiply => |lower, upper| lower * upper,
        Blend::Screen => screen,
        Blend::Overlay => |lower, upper| hard_light(upper, lower),
        Blend::Darken => f32::min,
        Blend::Lighten => f32::max,
        Blend::ColorDodge => |lower, upper| match lower {
            _ if lower <= 0.0 => 0.0,
            _ if upper >= 1.0 => 1.0,
            _ => (lower / (1.0 - upper)).min(1.0),
        },
        Blend::ColorBurn => |lower, upper| match lower {
            _ if lower >= 1.0 => 1.0,
            _ if upper <= 0.0 => 0.0,
            _ => 1.0 - ((1.0 - lower) / upper).min(1.0),
        },
        Blend::HardLight => hard_light,
        Blend::SoftLight => soft_light,
        Blend::Difference => |lower, upper| (lower - upper).abs(),
        Blend::Exclusion => |lower, upper| lower + upper - 2.0 * lower * upper,
        _ => {
            return Err(Error::internal(
                codes::PLAN_UNCLAIMED,
                "there is no formula for this mode",
            )
            .with("blend", format_args!("{blend:?}")));
        }
    };
    Ok(Some(mix))
}

fn screen(lower: f32, upper: f32) -> f32 {
    lower + upper - lower * upper
}

fn hard_light(lower: f32, upper: f32) -> f32 {
    if upper <= 0.5 { lower * 2.0 * upper } else { screen(lower, 2.0 * upper - 1.0) }
}

fn soft_light(lower: f32, upper: f32) -> f32 {
    if upper <= 0.5 {
        return lower - (1.0 - 2.0 * upper) * lower * (1.0 - lower);
    }
    let lifted =
        if lower <= 0.25 { ((16.0 * lower - 12.0) * lower + 4.0) * lower } else { lower.sqrt() };
    lower + (2.0 * upper - 1.0) * (lifted - lower)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn to_byte(part: f64) -> u8 {
    (part * 255.0).round() as u8
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
