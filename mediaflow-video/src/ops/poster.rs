use std::time::Duration;

use mediaflow_core::media::{Format, MediaInfo};
use mediaflow_core::plan::Estimate;
use mediaflow_core::{
    Error, Inputs, OpContext, Operation, Outputs, Result, Takes, async_trait, schema_of,
};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Position, Product, estimate};

/// Takes the frame that is seen at a time, as pixels: upright, square, RGB. Steps on still pictures go on from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Poster {
    /// Where, in what the steps before leave of the video. Default 10 percent. A time after the end means the last frame.
    pub at: Position,
}

impl Poster {
    /// The frame at this place.
    #[must_use]
    pub fn at(at: Position) -> Self {
        Self { at }
    }

    pub(crate) fn exit(&self, name: &str) -> Exit {
        Exit::new(name, Product::Poster(self.at))
    }
}

#[async_trait]
impl Operation for Poster {
    const KIND: &'static str = "video.poster";
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        super::run_alone(self.exit(Outputs::MAIN), inputs, cx).await
    }

    fn validate(&self) -> Result<()> {
        let valid = match self.at {
            Position::Seconds(seconds) => Duration::try_from_secs_f64(seconds).is_ok(),
            Position::Percent(percent) => (0.0..=100.0).contains(&percent),
        };
        if valid {
            return Ok(());
        }
        Err(Error::input(
            "video.position",
            "a poster lies at `seconds` from 0 or at `percent` from 0 to 100",
        ))
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        super::require_video(input)?;
        let (width, height) = input.upright_size();
        let mut output = MediaInfo::new(Format::RAW).with_size(width, height);
        output.channels = 3;
        Ok(output)
    }

    fn estimate(&self, input: &MediaInfo) -> Estimate {
        estimate(input, &[])
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}
