use async_trait::async_trait;
use mediaflow_core::media::{Format, MediaInfo};
use mediaflow_core::plan::Demand;
use mediaflow_core::{Inputs, OpContext, Operation, Outputs, Result};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{MetadataPolicy, check_range, encoded, into_file, with_channels};
use crate::encode;

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

#[async_trait]
impl Operation for Webp {
    const KIND: &'static str = "image.webp";

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let params = *self;
        into_file(inputs, cx, Format::WEBP, move |image, cx| encode::webp(image, &params, cx)).await
    }

    fn validate(&self) -> Result<()> {
        check_range("quality", f64::from(self.quality), 1.0, 100.0)?;
        check_range("effort", f64::from(self.effort), 0.0, 6.0)
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        let info = encoded(input, Format::WEBP)?;
        let channels = match info.channels {
            1 => 3,
            2 => 4,
            channels => channels,
        };
        Ok(with_channels(info, channels))
    }

    fn demand(&self, wanted: Demand, _input: &MediaInfo) -> Demand {
        wanted
    }

    fn schema() -> Option<Schema> {
        mediaflow_core::schema_of::<Self>()
    }
}

fn eighty() -> u8 {
    80
}

fn four() -> u8 {
    4
}
