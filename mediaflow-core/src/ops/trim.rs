use std::time::Duration;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::spec::Chain;
use crate::{Error, Result};

/// `trim`: keeps a part, the frames that begin at or after `start` and before the end, and the sound of the same time.
///
/// The cut is exact wherever the key frames are. If `start` lies between two frames, picture and sound begin together
/// at the later one. If the one that is seen at `start` is seen there for more than a tenth of a second, as a slide is, it is
/// the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Trim {
    /// Where it begins, in seconds. Default 0.
    #[serde(default)]
    pub start: f64,
    /// Where it ends, in seconds from the beginning of the input. Default: where the input ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<f64>,
    /// How long it is, in seconds, in place of `end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
}

impl Trim {
    /// From `start` to `end`, in seconds.
    #[must_use]
    pub fn new(start: f64, end: f64) -> Self {
        Self { start, end: Some(end), duration: None }
    }

    /// From `start` to the end of the input, in seconds.
    #[must_use]
    pub fn from(start: f64) -> Self {
        Self { start, end: None, duration: None }
    }

    /// `duration` seconds from `start`.
    #[must_use]
    pub fn of(start: f64, duration: f64) -> Self {
        Self { start, end: None, duration: Some(duration) }
    }

    /// Start and end.
    #[must_use]
    pub fn span(&self) -> (Duration, Option<Duration>) {
        let time = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        (time(self.start), self.end.or(self.duration.map(|length| self.start + length)).map(time))
    }
}

impl Operation for Trim {
    const KIND: &'static str = "trim";
    const ALIASES: &'static [&'static str] = &["video.trim"];
    const MEDIA: &'static [Medium] = &[Medium::Video, Medium::Audio, Medium::Animation];

    fn validate(&self) -> Result<()> {
        let wrong = |what: &str| {
            Err(Error::input(codes::OP_TRIM, what)
                .help("give `start`, and `end` or `duration`, in seconds"))
        };
        if self.end.is_some() && self.duration.is_some() {
            return wrong("a cut has an end or a duration, not both");
        }
        let given = [Some(self.start), self.end, self.duration];
        if given
            .into_iter()
            .flatten()
            .any(|seconds| seconds < 0.0 || Duration::try_from_secs_f64(seconds).is_err())
        {
            return wrong("times are seconds from 0");
        }
        match self.span() {
            (start, Some(end)) if end <= start => wrong("a cut ends after it begins"),
            _ => Ok(()),
        }
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let (start, end) = self.span();
        let input = super::first(inputs)?;
        let mut output = input.clone();
        // Whether the frame at either end belongs to it is not known before it is decoded.
        output.frames = 0;
        if let Some(duration) = input.duration {
            if start >= duration {
                return Err(Error::input(codes::OP_EMPTY_CUT, "the cut begins after the end")
                    .with("start", start.as_secs_f64())
                    .with("duration", duration.as_secs_f64())
                    .help("choose an earlier start"));
            }
            output.duration = Some(end.map_or(duration, |end| end.min(duration)) - start);
        } else {
            output.duration = end.map(|end| end - start);
        }
        Ok(output)
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// What lies between `start` and `end`, in seconds. See [`Trim`].
    pub fn trim(self, start: f64, end: f64) -> Self {
        self.then(Trim::new(start, end))
    }
}
