use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Format;
use crate::wire::wire_enum;

/// What is known of a file, or predicted of a step's result, without decoding it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MediaInfo {
    /// The format of the content.
    pub format: Format,
    /// Size of the file in bytes; zero if not known.
    #[serde(default)]
    pub bytes: u64,
    /// Width in pixels as stored, before `orientation`; zero without a picture.
    #[serde(default)]
    pub width: u32,
    /// Height in pixels as stored, before `orientation`; zero without a picture.
    #[serde(default)]
    pub height: u32,
    /// Channels of a still picture: 1 to 4; zero if not known.
    #[serde(default)]
    pub channels: u8,
    /// Whether there is an alpha channel.
    #[serde(default)]
    pub alpha: bool,
    /// The EXIF orientation, 1 to 8; 1 is upright.
    #[serde(default = "upright")]
    pub orientation: u8,
    /// Frames of an animation or video, if known; 1 for a still.
    #[serde(default = "one")]
    pub frames: u64,
    /// Length of video or audio.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub duration: Option<Duration>,
    /// The streams of a container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamInfo>,
}

/// One stream of a container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Video, audio or subtitles.
    pub kind: StreamKind,
    /// The codec's usual name: `h264`, `aac`.
    pub codec: String,
    /// Frames per second of video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// Samples per second of audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
    /// Channels of audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u32>,
    /// Bits per second, if the container says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u32>,
    /// The language, as the container says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

wire_enum! {
    /// What a stream carries.
    pub enum StreamKind {
        /// Moving pictures.
        Video = "video",
        /// Sound.
        Audio = "audio",
        /// Text over pictures.
        Subtitle = "subtitle",
    }
}

impl MediaInfo {
    /// Of this format; nothing else is known.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            bytes: 0,
            width: 0,
            height: 0,
            channels: 0,
            alpha: false,
            orientation: 1,
            frames: 1,
            duration: None,
            streams: Vec::new(),
        }
    }

    /// With this width and height in pixels.
    #[must_use]
    pub fn with_size(mut self, width: u32, height: u32) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// With this size in bytes.
    #[must_use]
    pub fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// With this length.
    #[must_use]
    pub fn with_duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Width and height as a viewer sees them, with `orientation` applied.
    #[must_use]
    pub fn upright_size(&self) -> (u32, u32) {
        if self.orientation >= 5 { (self.height, self.width) } else { (self.width, self.height) }
    }

    /// Pixels of one frame.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// The first stream of a kind.
    #[must_use]
    pub fn stream(&self, kind: StreamKind) -> Option<&StreamInfo> {
        self.streams.iter().find(|stream| stream.kind == kind)
    }
}

impl StreamInfo {
    /// A stream of this codec; nothing else is known.
    #[must_use]
    pub fn new(kind: StreamKind, codec: impl Into<String>) -> Self {
        Self {
            kind,
            codec: codec.into(),
            fps: None,
            sample_rate: None,
            channels: None,
            bitrate: None,
            language: None,
        }
    }
}

fn upright() -> u8 {
    1
}

fn one() -> u64 {
    1
}

pub(crate) mod seconds {
    //! A duration as seconds with a fraction.
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde's `with` passes a reference")]
    pub(crate) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|time| time.as_secs_f64()).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<f64>::deserialize(deserializer)?
            .map(|seconds| Duration::try_from_secs_f64(seconds).map_err(de::Error::custom))
            .transpose()
    }
}
