use std::borrow::Cow;

use mediaflow_core::media::{Format, Image, Metadata};
use mediaflow_core::{Result, RunContext};
use png::{BitDepth, ColorType, Compression, Encoder, Info};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metadata::MetadataPolicy;
use super::{check_side, metadata, too_large};
use crate::error;

/// `image.png`: encodes as PNG, without loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Png {
    /// How hard it is compressed, from 0 (fast) to 10 (small). Default 4.
    #[serde(default = "four")]
    pub effort: u8,
    /// The file may have no more bytes than this: more effort is tried, then it is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// What of the metadata is written. Default `private`.
    #[serde(default)]
    pub metadata: MetadataPolicy,
}

impl Default for Png {
    fn default() -> Self {
        Self { effort: four(), max_bytes: None, metadata: MetadataPolicy::default() }
    }
}

impl Png {
    /// With the default effort.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With this effort, from 0 to 10.
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

pub(crate) fn encode(image: &Image, how: &Png, cx: &RunContext) -> Result<Vec<u8>> {
    check_side(image, &Format::PNG, i32::MAX.unsigned_abs())?;
    let kept = metadata::kept(image, how.metadata);
    let bytes = write(image, compression(how.effort), &kept)?;
    let Some(max) = how.max_bytes.filter(|max| bytes.len() as u64 > *max) else { return Ok(bytes) };
    // Nothing can be given up without loss; more effort is all there is.
    cx.check()?;
    let smallest = write(image, Compression::High, &kept)?;
    if smallest.len() as u64 <= max { Ok(smallest) } else { Err(too_large(smallest.len(), max)) }
}

fn compression(effort: u8) -> Compression {
    match effort {
        0..=1 => Compression::Fastest,
        2..=5 => Compression::Fast,
        6..=8 => Compression::Balanced,
        _ => Compression::High,
    }
}

fn write(image: &Image, compression: Compression, kept: &Metadata) -> Result<Vec<u8>> {
    let failed = |cause| error::encode(&Format::PNG, cause);
    let mut info = Info::with_size(image.width(), image.height());
    info.bit_depth = BitDepth::Eight;
    info.color_type = match image.channels() {
        1 => ColorType::Grayscale,
        2 => ColorType::GrayscaleAlpha,
        3 => ColorType::Rgb,
        _ => ColorType::Rgba,
    };
    info.icc_profile = kept.icc.as_deref().map(Cow::Borrowed);
    info.exif_metadata = kept.exif.as_deref().map(Cow::Borrowed);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::with_info(&mut bytes, info).map_err(failed)?;
    encoder.set_compression(compression);
    if let Some(packet) = kept.xmp.as_deref().and_then(|packet| std::str::from_utf8(packet).ok()) {
        encoder
            .add_itxt_chunk("XML:com.adobe.xmp".to_owned(), packet.to_owned())
            .map_err(failed)?;
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(image.pixels()).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

fn four() -> u8 {
    4
}
