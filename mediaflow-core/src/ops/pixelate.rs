use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{Crop, STILLS, check_range, picture};
use crate::Result;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `pixelate`: gives all pixels of a block their mean, in all of the picture or in parts of it.
///
/// Blocks are counted from the left top corner of the picture, or of the part; the last ones are as large as there is room for.
/// Colours count by their alpha.
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::ops::{Crop, Pixelate};
///
/// let hidden: Pixelate = serde_json::from_str(
///     r#"{"size": 16, "regions": [{"left": 120, "top": 80, "width": 64, "height": 64}]}"#,
/// )
/// .unwrap();
/// assert_eq!(hidden, Pixelate::by(16).within(Crop::new(120, 80, 64, 64)));
/// let below: Pixelate = serde_json::from_str(
///     r#"{"size": 16, "regions": [{"top": "75%", "width": "100%", "height": "25%"}]}"#,
/// )
/// .unwrap();
/// assert_eq!(below.regions[0].place((640, 400)).unwrap(), ((0, 300), (640, 100)));
/// assert_eq!(Pixelate::by(1).validate().unwrap_err().code(), "op.range");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Pixelate {
    /// The side of a block in pixels, from 2 to 1,000.
    pub size: u32,
    /// The parts, as `crop` has them; none leaves the picture. Default: all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Crop>,
}

impl Pixelate {
    /// With blocks of this side in pixels, all over the picture.
    #[must_use]
    pub fn by(size: u32) -> Self {
        Self { size, regions: Vec::new() }
    }

    /// In this part only, and in those that were named before.
    #[must_use]
    pub fn within(mut self, region: Crop) -> Self {
        self.regions.push(region);
        self
    }
}

impl Operation for Pixelate {
    const KIND: &'static str = "pixelate";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("size", self.size.into(), 2.0, 1000.0)?;
        self.regions.iter().try_for_each(Operation::validate)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = picture(inputs)?;
        if info.is_certain() {
            let size = (info.width, info.height);
            self.regions.iter().try_for_each(|region| region.place(size).map(|_| ()))?;
        }
        Ok(info)
    }

    /// All of the picture: blocks are measured in its pixels.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl From<u32> for Pixelate {
    fn from(size: u32) -> Self {
        Self::by(size)
    }
}

impl Chain {
    /// In blocks of this side in pixels, or any [`Pixelate`].
    pub fn pixelate(self, how: impl Into<Pixelate>) -> Self {
        self.then(how.into())
    }
}
