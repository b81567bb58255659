use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{PICTURES, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `grayscale`: only the luma (Rec. 709, as CSS has it); alpha stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Grayscale {}

impl Operation for Grayscale {
    const KIND: &'static str = "grayscale";
    const ALIASES: &'static [&'static str] = &["image.grayscale"];
    const MEDIA: &'static [Medium] = PICTURES;

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = picture(inputs)?;
        let channels = if info.channels > 2 { info.channels - 2 } else { info.channels };
        Ok(info.with_channels(channels))
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// Only the luma. See [`Grayscale`].
    pub fn grayscale(self) -> Self {
        self.then(Grayscale {})
    }
}
