use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{PICTURES, picture};
use crate::codes;
use crate::color::Color;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;
use crate::{Error, Result};

/// `rotate`: clockwise, by quarters without loss, by any other angle onto a ground.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rotate {
    /// Degrees clockwise.
    pub angle: f64,
    /// What shows in the corners of a picture that is not turned by quarters. Default transparent.
    #[serde(default = "transparent")]
    pub background: Color,
}

impl Rotate {
    /// By this angle in degrees, clockwise.
    #[must_use]
    pub fn by(angle: f64) -> Self {
        Self { angle, background: Color::TRANSPARENT }
    }

    /// With this colour in the corners.
    #[must_use]
    pub fn background(mut self, background: Color) -> Self {
        self.background = background;
        self
    }

    /// How many quarters that is, 0 to 3, if the angle is a multiple of 90 degrees.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 3")]
    pub fn quarters(&self) -> Option<u8> {
        let quarters = self.angle.rem_euclid(360.0) / 90.0;
        (quarters.fract() == 0.0).then_some(quarters as u8)
    }

    /// The size of the box around a picture of this size that is turned so.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, which is wanted"
    )]
    pub fn size(&self, (width, height): (u32, u32)) -> (u32, u32) {
        match self.quarters() {
            Some(0 | 2) => return (width, height),
            Some(_) => return (height, width),
            None => {}
        }
        let (sin, cos) = self.angle.to_radians().sin_cos();
        let (w, h) = (f64::from(width), f64::from(height));
        // A hair less, so that a rounding error at a right angle adds no column.
        let side = |length: f64| ((length - 1e-6).ceil() as u32).max(1);
        (side(w * cos.abs() + h * sin.abs()), side(w * sin.abs() + h * cos.abs()))
    }
}

impl Operation for Rotate {
    const KIND: &'static str = "rotate";
    const ALIASES: &'static [&'static str] = &["image.rotate"];
    const MEDIA: &'static [Medium] = PICTURES;

    fn validate(&self) -> Result<()> {
        if self.angle.is_finite() {
            return Ok(());
        }
        Err(Error::input(codes::OP_RANGE, "an angle is a number of degrees")
            .with("angle", self.angle))
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = picture(inputs)?;
        if info.pixels() == 0 {
            return Ok(info);
        }
        let (width, height) = self.size((info.width, info.height));
        let info = info.with_size(width, height);
        if self.quarters().is_some() || info.channels == 0 {
            return Ok(info);
        }
        let coloured = if self.background.is_grey() { 1 } else { 3 };
        let alpha = info.alpha || !self.background.is_opaque();
        let colours = if info.alpha { info.channels - 1 } else { info.channels };
        Ok(info.with_channels(colours.max(coloured) + u8::from(alpha)))
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// Clockwise, in degrees. See [`Rotate`].
    pub fn rotate(self, degrees: f64) -> Self {
        self.then(Rotate::by(degrees))
    }
}

fn transparent() -> Color {
    Color::TRANSPARENT
}
