use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Format;
use crate::wire::wire_enum;

/// What is known of a file, or predicted of a step's result, without decoding it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Stored")]
#[non_exhaustive]
pub struct MediaInfo {
    /// What it is.
    pub medium: Medium,
    /// The format of the content; [`Format::RAW`] for what is decoded.
    pub format: Format,
    /// Size of the file in bytes; zero if not known.
    pub bytes: u64,
    /// Width in pixels, upright: with `orientation` applied. Zero without a picture.
    pub width: u32,
    /// Height in pixels, upright. Zero without a picture.
    pub height: u32,
    /// Whether width and height of a step's result are only what they would be if there were no borders to
    /// [trim](crate::ops::TrimBorders): how large it is turns out while the job runs.
    #[serde(skip_serializing_if = "is_false")]
    pub estimated: bool,
    /// Channels of a still picture: 1 to 4; zero if not known.
    pub channels: u8,
    /// Whether there is an alpha channel.
    pub alpha: bool,
    /// Bits of one channel; zero if not known.
    #[serde(skip_serializing_if = "is_no_depth")]
    pub depth: u8,
    /// How the file stores it: the EXIF orientation, 1 to 8; 1 is upright, as all that is decoded.
    pub orientation: u8,
    /// Frames of an animation or video, if known; 1 for a still.
    pub frames: u64,
    /// Pages of a document; zero if not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub pages: u64,
    /// Bytes of memory that decoding takes beside the pixels; zero if little or not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub decoder_bytes: u64,
    /// Whether a picture is stored from coarse to fine: an interlaced PNG, a progressive JPEG. No row of it is there before
    /// most of the file was read.
    #[serde(skip_serializing_if = "is_false")]
    pub progressive: bool,
    /// Width and height in pixels, as stored, of the units of a picture that can be turned, and cut at their edges, as it stands in
    /// its file: 16 x 16 of most photos in JPEG. None if the format has none, or if colours have to be converted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<(u32, u32)>,
    /// Length of video or audio.
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub duration: Option<Duration>,
    /// The streams of a container.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamInfo>,
}

wire_enum! {
    /// What something is, whatever its format.
    #[derive(PartialOrd, Ord)]
    pub enum Medium {
        /// One picture.
        Still = "still",
        /// Pictures one after the other, without sound: an animated GIF.
        Animation = "animation",
        /// Moving pictures in a container, with or without sound.
        Video = "video",
        /// Sound alone.
        Audio = "audio",
        /// Pages.
        Document = "document",
        /// Several files that belong together.
        Bundle = "bundle",
        /// What was found out of something, as JSON.
        Facts = "facts",
        /// A file that nothing here can read.
        File = "file",
    }
}

/// How it is stored. Before it named its medium, sizes were those before `orientation`.
#[derive(Deserialize, JsonSchema)]
struct Stored {
    #[serde(default)]
    medium: Option<Medium>,
    format: Format,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    #[serde(default)]
    estimated: bool,
    #[serde(default)]
    channels: u8,
    #[serde(default)]
    alpha: bool,
    #[serde(default)]
    depth: u8,
    #[serde(default = "upright")]
    orientation: u8,
    #[serde(default = "one")]
    frames: u64,
    #[serde(default)]
    pages: u64,
    #[serde(default)]
    decoder_bytes: u64,
    #[serde(default)]
    progressive: bool,
    #[serde(default)]
    unit: Option<(u32, u32)>,
    #[serde(default, with = "seconds")]
    #[schemars(with = "Option<f64>")]
    duration: Option<Duration>,
    #[serde(default)]
    streams: Vec<StreamInfo>,
}

impl From<Stored> for MediaInfo {
    fn from(stored: Stored) -> Self {
        let medium = stored.medium.unwrap_or_else(|| stored.guessed());
        let mut info = Self {
            medium,
            format: stored.format,
            bytes: stored.bytes,
            width: stored.width,
            height: stored.height,
            estimated: stored.estimated,
            channels: stored.channels,
            alpha: stored.alpha,
            depth: stored.depth,
            orientation: stored.orientation,
            frames: stored.frames,
            pages: stored.pages,
            decoder_bytes: stored.decoder_bytes,
            progressive: stored.progressive,
            unit: stored.unit,
            duration: stored.duration,
            streams: stored.streams,
        };
        if stored.medium.is_none() && info.is_turned() {
            (info.width, info.height) = (info.height, info.width);
        }
        info
    }
}

impl Stored {
    /// What it is, of one that does not say so.
    fn guessed(&self) -> Medium {
        let has = |kind| self.streams.iter().any(|stream| stream.kind == kind);
        match (self.width, self.frames) {
            _ if has(StreamKind::Video) => Medium::Video,
            _ if has(StreamKind::Audio) => Medium::Audio,
            (0, _) => Medium::File,
            (_, 0 | 1) => Medium::Still,
            _ => Medium::Animation,
        }
    }
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

/// Bytes of sound that are decoded at a time, about five seconds of stereo.
const BLOCK: u64 = 2 << 20;

impl MediaInfo {
    /// A file of this format, of which nothing else is known.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            medium: Medium::File,
            format,
            bytes: 0,
            width: 0,
            height: 0,
            estimated: false,
            channels: 0,
            alpha: false,
            depth: 0,
            orientation: 1,
            frames: 1,
            pages: 0,
            decoder_bytes: 0,
            progressive: false,
            unit: None,
            duration: None,
            streams: Vec::new(),
        }
    }

    /// A still picture in this format, of this width and height in pixels.
    #[must_use]
    pub fn still(format: Format, width: u32, height: u32) -> Self {
        Self { medium: Medium::Still, ..Self::new(format).with_size(width, height) }
    }

    /// What it is once it is decoded: upright, and no file any more.
    #[must_use]
    pub fn decoded(mut self) -> Self {
        (self.format, self.bytes, self.orientation) = (Format::RAW, 0, 1);
        (self.decoder_bytes, self.progressive, self.unit) = (0, false, None);
        self
    }

    /// Of this medium.
    #[must_use]
    pub fn with_medium(mut self, medium: Medium) -> Self {
        self.medium = medium;
        self
    }

    /// With this width and height in pixels, upright.
    #[must_use]
    pub fn with_size(mut self, width: u32, height: u32) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// With a size that turns out while the job runs, or one that does not hang on that.
    #[must_use]
    pub fn with_estimated(mut self, estimated: bool) -> Self {
        self.estimated = estimated;
        self
    }

    /// With so many channels, of which an even number has alpha.
    #[must_use]
    pub fn with_channels(mut self, channels: u8) -> Self {
        self.channels = channels;
        self.alpha = channels > 0 && channels.is_multiple_of(2);
        self
    }

    /// In this format.
    #[must_use]
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// With so many frames; zero if that is not known.
    #[must_use]
    pub fn with_frames(mut self, frames: u64) -> Self {
        self.frames = frames;
        self
    }

    /// With so many pages.
    #[must_use]
    pub fn with_pages(mut self, pages: u64) -> Self {
        self.pages = pages;
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

    /// Width and height in pixels as the file stores them, before `orientation`.
    #[must_use]
    pub fn stored_size(&self) -> (u32, u32) {
        if self.is_turned() { (self.height, self.width) } else { (self.width, self.height) }
    }

    /// Whether the file stores it with its sides exchanged.
    fn is_turned(&self) -> bool {
        self.orientation >= 5
    }

    /// Whether there is a picture, and its size is known.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.pixels() > 0 && !self.estimated
    }

    /// Pixels of one frame.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes of memory that it takes once it is decoded, as far as it is held at once: a picture as a whole; of frames one
    /// that is there and one that is made; of a document one page; of sound a block.
    #[must_use]
    pub fn decoded_bytes(&self) -> u64 {
        let frames = match self.medium {
            Medium::Audio => return BLOCK,
            Medium::Animation | Medium::Video => 2,
            _ => 1,
        };
        // Whatever makes pixels opaque or not needs room for four channels.
        let pixel = 4 * u64::from(self.depth.max(8).div_ceil(8));
        self.pixels().saturating_mul(pixel * frames)
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

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's `skip_serializing_if` passes a reference"
)]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's `skip_serializing_if` passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's `skip_serializing_if` passes a reference"
)]
fn is_no_depth(depth: &u8) -> bool {
    *depth == 0
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_stored_before_media_had_names_is_read_upright() {
        let old = json!({ "format": "jpeg", "width": 4000, "height": 3000, "orientation": 6 });
        let info: MediaInfo = serde_json::from_value(old).unwrap();
        assert_eq!((info.medium, info.width, info.height), (Medium::Still, 3000, 4000));
        assert_eq!(info.stored_size(), (4000, 3000));
        let again: MediaInfo =
            serde_json::from_value(serde_json::to_value(&info).unwrap()).unwrap();
        assert_eq!(again, info, "and is not turned twice");
        let sound = json!({ "format": "mp4", "streams": [{ "kind": "audio", "codec": "aac" }] });
        let of = |value| serde_json::from_value::<MediaInfo>(value).unwrap().medium;
        assert_eq!(of(sound), Medium::Audio);
        assert_eq!(of(json!({ "format": "pdf" })), Medium::File);
        assert_eq!(
            of(json!({ "format": "gif", "width": 2, "height": 2, "frames": 9 })),
            Medium::Animation
        );
    }
}
