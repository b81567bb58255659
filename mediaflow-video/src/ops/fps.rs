use mediaflow_core::media::{MediaInfo, StreamKind};
use mediaflow_core::{
    Error, Inputs, OpContext, Operation, Outputs, Result, async_trait, schema_of,
};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

/// Gives the picture a constant rate, by dropping and repeating frames. Without this step frames keep their own times.
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

#[async_trait]
impl Operation for Fps {
    const KIND: &'static str = "video.fps";

    async fn run(&self, _inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        Err(super::needs_backend(Self::KIND))
    }

    fn validate(&self) -> Result<()> {
        if self.fps.is_finite() && self.fps >= 0.1 && self.fps <= 240.0 {
            return Ok(());
        }
        Err(Error::input("video.fps", "a frame rate lies between 0.1 and 240")
            .with("fps", self.fps))
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        super::require_video(input)?;
        let mut output = input.clone();
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
