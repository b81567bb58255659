use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `clahe`: contrast-limited adaptive histogram equalisation, as OpenCV has it: detail in the dark and bright parts of a picture;
/// alpha stays.
///
/// The picture is cut into tiles, the histogram of the luma of each is equalised up to a limit, and between the middles of tiles
/// what they say is mixed. Red, green and blue are moved by as much as the luma, so that hues stay. Pixels of which nothing is
/// seen do not count.
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::ops::Clahe;
///
/// let usual: Clahe = serde_json::from_str("{}").unwrap();
/// assert_eq!(usual, Clahe::new(8, 2.0));
/// assert_eq!(Clahe::new(0, 2.0).validate().unwrap_err().code(), "op.range");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Clahe {
    /// Tiles across, and as many down, from 1 to 64; no more than there are pixels. Default 8.
    #[serde(default = "eight")]
    pub tiles: u32,
    /// How many times its even share of the pixels a tone may have, from 1 to 256: the higher, the stronger the contrast. Default 2.
    #[serde(default = "two")]
    pub clip_limit: f64,
}

impl Default for Clahe {
    fn default() -> Self {
        Self::new(eight(), two())
    }
}

impl Clahe {
    /// With so many tiles on a side, and this limit.
    #[must_use]
    pub fn new(tiles: u32, clip_limit: f64) -> Self {
        Self { tiles, clip_limit }
    }
}

impl Operation for Clahe {
    const KIND: &'static str = "clahe";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("tiles", self.tiles.into(), 1.0, 64.0)?;
        check_range("clip_limit", self.clip_limit, 1.0, 256.0)
    }

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
    /// More contrast in each part by itself. See [`Clahe`].
    pub fn clahe(self) -> Self {
        self.then(Clahe::default())
    }
}

fn eight() -> u32 {
    8
}

fn two() -> f64 {
    2.0
}
