use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `vignette`: darker towards the corners, as an old lens has it; alpha stays.
///
/// Each colour is multiplied by the fourth power of a cosine, of an angle that grows with the distance from the middle: the law
/// of lenses, and of the filter `vignette` of ffmpeg.
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::ops::Vignette;
///
/// let usual: Vignette = serde_json::from_str("{}").unwrap();
/// assert_eq!(usual, Vignette::by(0.5));
/// assert_eq!(Vignette::by(1.5).validate().unwrap_err().code(), "op.range");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Vignette {
    /// What is taken from the corners, from 0 (nothing) to 1 (they are black). Default 0.5.
    #[serde(default = "half")]
    pub amount: f64,
}

impl Default for Vignette {
    fn default() -> Self {
        Self::by(half())
    }
}

impl Vignette {
    /// This much, from 0 to 1.
    #[must_use]
    pub fn by(amount: f64) -> Self {
        Self { amount }
    }
}

impl Operation for Vignette {
    const KIND: &'static str = "vignette";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("amount", self.amount, 0.0, 1.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        picture(inputs)
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// Darker towards the corners, from 0 to 1. See [`Vignette`].
    pub fn vignette(self, amount: f64) -> Self {
        self.then(Vignette::by(amount))
    }
}

fn half() -> f64 {
    0.5
}
