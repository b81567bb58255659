use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `hue`: turns all colours on the colour wheel, as CSS `hue-rotate()` has it
/// (<https://www.w3.org/TR/filter-effects-1/#huerotateEquivalent>); greys and alpha stay.
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::ops::Hue;
///
/// let hue: Hue = serde_json::from_str(r#"{"angle": 120}"#).unwrap();
/// assert_eq!(hue, Hue::by(120.0));
/// assert_eq!(Hue::by(400.0).validate().unwrap_err().code(), "op.range");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Hue {
    /// Degrees from -360 to 360: 120 turns red to green, and green to blue.
    pub angle: f64,
}

impl Hue {
    /// By this angle in degrees.
    #[must_use]
    pub fn by(angle: f64) -> Self {
        Self { angle }
    }
}

impl Operation for Hue {
    const KIND: &'static str = "hue";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("angle", self.angle, -360.0, 360.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        picture(inputs)
    }

    /// All of the picture: strong colours are cut off, and then it matters what is mixed first.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// All colours turned on the colour wheel, in degrees. See [`Hue`].
    pub fn hue(self, angle: f64) -> Self {
        self.then(Hue::by(angle))
    }
}
