use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `gamma`: each colour, from 0 to 1, to the power of 1 divided by a number, as `magick -gamma` has it; alpha stays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Gamma {
    /// Above 1 the middle tones are brighter, below darker; from 0.1 to 10.
    pub amount: f64,
}

impl Gamma {
    /// This much: 1 changes nothing.
    #[must_use]
    pub fn by(amount: f64) -> Self {
        Self { amount }
    }
}

impl Operation for Gamma {
    const KIND: &'static str = "gamma";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("amount", self.amount, 0.1, 10.0)
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
    /// Brighter middle tones above 1, darker below. See [`Gamma`].
    pub fn gamma(self, amount: f64) -> Self {
        self.then(Gamma::by(amount))
    }
}
