use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `radius`: rounds the corners off, as CSS `border-radius` has it. What is cut off is transparent.
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::ops::Radius;
///
/// let avatar: Radius = serde_json::from_str(r#"{"radius": 24}"#).unwrap();
/// assert_eq!(avatar, Radius::by(24.0));
/// assert_eq!(Radius::by(-1.0).validate().unwrap_err().code(), "op.range");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Radius {
    /// Of the circle in each corner, in pixels, from 0 to 100,000. At most half of the shorter side is used: so a large number
    /// makes a circle of a square.
    pub radius: f64,
}

impl Radius {
    /// With this radius in pixels.
    #[must_use]
    pub fn by(radius: f64) -> Self {
        Self { radius }
    }

    /// As round as it can be: a square becomes a circle.
    #[must_use]
    pub fn max() -> Self {
        Self::by(100_000.0)
    }
}

impl Operation for Radius {
    const KIND: &'static str = "radius";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("radius", self.radius, 0.0, 100_000.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = picture(inputs)?;
        let opens = self.radius > 0.0 && !info.alpha && info.channels > 0;
        let channels = info.channels + u8::from(opens);
        Ok(info.with_channels(channels))
    }

    /// All of the picture: the radius is measured in its pixels.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// With corners rounded off, by a radius in pixels. See [`Radius`].
    pub fn radius(self, radius: f64) -> Self {
        self.then(Radius::by(radius))
    }
}
