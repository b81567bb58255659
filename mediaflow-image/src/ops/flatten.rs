use async_trait::async_trait;
use mediaflow_core::media::MediaInfo;
use mediaflow_core::plan::Demand;
use mediaflow_core::{Error, Inputs, OpContext, Operation, Outputs, Result};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{decoded, on_pixels, with_channels};
use crate::{Color, pixels};

/// `image.flatten`: puts the picture on an opaque ground; afterwards it has no alpha.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Flatten {
    /// The ground, opaque. Default white.
    #[serde(default = "white")]
    pub background: Color,
}

impl Flatten {
    /// On this ground.
    #[must_use]
    pub fn on(background: Color) -> Self {
        Self { background }
    }
}

#[async_trait]
impl Operation for Flatten {
    const KIND: &'static str = "image.flatten";

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let ground = self.background;
        on_pixels(inputs, cx, move |image, _| pixels::flatten(image, ground)).await
    }

    fn validate(&self) -> Result<()> {
        check_opaque(self.background)
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        let info = decoded(input)?;
        let channels = match info.channels {
            2 if self.background.is_grey() => 1,
            2 | 4 => 3,
            channels => channels,
        };
        Ok(with_channels(info, channels))
    }

    fn demand(&self, wanted: Demand, _input: &MediaInfo) -> Demand {
        wanted
    }

    fn schema() -> Option<Schema> {
        mediaflow_core::schema_of::<Self>()
    }
}

pub(super) fn check_opaque(ground: Color) -> Result<()> {
    if ground.is_opaque() {
        return Ok(());
    }
    Err(Error::input("image.background", "a ground to flatten on must be opaque")
        .with("background", ground))
}

pub(super) fn white() -> Color {
    Color::WHITE
}
