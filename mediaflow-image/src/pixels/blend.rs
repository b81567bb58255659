use mediaflow_core::ops::Blend;
use mediaflow_core::{Error, Result, codes};

use super::to_byte;

/// What two colours from 0 to 1 become, the lower one first.
pub(crate) type Mix = fn(f32, f32) -> f32;

/// How a picture lies upon another.
#[derive(Clone, Copy)]
pub(crate) struct Upon {
    /// From 0 to 255.
    pub(super) opacity: u8,
    /// What its colours become with those below. Without it they hide them.
    pub(super) mix: Option<Mix>,
}

impl Upon {
    /// As it is.
    pub(crate) const PLAIN: Self = Self { opacity: 255, mix: None };

    /// This opaque, from 0 to 1, and with its colours mixed so with those below.
    ///
    /// # Errors
    /// A mode that there is no formula for.
    #[expect(clippy::cast_possible_truncation, reason = "a part of 255 needs no more digits")]
    pub(crate) fn of(opacity: f64, blend: Blend) -> Result<Self> {
        Ok(Self { opacity: to_byte((opacity * 255.0) as f32), mix: mix(blend)? })
    }
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
