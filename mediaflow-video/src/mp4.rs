use mediaflow_core::media::{Format, MediaInfo, Medium, MetadataPolicy, StreamInfo, StreamKind};
use mediaflow_core::{Error, Operation, Result, codes, schema_of};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::error;
use crate::exit::{Exit, Product};
use crate::gst::settings::{Aac, H264};
use crate::gst::upright::even_sides;

/// `mp4`: encodes to MP4: H.264 and AAC, the index in front so that a browser can start at once.
///
/// Ten and more bits become eight; sound becomes stereo, or stays mono.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Mp4 {
    /// Constant rate factor, 0 (lossless, huge) to 51 (small, ugly); six more halve the size. Default 23.
    pub crf: u8,
    /// How much time is spent on a smaller file. Default `medium`.
    pub preset: Preset,
    /// What a player must understand. Default `high`.
    pub profile: Profile,
    /// Frames from one key frame to the next at most. Default: those of ten seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gop: Option<u32>,
    /// What becomes of the sound. Default `keep`.
    pub audio: Sound,
    /// Bits per second of the sound, 32,000 to 320,000. Default 128,000.
    pub audio_bitrate: u32,
    /// What is written of what the source says of itself: its title, its place and so on. Default `private`, which is nothing.
    #[serde(skip_serializing_if = "MetadataPolicy::is_default")]
    pub metadata: MetadataPolicy,
}

/// x264's presets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names of x264, from fast and large to slow and small")]
pub enum Preset {
    Ultrafast,
    Superfast,
    Veryfast,
    Faster,
    Fast,
    #[default]
    Medium,
    Slow,
    Slower,
    Veryslow,
}

/// Profiles of H.264.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Profile {
    /// Without B-frames: the simplest decoders.
    Baseline,
    /// With B-frames.
    Main,
    /// With everything that today's players understand.
    #[default]
    High,
}

/// What becomes of the sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Sound {
    /// It is kept if there is any.
    #[default]
    Keep,
    /// It is left out.
    None,
}

impl Default for Mp4 {
    fn default() -> Self {
        Self {
            crf: 23,
            preset: Preset::default(),
            profile: Profile::default(),
            gop: None,
            audio: Sound::default(),
            audio_bitrate: 128_000,
            metadata: MetadataPolicy::default(),
        }
    }
}

impl Mp4 {
    /// With this constant rate factor.
    #[must_use]
    pub fn crf(crf: u8) -> Self {
        Self { crf, ..Self::default() }
    }

    /// With this preset.
    #[must_use]
    pub fn preset(mut self, preset: Preset) -> Self {
        self.preset = preset;
        self
    }

    /// With this profile.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// With a key frame at least every so many frames.
    #[must_use]
    pub fn gop(mut self, frames: u32) -> Self {
        self.gop = Some(frames);
        self
    }

    /// With sound at this many bits per second.
    #[must_use]
    pub fn audio_bitrate(mut self, bits_per_second: u32) -> Self {
        self.audio_bitrate = bits_per_second;
        self
    }

    /// With this of what the source says of itself.
    #[must_use]
    pub fn metadata(mut self, policy: MetadataPolicy) -> Self {
        self.metadata = policy;
        self
    }

    /// Without sound.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.audio = Sound::None;
        self
    }

    pub(crate) fn exit(&self, name: &str) -> Exit {
        Exit::new(
            name,
            Product::Mp4 { video: self.video(), audio: self.sound(), metadata: self.metadata },
        )
    }

    fn video(&self) -> H264 {
        let profile = match self.profile {
            Profile::Baseline => "baseline",
            Profile::Main => "main",
            Profile::High => "high",
        };
        H264 { crf: self.crf, preset: self.preset.name(), profile, gop: self.gop }
    }

    fn sound(&self) -> Option<Aac> {
        (self.audio == Sound::Keep).then_some(Aac { bitrate: self.audio_bitrate })
    }
}

impl Preset {
    fn name(self) -> &'static str {
        match self {
            Self::Ultrafast => "ultrafast",
            Self::Superfast => "superfast",
            Self::Veryfast => "veryfast",
            Self::Faster => "faster",
            Self::Fast => "fast",
            Self::Medium => "medium",
            Self::Slow => "slow",
            Self::Slower => "slower",
            Self::Veryslow => "veryslow",
        }
    }
}

impl Operation for Mp4 {
    const KIND: &'static str = "mp4";
    const ALIASES: &'static [&'static str] = &["video.mp4"];
    const MEDIA: &'static [Medium] = &[Medium::Video];

    fn writes(&self) -> Option<Format> {
        Some(Format::MP4)
    }

    fn validate(&self) -> Result<()> {
        if self.crf > 51 {
            return Err(Error::input(
                codes::VIDEO_CRF,
                "a constant rate factor lies between 0 and 51",
            )
            .with("crf", self.crf));
        }
        if self.gop == Some(0) {
            return Err(Error::input(codes::VIDEO_GOP, "key frames are at least one frame apart")
                .with("gop", 0));
        }
        if !(32_000..=320_000).contains(&self.audio_bitrate) {
            return Err(Error::input(
                codes::VIDEO_AUDIO_BITRATE,
                "sound has between 32,000 and 320,000 bits per second",
            )
            .with("audio_bitrate", self.audio_bitrate));
        }
        Ok(())
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let input = inputs.first().ok_or_else(|| error::no_stream("video"))?;
        let (width, height) = even_sides((input.width, input.height));
        let mut output =
            MediaInfo::new(Format::MP4).with_medium(Medium::Video).with_size(width, height);
        // How many frames there are is known when they are decoded; the plan counts them.
        (output.duration, output.frames) = (input.duration, 0);
        if self.audio == Sound::None && input.stream(StreamKind::Audio).is_some() {
            // Without its sound a clip is as long as its picture, which may be shorter.
            output.duration = None;
        }
        let mut picture = StreamInfo::new(StreamKind::Video, "h264");
        picture.fps = input.stream(StreamKind::Video).and_then(|stream| stream.fps);
        output.streams.push(picture);
        if let Some(sound) = input.stream(StreamKind::Audio).filter(|_| self.audio == Sound::Keep) {
            let mut kept = StreamInfo::new(StreamKind::Audio, "aac");
            kept.channels = sound.channels.map(|channels| channels.min(2));
            kept.language.clone_from(&sound.language);
            output.streams.push(kept);
        }
        Ok(output)
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl From<u8> for Mp4 {
    fn from(crf: u8) -> Self {
        Self::crf(crf)
    }
}
