use async_trait::async_trait;
use mediaflow_core::media::MediaInfo;
use mediaflow_core::plan::Demand;
use mediaflow_core::{Inputs, OpContext, Operation, Outputs, Result};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{decoded, on_pixels, with_channels};
use crate::pixels::Points;

/// `image.negate`, also `image.invert`: each colour becomes its opposite; alpha stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Negate {}

/// `image.grayscale`: only the luma (Rec. 709, as CSS has it); alpha stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Grayscale {}

#[async_trait]
impl Operation for Negate {
    const KIND: &'static str = "image.negate";
    const ALIASES: &'static [&'static str] = &["image.invert"];

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        on_pixels(inputs, cx, |image, _| Points::NEGATE.apply(image)).await
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        decoded(input)
    }

    fn demand(&self, wanted: Demand, _input: &MediaInfo) -> Demand {
        wanted
    }

    fn schema() -> Option<Schema> {
        mediaflow_core::schema_of::<Self>()
    }
}

#[async_trait]
impl Operation for Grayscale {
    const KIND: &'static str = "image.grayscale";

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        on_pixels(inputs, cx, |image, _| Points::GRAYSCALE.apply(image)).await
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        let info = decoded(input)?;
        let channels = if info.channels > 2 { info.channels - 2 } else { info.channels };
        Ok(with_channels(info, channels))
    }

    fn demand(&self, wanted: Demand, _input: &MediaInfo) -> Demand {
        wanted
    }

    fn schema() -> Option<Schema> {
        mediaflow_core::schema_of::<Self>()
    }
}
