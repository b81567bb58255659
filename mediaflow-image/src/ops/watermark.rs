use async_trait::async_trait;
use mediaflow_core::geometry::{Fit, Gravity, Rect};
use mediaflow_core::media::{Image, MediaInfo};
use mediaflow_core::plan::Demand;
use mediaflow_core::{Inputs, OpContext, Operation, Outputs, Result, RunContext};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{Kernel, Resize, check_range, decoded, srgb};
use crate::pixels::{Resample, overlay, resample, tile};

/// `image.watermark`: lays the second input over the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Watermark {
    /// Where it lies. Default `southeast`.
    #[serde(default = "southeast")]
    pub gravity: Gravity,
    /// Pixels between it and the edges that gravity pulls it to, or between two of them when tiled. Default 0.
    #[serde(default)]
    pub offset: u32,
    /// Its width as a part of the picture's, from 0 to 1. Default: as it is, or as much smaller as it must be to fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// From 0 (not there) to 1 (as it is, the default).
    #[serde(default = "full")]
    pub opacity: f64,
    /// All over the picture instead of once. Default false.
    #[serde(default)]
    pub tile: bool,
}

impl Default for Watermark {
    fn default() -> Self {
        Self { gravity: southeast(), offset: 0, scale: None, opacity: full(), tile: false }
    }
}

impl Watermark {
    /// In the south-east corner, as it is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// In this place.
    #[must_use]
    pub fn gravity(mut self, gravity: Gravity) -> Self {
        self.gravity = gravity;
        self
    }

    /// This many pixels away from the edges.
    #[must_use]
    pub fn offset(mut self, pixels: u32) -> Self {
        self.offset = pixels;
        self
    }

    /// With this part of the picture's width, from 0 to 1.
    #[must_use]
    pub fn scale(mut self, part: f64) -> Self {
        self.scale = Some(part);
        self
    }

    /// This opaque, from 0 to 1.
    #[must_use]
    pub fn opacity(mut self, opacity: f64) -> Self {
        self.opacity = opacity;
        self
    }

    /// All over the picture.
    #[must_use]
    pub fn tiled(mut self) -> Self {
        self.tile = true;
        self
    }

    /// Lays `mark` over `base`.
    pub(crate) fn apply(&self, base: Image, mark: &Image) -> Result<Image> {
        let mark = self.scaled(mark, (base.width(), base.height()))?;
        let opacity = to_byte(self.opacity);
        let at = |outer: u32, inner: u32, horizontal| {
            let room = f64::from(outer) - 2.0 * f64::from(self.offset);
            let start =
                f64::from(self.offset) + self.gravity.place(room, f64::from(inner), horizontal);
            // What is too large for the margins is still not pushed out of the picture.
            start.min(f64::from(outer) - f64::from(inner)).max(0.0)
        };
        let (x, y) =
            (at(base.width(), mark.width(), true), at(base.height(), mark.height(), false));
        if self.tile {
            return tile(base, &mark, (0, 0), self.offset, opacity);
        }
        overlay(base, &mark, (whole(x), whole(y)), opacity)
    }

    fn scaled(&self, mark: &Image, (width, height): (u32, u32)) -> Result<Image> {
        let wanted = self.scale.map_or(f64::from(mark.width()), |part| f64::from(width) * part);
        let fit = Resize::new(whole_u32(wanted).clamp(1, width), height, Fit::Inside);
        let fit = if self.scale.is_none() { fit.without_enlargement() } else { fit };
        let size = fit.place((mark.width(), mark.height())).size;
        let crop = Rect {
            x: 0.0,
            y: 0.0,
            width: f64::from(mark.width()),
            height: f64::from(mark.height()),
        };
        let kernel = Kernel::Lanczos3;
        resample(mark, &Resample { crop, size, kernel, linear: false, crisp: false })
    }
}

#[async_trait]
impl Operation for Watermark {
    const KIND: &'static str = "image.watermark";

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let params = *self;
        let base = inputs.get(0)?.clone().into_image()?;
        let mark = inputs.get(1)?.clone().into_image()?;
        drop(inputs);
        let work = move |cx: &RunContext| params.apply(srgb(base, cx)?, &srgb(mark, cx)?);
        Ok(Outputs::one(cx.cpu(work).await?))
    }

    fn validate(&self) -> Result<()> {
        check_range("opacity", self.opacity, 0.0, 1.0)?;
        self.scale.map_or(Ok(()), |scale| check_range("scale", scale, 0.001, 1.0))
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        decoded(input)
    }

    /// All of it: the mark is measured in pixels of the result.
    fn demand(&self, _wanted: Demand, _input: &MediaInfo) -> Demand {
        Demand::FULL
    }

    fn schema() -> Option<Schema> {
        mediaflow_core::schema_of::<Self>()
    }
}

fn southeast() -> Gravity {
    Gravity::Southeast
}

fn full() -> f64 {
    1.0
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
