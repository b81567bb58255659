use enough::{Stop, StopReason};
use mediaflow_core::media::{Format, Image};
use mediaflow_core::{Error, Result, RunContext};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use webpx::{Encoder, EncoderConfig};

use super::metadata::MetadataPolicy;
use super::{check_side, fitting, metadata, too_large};
use crate::error;
use crate::pixels::widen;

/// `image.webp`: encodes as WebP, lossy or lossless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Webp {
    /// From 1 to 100; for lossless files, how hard they are compressed. Default 80.
    #[serde(default = "eighty")]
    pub quality: u8,
    /// Keep every pixel as it is. Default false.
    #[serde(default)]
    pub lossless: bool,
    /// How hard it is compressed, from 0 (fast) to 6 (small). Default 4.
    #[serde(default = "four")]
    pub effort: u8,
    /// The quality is lowered until the file has no more bytes than this. An error if it never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// What of the metadata is written. Default `private`.
    #[serde(default)]
    pub metadata: MetadataPolicy,
}

impl Default for Webp {
    fn default() -> Self {
        Self::quality(eighty())
    }
}

impl Webp {
    /// Lossy, at this quality, from 1 to 100.
    #[must_use]
    pub fn quality(quality: u8) -> Self {
        Self {
            quality,
            lossless: false,
            effort: four(),
            max_bytes: None,
            metadata: MetadataPolicy::default(),
        }
    }

    /// Every pixel as it is.
    #[must_use]
    pub fn lossless() -> Self {
        Self { lossless: true, ..Self::default() }
    }

    /// With this effort, from 0 to 6.
    #[must_use]
    pub fn effort(mut self, effort: u8) -> Self {
        self.effort = effort;
        self
    }

    /// In no more bytes than this.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// With this metadata.
    #[must_use]
    pub fn metadata(mut self, policy: MetadataPolicy) -> Self {
        self.metadata = policy;
        self
    }
}

pub(crate) fn encode(image: Image, how: &Webp, cx: &RunContext) -> Result<Vec<u8>> {
    check_side(&image, &Format::WEBP, 16_383)?;
    let kept = metadata::kept(&image, how.metadata);
    let image = widen(image, 3)?;
    let config = || {
        let mut config =
            EncoderConfig::new().method(how.effort).lossless(how.lossless).thread_level(0);
        if let Some(profile) = &kept.icc {
            config = config.icc_profile(profile.to_vec());
        }
        if let Some(tiff) = &kept.exif {
            config = config.exif(tiff.to_vec());
        }
        if let Some(packet) = &kept.xmp {
            config = config.xmp(packet.to_vec());
        }
        config
    };
    let encode = |quality: u8| {
        let config = config().quality(f32::from(quality));
        let (width, height) = (image.width(), image.height());
        let encoder = match image.channels() {
            4 => Encoder::new_rgba(image.pixels(), width, height),
            _ => Encoder::new_rgb(image.pixels(), width, height),
        };
        encoder.config(config).encode(Poll(cx)).map_err(|e| failed(e, cx))
    };
    if !how.lossless {
        return fitting(how.max_bytes, how.quality, cx, encode);
    }
    let bytes = encode(how.quality)?;
    match how.max_bytes.filter(|max| bytes.len() as u64 > *max) {
        Some(max) => Err(too_large(bytes.len(), max)),
        None => Ok(bytes),
    }
}

/// Tells the encoder, after each row of blocks, whether the job was cancelled.
struct Poll<'a>(&'a RunContext);

impl Stop for Poll<'_> {
    fn check(&self) -> std::result::Result<(), StopReason> {
        self.0.check().map_err(|_| StopReason::Cancelled)
    }
}

fn failed(cause: impl std::fmt::Display, cx: &RunContext) -> Error {
    cx.check().err().unwrap_or_else(|| error::encode(&Format::WEBP, cause.to_string()))
}

fn eighty() -> u8 {
    80
}

fn four() -> u8 {
    4
}
