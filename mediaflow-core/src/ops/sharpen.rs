use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `sharpen`: an unsharp mask. Each colour is moved away from what a Gaussian [blur](super::Blur) makes of it, by its distance
/// from that times a number, unless the distance is small; alpha stays.
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::ops::Sharpen;
///
/// let edges: Sharpen = serde_json::from_str(r#"{"sigma": 2, "threshold": 4}"#).unwrap();
/// assert_eq!(edges, Sharpen::new(2.0, 1.0).threshold(4.0));
/// assert_eq!(edges.threshold(256.0).validate().unwrap_err().code(), "op.range");
/// ```
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
    /// Colours that are no further than this from what the blur makes of them stay as they are: so noise in flat parts is not
    /// sharpened. From 0 (all are moved, the default) to 255.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub threshold: f64,
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
        Self { sigma, amount, threshold: 0.0 }
    }

    /// Without what is no further than this from its blur, from 0 to 255.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }
}

impl Operation for Sharpen {
    const KIND: &'static str = "sharpen";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("sigma", self.sigma, 0.1, 100.0)?;
        check_range("amount", self.amount, 0.0, 10.0)?;
        check_range("threshold", self.threshold, 0.0, 255.0)
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
        self.sharpen_with(Sharpen::new(sigma, amount))
    }

    /// Sharper, with a threshold. See [`Sharpen`].
    pub fn sharpen_with(self, how: Sharpen) -> Self {
        self.then(how)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn one() -> f64 {
    1.0
}
