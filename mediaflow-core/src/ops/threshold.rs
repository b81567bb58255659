use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `threshold`: white where the luma reaches a value, black elsewhere, as sharp's `threshold` has it; alpha stays.
///
/// The luma is that of [`Grayscale`](super::Grayscale), and so the result has no colours.
///
/// ```
/// use mediaflow_core::ops::Threshold;
///
/// let scan: Threshold = serde_json::from_str("{}").unwrap();
/// assert_eq!(scan, Threshold::at(128));
/// assert!(serde_json::from_str::<Threshold>(r#"{"value": 256}"#).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Threshold {
    /// The luma from which on a pixel is white, from 0 to 255. Default 128.
    #[serde(default = "middle")]
    pub value: u8,
}

impl Default for Threshold {
    fn default() -> Self {
        Self::at(middle())
    }
}

impl Threshold {
    /// White from this luma on.
    #[must_use]
    pub fn at(value: u8) -> Self {
        Self { value }
    }
}

impl Operation for Threshold {
    const KIND: &'static str = "threshold";
    const MEDIA: &'static [Medium] = STILLS;

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = picture(inputs)?;
        let channels = if info.channels > 2 { info.channels - 2 } else { info.channels };
        Ok(info.with_channels(channels))
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
    /// White where the luma reaches this value, black elsewhere. See [`Threshold`].
    pub fn threshold(self, value: u8) -> Self {
        self.then(Threshold::at(value))
    }
}

fn middle() -> u8 {
    128
}
