use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `vibrance`: a [saturation](super::Saturation) that depends on how strong a colour is already; greys and alpha stay.
///
/// Each colour is moved away from the luma (Rec. 709) by `1 + amount * (1 - s)` times its distance, where `s`, from 0 to 1, is the
/// largest of red, green and blue less the smallest; with an amount below 0 it is `1 + amount * (1 + s)`. That is what
/// the filter `vibrance` of ffmpeg does with `alternate=1`, and with the weights of Rec. 709.
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::ops::Vibrance;
///
/// let vivid: Vibrance = serde_json::from_str(r#"{"amount": 0.4}"#).unwrap();
/// assert_eq!(vivid, Vibrance::by(0.4));
/// assert_eq!(Vibrance::by(3.0).validate().unwrap_err().code(), "op.range");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Vibrance {
    /// From -2 to 2: above 0 weak colours become stronger, below 0 strong ones weaker; 0 changes nothing.
    pub amount: f64,
}

impl Vibrance {
    /// This much: 0 changes nothing.
    #[must_use]
    pub fn by(amount: f64) -> Self {
        Self { amount }
    }
}

impl Operation for Vibrance {
    const KIND: &'static str = "vibrance";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("amount", self.amount, -2.0, 2.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        picture(inputs)
    }

    /// All of the picture: it matters what is mixed first.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// Stronger weak colours above 0, weaker strong ones below. See [`Vibrance`].
    pub fn vibrance(self, amount: f64) -> Self {
        self.then(Vibrance::by(amount))
    }
}
