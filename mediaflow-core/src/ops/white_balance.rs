use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `white_balance`: takes away the cast of a picture, on the assumption that its mean is grey ("grey world"); alpha stays.
///
/// In linear light each of red, green and blue is multiplied by a number, so that their means are the same; how bright the mean
/// is (Rec. 709) stays. Pixels count by their alpha. A picture of which one colour is missing stays as it is.
///
/// ```
/// use mediaflow_core::ops::WhiteBalance;
///
/// let usual: WhiteBalance = serde_json::from_str("{}").unwrap();
/// assert_eq!(usual, WhiteBalance::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WhiteBalance {}

impl Operation for WhiteBalance {
    const KIND: &'static str = "white_balance";
    const MEDIA: &'static [Medium] = STILLS;

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        picture(inputs)
    }

    /// All of the picture: each of its pixels counts.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// Without the cast of its light. See [`WhiteBalance`].
    pub fn white_balance(self) -> Self {
        self.then(WhiteBalance {})
    }
}
