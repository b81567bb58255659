use std::time::Duration;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::media::{Format, MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::spec::Chain;
use crate::{Error, Result};

/// `poster`: takes the frame that is seen at a time, as pixels: upright, square, RGB. Steps on still pictures go on from there.
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
}

impl From<Position> for Poster {
    fn from(at: Position) -> Self {
        Self::at(at)
    }
}

impl Operation for Poster {
    const KIND: &'static str = "poster";
    const ALIASES: &'static [&'static str] = &["video.poster"];
    const MEDIA: &'static [Medium] = &[Medium::Video, Medium::Animation];

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Still
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
            codes::OP_POSITION,
            "a poster lies at `seconds` from 0 or at `percent` from 0 to 100",
        ))
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let input = super::picture(inputs)?;
        let mut output = MediaInfo::still(Format::RAW, input.width, input.height);
        output.channels = 3;
        Ok(output)
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

/// A place in something that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a backend knows both")]
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

impl Chain {
    /// One frame as a picture, for steps on stills to go on with. See [`Poster`].
    pub fn poster(self, at: impl Into<Poster>) -> Self {
        self.then(at.into())
    }
}
