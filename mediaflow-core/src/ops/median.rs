use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;
use crate::{Error, Result, codes};

/// `median`: each of red, green, blue and alpha becomes the median of the square around its pixel: takes away specks and keeps
/// edges.
///
/// Beyond the edges the outermost pixels are repeated; colours count by their alpha.
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::ops::Median;
///
/// let usual: Median = serde_json::from_str("{}").unwrap();
/// assert_eq!(usual, Median::of(3));
/// assert_eq!(Median::of(4).validate().unwrap_err().code(), "op.range");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Median {
    /// The side of the square in pixels, an odd number from 3 to 51. Default 3.
    #[serde(default = "three")]
    pub size: u32,
}

impl Default for Median {
    fn default() -> Self {
        Self::of(three())
    }
}

impl Median {
    /// Of a square with this side in pixels.
    #[must_use]
    pub fn of(size: u32) -> Self {
        Self { size }
    }
}

impl Operation for Median {
    const KIND: &'static str = "median";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("size", self.size.into(), 3.0, 51.0)?;
        if !self.size.is_multiple_of(2) {
            return Ok(());
        }
        Err(Error::input(codes::OP_RANGE, "`size` is an odd number: the pixel lies in the middle")
            .with("size", self.size))
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        picture(inputs)
    }

    /// All of the picture: the square is measured in its pixels.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// The median of a square with this side in pixels, an odd number. See [`Median`].
    pub fn median(self, size: u32) -> Self {
        self.then(Median::of(size))
    }
}

fn three() -> u32 {
    3
}
