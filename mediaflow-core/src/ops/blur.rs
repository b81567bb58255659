use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `blur`: a Gaussian blur, as CSS `blur()` has it. Beyond the edges the outermost pixels are repeated; transparent pixels
/// count by their alpha.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Blur {
    /// The standard deviation in pixels, from 0.1 to 100.
    pub sigma: f64,
}

impl Blur {
    /// With this standard deviation in pixels.
    #[must_use]
    pub fn by(sigma: f64) -> Self {
        Self { sigma }
    }
}

impl Operation for Blur {
    const KIND: &'static str = "blur";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("sigma", self.sigma, 0.1, 100.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        picture(inputs)
    }

    /// All of the picture: the standard deviation is measured in its pixels.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// Blurred, with this standard deviation in pixels. See [`Blur`].
    pub fn blur(self, sigma: f64) -> Self {
        self.then(Blur::by(sigma))
    }
}
