use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `posterize`: each of red, green and blue becomes the nearest of a few levels, as `-posterize` of ImageMagick has it; alpha
/// stays.
///
/// The levels lie at equal distances from 0 to 255, both among them.
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::ops::Posterize;
///
/// let few: Posterize = serde_json::from_str(r#"{"levels": 4}"#).unwrap();
/// assert_eq!(few, Posterize::to(4));
/// assert_eq!(Posterize::to(1).validate().unwrap_err().code(), "op.range");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Posterize {
    /// How many levels, from 2 to 256.
    pub levels: u32,
}

impl Posterize {
    /// To so many levels.
    #[must_use]
    pub fn to(levels: u32) -> Self {
        Self { levels }
    }
}

impl Operation for Posterize {
    const KIND: &'static str = "posterize";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("levels", self.levels.into(), 2.0, 256.0)
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
    /// With so many levels of each colour. See [`Posterize`].
    pub fn posterize(self, levels: u32) -> Self {
        self.then(Posterize::to(levels))
    }
}
