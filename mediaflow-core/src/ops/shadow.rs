use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::Result;
use crate::color::Color;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `shadow`: what the picture would throw on a wall behind it, as CSS `drop-shadow()` has it. The result is as much larger as the
/// shadow needs, and it is transparent where nothing is.
///
/// The alpha of the picture is moved, blurred as [`Blur`](super::Blur) does it, and given a colour; the picture lies on top.
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::ops::Shadow;
///
/// let soft: Shadow = serde_json::from_str(r#"{"x": 4, "y": 6, "sigma": 8}"#).unwrap();
/// assert_eq!(soft, Shadow::new(4, 6, 8.0));
/// // 24 pixels on each side, moved by 4 and 6.
/// assert_eq!(soft.size((600, 400)), (648, 448));
/// assert_eq!(soft.place(), (20, 18));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Shadow {
    /// How far it is moved to the right, in pixels, from -10,000 to 10,000. Default 0.
    #[serde(default)]
    pub x: i32,
    /// How far it is moved down.
    #[serde(default)]
    pub y: i32,
    /// The standard deviation of its blur in pixels, from 0.1 to 100.
    pub sigma: f64,
    /// The colour. Default black, half transparent.
    #[serde(default = "half_black")]
    pub color: Color,
}

impl Shadow {
    /// Moved to the right and down by so many pixels, with this standard deviation of its blur.
    #[must_use]
    pub fn new(x: i32, y: i32, sigma: f64) -> Self {
        Self { x, y, sigma, color: half_black() }
    }

    /// In this colour.
    #[must_use]
    pub fn color(mut self, color: Color) -> Self {
        self.color = color;
        self
    }

    /// What becomes of a picture of this size.
    #[must_use]
    pub fn size(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let reach = self.reach();
        let side = |side: u32, moved: i32| {
            let (before, after) = (room(reach, -moved), room(reach, moved));
            side.saturating_add(before).saturating_add(after)
        };
        (side(width, self.x), side(height, self.y))
    }

    /// Where the picture lies in the result, from the left and the top.
    #[must_use]
    pub fn place(&self) -> (u32, u32) {
        let reach = self.reach();
        (room(reach, -self.x), room(reach, -self.y))
    }

    /// How far the blur reaches.
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, which is wanted")]
    fn reach(&self) -> i32 {
        (3.0 * self.sigma).ceil() as i32
    }
}

impl Operation for Shadow {
    const KIND: &'static str = "shadow";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("x", self.x.into(), -10_000.0, 10_000.0)?;
        check_range("y", self.y.into(), -10_000.0, 10_000.0)?;
        check_range("sigma", self.sigma, 0.1, 100.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = picture(inputs)?;
        let (width, height) = self.size((info.width, info.height));
        let channels = match info.channels {
            0 => 0,
            1 | 2 if self.color.is_grey() => 2,
            _ => 4,
        };
        Ok(info.with_size(width, height).with_channels(channels))
    }

    /// All of the picture: distances are measured in its pixels.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// With a shadow. See [`Shadow`].
    pub fn shadow(self, how: Shadow) -> Self {
        self.then(how)
    }
}

/// Pixels that a blur takes on the side to which it is moved.
fn room(reach: i32, moved: i32) -> u32 {
    u32::try_from(reach.saturating_add(moved)).unwrap_or(0)
}

fn half_black() -> Color {
    Color::rgba(0, 0, 0, 128)
}
