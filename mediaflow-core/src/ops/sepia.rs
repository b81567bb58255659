use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `sepia`: the brown of old photos, as CSS `sepia()` has it
/// (<https://www.w3.org/TR/filter-effects-1/#sepiaEquivalent>); alpha stays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Sepia {
    /// From 0 (as it is) to 1 (all brown, the default).
    #[serde(default = "all")]
    pub amount: f64,
}

impl Sepia {
    /// This much, from 0 to 1.
    #[must_use]
    pub fn by(amount: f64) -> Self {
        Self { amount }
    }
}

impl Default for Sepia {
    fn default() -> Self {
        Self::by(all())
    }
}

impl Operation for Sepia {
    const KIND: &'static str = "sepia";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("amount", self.amount, 0.0, 1.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = picture(inputs)?;
        let channels = match info.channels {
            channels @ 1..=2 if self.amount > 0.0 => channels + 2,
            channels => channels,
        };
        Ok(info.with_channels(channels))
    }

    /// All of the picture: bright colours are cut off, and then it matters what is mixed first.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// The brown of old photos. See [`Sepia`].
    pub fn sepia(self) -> Self {
        self.then(Sepia::by(all()))
    }
}

fn all() -> f64 {
    1.0
}
