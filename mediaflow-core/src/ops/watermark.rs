use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{PICTURES, check_range, picture};
use crate::Result;
use crate::geometry::Gravity;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Arity, Operation, schema_of};
use crate::plan::Demand;
use crate::spec::{Chain, Source};

/// `watermark`: lays the second input over the first.
///
/// ```
/// use mediaflow_core::ops::{Blend, Watermark};
///
/// let print: Watermark = serde_json::from_str(r#"{"blend": "multiply", "tile": true}"#).unwrap();
/// assert_eq!(print, Watermark::new().blend(Blend::Multiply).tiled());
/// ```
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
    /// How its colours are mixed with those below. Default `normal`.
    #[serde(default, skip_serializing_if = "Blend::is_normal")]
    pub blend: Blend,
}

/// How the colours of two pictures are mixed: the separable modes of <https://www.w3.org/TR/compositing-1/#blending>, on sRGB
/// numbers. Where the lower picture is transparent, the upper one shows as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Blend {
    /// The upper one hides the lower. The default.
    #[default]
    Normal,
    /// Both as filters of light, one after the other: never brighter.
    Multiply,
    /// Both as projected onto one another: never darker.
    Screen,
    /// `hard_light` with the pictures exchanged.
    Overlay,
    /// The darker of both.
    Darken,
    /// The brighter of both.
    Lighten,
    /// The lower one brighter by the upper.
    ColorDodge,
    /// The lower one darker by the upper.
    ColorBurn,
    /// `multiply` where the upper one is dark, `screen` where it is bright.
    HardLight,
    /// A soft `hard_light`.
    SoftLight,
    /// How far they are apart.
    Difference,
    /// A soft `difference`.
    Exclusion,
}

impl Blend {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
    fn is_normal(&self) -> bool {
        *self == Self::Normal
    }
}

impl Default for Watermark {
    fn default() -> Self {
        let blend = Blend::Normal;
        Self { gravity: southeast(), offset: 0, scale: None, opacity: full(), tile: false, blend }
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

    /// With its colours mixed so with those below.
    #[must_use]
    pub fn blend(mut self, blend: Blend) -> Self {
        self.blend = blend;
        self
    }

    /// All over the picture.
    #[must_use]
    pub fn tiled(mut self) -> Self {
        self.tile = true;
        self
    }
}

impl Operation for Watermark {
    const KIND: &'static str = "watermark";
    const ALIASES: &'static [&'static str] = &["image.watermark"];
    const MEDIA: &'static [Medium] = PICTURES;

    /// The picture, and the mark.
    fn arity(&self) -> Arity {
        Arity::Exactly(2)
    }

    fn validate(&self) -> Result<()> {
        check_range("opacity", self.opacity, 0.0, 1.0)?;
        self.gravity.check_fixed()?;
        self.scale.map_or(Ok(()), |scale| check_range("scale", scale, 0.001, 1.0))
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        picture(inputs.get(1..).unwrap_or_default()).map_err(|e| e.with("input", 2))?;
        picture(inputs)
    }

    /// All of the picture: the mark is measured in pixels of the result. Of the mark as much as is seen of it.
    fn demand(&self, _wanted: Demand, inputs: &[MediaInfo]) -> Vec<Demand> {
        let mark = match (self.scale, inputs) {
            (Some(part), [base, mark, ..]) if mark.width > 0 && base.width > 0 => {
                Demand::scale(part * f64::from(base.width) / f64::from(mark.width))
            }
            _ => Demand::FULL,
        };
        vec![Demand::FULL, mark]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// With another picture in the south-east corner. See [`Watermark`].
    pub fn watermark(self, mark: impl Into<Source>) -> Self {
        self.watermark_with(mark, Watermark::new())
    }

    /// With another picture laid over it. See [`Watermark`].
    pub fn watermark_with(self, mark: impl Into<Source>, how: Watermark) -> Self {
        self.then_with(how, [Self::source(mark)])
    }
}

fn southeast() -> Gravity {
    Gravity::Southeast
}

fn full() -> f64 {
    1.0
}
