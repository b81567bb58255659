use async_trait::async_trait;
use mediaflow_core::media::MediaInfo;
use mediaflow_core::plan::Demand;
use mediaflow_core::{Inputs, OpContext, Operation, Outputs, Result};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{decoded, on_pixels};
use crate::pixels::Turn;

/// `image.auto_orient`: upright, as the camera's orientation says.
///
/// Decoding does this already, so every step sees an upright picture; the step says so where a reader of the spec might
/// wonder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AutoOrient {}

/// `image.flip`: top becomes bottom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Flip {}

/// `image.flop`: left becomes right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Flop {}

macro_rules! turning {
    ($name:ident, $kind:literal, $turn:expr) => {
        #[async_trait]
        impl Operation for $name {
            const KIND: &'static str = $kind;

            async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
                on_pixels(inputs, cx, |image, _| $turn.apply(image)).await
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
    };
}

turning!(AutoOrient, "image.auto_orient", Turn::NONE);
turning!(Flip, "image.flip", Turn::FLIP);
turning!(Flop, "image.flop", Turn::FLOP);
