use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{Blend, PICTURES, check_range, picture};
use crate::codes;
use crate::geometry::Gravity;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Arity, Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;
use crate::{Error, Result};

/// `compose`: lays other pictures over one, the first lowest, each in its place and with its colours mixed in its way. The result is
/// as large as the first input; what of a layer stands out is cut off.
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::geometry::Gravity;
/// use mediaflow_core::ops::{Blend, Compose, Layer};
///
/// let cover: Compose = serde_json::from_str(
///     r#"{"layers": [{"blend": "multiply"}, {"gravity": "southwest", "x": 24, "y": -24, "opacity": 0.8}]}"#,
/// )
/// .unwrap();
/// let texture = Layer::new().blend(Blend::Multiply);
/// let badge = Layer::new().gravity(Gravity::Southwest).shifted(24, -24).opacity(0.8);
/// assert_eq!(cover, Compose::of([texture, badge]));
/// assert_eq!(Compose::of([]).validate().unwrap_err().code(), "op.range");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Compose {
    /// How the second input lies on the first, how the third lies on both, and so on: one for each input but the first.
    pub layers: Vec<Layer>,
}

/// How a picture lies on others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Layer {
    /// Where it lies. Default: in the middle.
    #[serde(default)]
    pub gravity: Gravity,
    /// How many pixels from there to the right; below 0 to the left. At most 100,000 either way. Default 0.
    #[serde(default)]
    pub x: i32,
    /// How many pixels from there down; below 0 up. Default 0.
    #[serde(default)]
    pub y: i32,
    /// From 0 (invisible) to 1. Default 1.
    #[serde(default = "full")]
    pub opacity: f64,
    /// What its colours become with those below. Default `normal`.
    #[serde(default)]
    pub blend: Blend,
}

impl Compose {
    /// With these layers, the lowest first: one for each input but the first.
    #[must_use]
    pub fn of(layers: impl IntoIterator<Item = Layer>) -> Self {
        Self { layers: layers.into_iter().collect() }
    }
}

impl Layer {
    /// In the middle, as it is.
    #[must_use]
    pub fn new() -> Self {
        Self { gravity: Gravity::Center, x: 0, y: 0, opacity: full(), blend: Blend::Normal }
    }

    /// In this place.
    #[must_use]
    pub fn gravity(mut self, gravity: Gravity) -> Self {
        self.gravity = gravity;
        self
    }

    /// So many pixels to the right and down from there.
    #[must_use]
    pub fn shifted(mut self, x: i32, y: i32) -> Self {
        (self.x, self.y) = (x, y);
        self
    }

    /// With its left top corner so many pixels from the left and from the top.
    #[must_use]
    pub fn at(self, left: i32, top: i32) -> Self {
        self.gravity(Gravity::Northwest).shifted(left, top)
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

    fn validate(&self) -> Result<()> {
        check_range("opacity", self.opacity, 0.0, 1.0)?;
        check_range("x", self.x.into(), -1e5, 1e5)?;
        check_range("y", self.y.into(), -1e5, 1e5)?;
        self.gravity.check_fixed()
    }
}

impl Default for Layer {
    fn default() -> Self {
        Self::new()
    }
}

impl Operation for Compose {
    const KIND: &'static str = "compose";
    const MEDIA: &'static [Medium] = PICTURES;

    /// The picture below, and one for each layer.
    fn arity(&self) -> Arity {
        Arity::Exactly(1 + self.layers.len())
    }

    fn validate(&self) -> Result<()> {
        if self.layers.is_empty() {
            return Err(Error::input(codes::OP_RANGE, "there is no layer to lay over the picture")
                .help("give one for each input but the first"));
        }
        let layers = self.layers.iter().zip(1..);
        layers
            .into_iter()
            .try_for_each(|(layer, number)| layer.validate().map_err(|e| e.with("layer", number)))
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let mut info = picture(inputs)?;
        for (input, number) in inputs.iter().zip(1..).skip(1) {
            let above =
                picture(std::slice::from_ref(input)).map_err(|e| e.with("input", number))?;
            if above.channels > 2 && (1..=2).contains(&info.channels) {
                let channels = info.channels + 2;
                info = info.with_channels(channels);
            }
        }
        Ok(info)
    }

    /// All of all: places are counted in pixels of the result.
    fn demand(&self, _wanted: Demand, inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL; inputs.len()]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// With these pictures laid over it, the first lowest: each a source or a branch of its own, and how it lies. See [`Compose`].
    ///
    /// ```
    /// use mediaflow_core::ops::{Blend, Layer};
    /// use mediaflow_core::spec::{Chain, Pipeline};
    ///
    /// let badge = || Chain::source("marks/badge.png").resize((96, 96, mediaflow_core::geometry::Fit::Inside));
    /// let cover = Pipeline::from("uploads/photo.png").output("public/cover.png", |photo| {
    ///     photo.compose([
    ///         (Chain::source("marks/paper.png"), Layer::new().blend(Blend::Multiply)),
    ///         (badge(), Layer::new().at(24, 24)),
    ///     ])
    /// });
    /// # let _ = cover;
    /// ```
    pub fn compose(self, layers: impl IntoIterator<Item = (Self, Layer)>) -> Self {
        let (pictures, layers): (Vec<_>, Vec<_>) = layers.into_iter().unzip();
        self.then_with(Compose { layers }, pictures)
    }
}

fn full() -> f64 {
    1.0
}
