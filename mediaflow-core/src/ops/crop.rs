use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{PICTURES, picture};
use crate::codes;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;
use crate::{Error, Result};

/// `crop`: keeps a rectangle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Crop {
    /// Pixels from the left edge.
    #[serde(default)]
    pub left: u32,
    /// Pixels from the top edge.
    #[serde(default)]
    pub top: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl Crop {
    /// This rectangle, in pixels of the upright picture.
    #[must_use]
    pub fn new(left: u32, top: u32, width: u32, height: u32) -> Self {
        Self { left, top, width, height }
    }

    /// Whether a picture of this size has it.
    ///
    /// # Errors
    /// `op.crop`: the rectangle leaves the picture.
    pub fn check(&self, width: u32, height: u32) -> Result<()> {
        let ends = |start: u32, len: u32| u64::from(start) + u64::from(len);
        if ends(self.left, self.width) <= u64::from(width)
            && ends(self.top, self.height) <= u64::from(height)
        {
            return Ok(());
        }
        Err(Error::input(codes::OP_CROP, "the rectangle leaves the picture")
            .with("crop", format_args!("{}x{}+{}+{}", self.width, self.height, self.left, self.top))
            .with("size", format_args!("{width}x{height}"))
            .help("keep it inside; sizes are those of the upright picture"))
    }
}

impl Operation for Crop {
    const KIND: &'static str = "crop";
    const ALIASES: &'static [&'static str] = &["image.crop"];
    const MEDIA: &'static [Medium] = PICTURES;

    fn validate(&self) -> Result<()> {
        if self.width > 0 && self.height > 0 {
            return Ok(());
        }
        Err(Error::input(codes::OP_CROP, "a rectangle has a width and a height")
            .help("give both in pixels, from 1 on"))
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = picture(inputs)?;
        if info.pixels() > 0 {
            self.check(info.width, info.height)?;
        }
        Ok(info.with_size(self.width, self.height))
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// A rectangle, in pixels of the upright picture. See [`Crop`].
    pub fn crop(self, left: u32, top: u32, width: u32, height: u32) -> Self {
        self.then(Crop::new(left, top, width, height))
    }
}
