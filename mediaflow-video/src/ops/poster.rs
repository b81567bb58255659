use std::time::Duration;

use mediaflow_core::media::{Format, MediaInfo};
use mediaflow_core::plan::Estimate;
use mediaflow_core::{
    Error, Inputs, OpContext, Operation, Outputs, Result, Takes, async_trait, schema_of,
};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::plan::Exit;

/// Takes the frame that is seen at a time, as pixels: upright, square, RGB. Steps on still pictures go on from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Poster {
    /// Where, in what the steps before leave of the video. Default 10 percent. A time after the end means the last frame.
    pub at: Position,
}

/// A place in a video.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Position {
    /// Seconds from the start.
    Seconds(f64),
    /// Percent of the length, 0 to 100.
    Percent(f64),
}

impl Default for Position {
    fn default() -> Self {
        Self::Percent(10.0)
    }
}

impl Poster {
    /// The frame at this place.
    #[must_use]
    pub fn at(at: Position) -> Self {
        Self { at }
    }
}

#[async_trait]
impl Operation for Poster {
    const KIND: &'static str = "video.poster";
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        super::run_alone(Exit::poster(Outputs::MAIN, self), inputs, cx).await
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
        crate::plan::estimate(input, &[])
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}
