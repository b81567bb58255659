use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::media::{MediaInfo, Medium, StreamKind};
use crate::operation::{Operation, schema_of};
use crate::spec::Chain;
use crate::{Error, Result};

/// `fps`: gives the picture a constant rate, by dropping and repeating frames. Without this step frames keep their own times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Fps {
    /// Frames per second, above 0 and at most 240. 29.97 means 30000/1001.
    pub fps: f64,
}

impl Fps {
    /// At this many frames per second.
    #[must_use]
    pub fn new(fps: f64) -> Self {
        Self { fps }
    }
}

impl Operation for Fps {
    const KIND: &'static str = "fps";
    const ALIASES: &'static [&'static str] = &["video.fps"];
    const MEDIA: &'static [Medium] = &[Medium::Video, Medium::Animation];

    fn validate(&self) -> Result<()> {
        if self.fps.is_finite() && self.fps >= 0.1 && self.fps <= 240.0 {
            return Ok(());
        }
        Err(Error::input(codes::OP_FPS, "a frame rate lies between 0.1 and 240")
            .with("fps", self.fps))
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let mut output = super::picture(inputs)?;
        output.frames = 0;
        for stream in output.streams.iter_mut().filter(|stream| stream.kind == StreamKind::Video) {
            stream.fps = Some(self.fps);
        }
        Ok(output)
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// At a constant rate of frames per second. See [`Fps`].
    pub fn fps(self, fps: f64) -> Self {
        self.then(Fps::new(fps))
    }
}
