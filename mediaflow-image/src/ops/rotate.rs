use async_trait::async_trait;
use mediaflow_core::media::MediaInfo;
use mediaflow_core::plan::Demand;
use mediaflow_core::{Error, Inputs, OpContext, Operation, Outputs, Result};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{decoded, on_pixels, with_channels};
use crate::Color;
use crate::pixels::{self, Turn, rotated_size};

/// `image.rotate`: clockwise, by quarters without loss, by any other angle onto a ground.
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

    /// The same as a turn, if the angle is a multiple of 90.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 3")]
    pub(crate) fn turn(&self) -> Option<Turn> {
        let quarters = self.angle.rem_euclid(360.0) / 90.0;
        (quarters.fract() == 0.0).then(|| Turn::quarters(quarters as u8))
    }
}

#[async_trait]
impl Operation for Rotate {
    const KIND: &'static str = "image.rotate";

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let params = *self;
        on_pixels(inputs, cx, move |image, _| match params.turn() {
            Some(turn) => turn.apply(image),
            None => pixels::rotate(image, params.angle, params.background),
        })
        .await
    }

    fn validate(&self) -> Result<()> {
        if self.angle.is_finite() {
            return Ok(());
        }
        Err(Error::input("image.range", "an angle is a number of degrees")
            .with("angle", self.angle))
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        let info = decoded(input)?;
        if let Some(turn) = self.turn() {
            let (width, height) = turn.size((info.width, info.height));
            return Ok(info.with_size(width, height));
        }
        let (width, height) = rotated_size(info.width, info.height, self.angle);
        let opens = !self.background.is_opaque() && !info.alpha && info.channels > 0;
        let channels = info.channels + u8::from(opens);
        Ok(with_channels(info.with_size(width, height), channels))
    }

    fn demand(&self, wanted: Demand, _input: &MediaInfo) -> Demand {
        wanted
    }

    fn schema() -> Option<Schema> {
        mediaflow_core::schema_of::<Self>()
    }
}

fn transparent() -> Color {
    Color::TRANSPARENT
}
