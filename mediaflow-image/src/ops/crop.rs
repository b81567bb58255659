use async_trait::async_trait;
use mediaflow_core::media::MediaInfo;
use mediaflow_core::plan::Demand;
use mediaflow_core::{Error, Inputs, OpContext, Operation, Outputs, Result};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{decoded, on_pixels};
use crate::pixels;

/// `image.crop`: keeps a rectangle.
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

    /// # Errors
    /// `image.crop`: the rectangle leaves the picture.
    fn check(&self, width: u32, height: u32) -> Result<()> {
        let ends = |start: u32, len: u32| u64::from(start) + u64::from(len);
        if ends(self.left, self.width) <= u64::from(width)
            && ends(self.top, self.height) <= u64::from(height)
        {
            return Ok(());
        }
        Err(Error::input("image.crop", "the rectangle leaves the picture")
            .with("crop", format_args!("{}x{}+{}+{}", self.width, self.height, self.left, self.top))
            .with("size", format_args!("{width}x{height}"))
            .help("keep it inside; sizes are those of the upright picture"))
    }
}

#[async_trait]
impl Operation for Crop {
    const KIND: &'static str = "image.crop";

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let crop = self.clone();
        on_pixels(inputs, cx, move |image, _| {
            crop.check(image.width(), image.height())?;
            pixels::crop(&image, crop.left, crop.top, crop.width, crop.height)
        })
        .await
    }

    fn validate(&self) -> Result<()> {
        if self.width > 0 && self.height > 0 {
            return Ok(());
        }
        Err(Error::input("image.crop", "a rectangle has a width and a height")
            .help("give both in pixels, from 1 on"))
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        let info = decoded(input)?;
        self.check(info.width, info.height)?;
        Ok(info.with_size(self.width, self.height))
    }

    fn demand(&self, wanted: Demand, _input: &MediaInfo) -> Demand {
        wanted
    }

    fn schema() -> Option<Schema> {
        mediaflow_core::schema_of::<Self>()
    }
}
