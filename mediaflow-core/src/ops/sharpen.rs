use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `sharpen`: an unsharp mask. Each colour is moved away from what a Gaussian [blur](super::Blur) makes of it, by its distance
/// from that times a number; alpha stays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Sharpen {
    /// The standard deviation of the blur in pixels, from 0.1 to 100. Default 1.
    #[serde(default = "one")]
    pub sigma: f64,
    /// How much, from 0 (as it is) to 10. Default 1.
    #[serde(default = "one")]
    pub amount: f64,
}

impl Default for Sharpen {
    fn default() -> Self {
        Self::new(one(), one())
    }
}

impl Sharpen {
    /// With this standard deviation in pixels, and this much.
    #[must_use]
    pub fn new(sigma: f64, amount: f64) -> Self {
        Self { sigma, amount }
    }
}

impl Operation for Sharpen {
    const KIND: &'static str = "sharpen";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("sigma", self.sigma, 0.1, 100.0)?;
        check_range("amount", self.amount, 0.0, 10.0)
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
    /// Sharper: an unsharp mask with this standard deviation in pixels, and this much. See [`Sharpen`].
    pub fn sharpen(self, sigma: f64, amount: f64) -> Self {
        self.then(Sharpen::new(sigma, amount))
    }
}

fn one() -> f64 {
    1.0
}
