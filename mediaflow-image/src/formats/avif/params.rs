use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::MetadataPolicy;
use crate::formats::Chroma;

/// `avif`: encodes as AVIF, with losses, behind the feature `avif`. Grey pictures stay grey, and alpha is kept with next to no loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Avif {
    /// From 1 to 100, of its own scale: 50 is for photos what 80 is for JPEG. Default 50.
    #[serde(default = "fifty")]
    pub quality: u8,
    /// How hard it is compressed, from 0 (fast) to 9 (small). Default 2.
    #[serde(default = "two")]
    pub effort: u8,
    /// How much colour is kept. Default `4:2:0`.
    #[serde(default)]
    pub chroma: Chroma,
    /// The quality is lowered until the file has no more bytes than this. An error if it never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// What of the metadata is written. Default `private`.
    #[serde(default)]
    pub metadata: MetadataPolicy,
}

impl Default for Avif {
    fn default() -> Self {
        Self::quality(fifty())
    }
}

impl Avif {
    /// At this quality, from 1 to 100.
    #[must_use]
    pub fn quality(quality: u8) -> Self {
        Self {
            quality,
            effort: two(),
            chroma: Chroma::default(),
            max_bytes: None,
            metadata: MetadataPolicy::default(),
        }
    }

    /// With this effort, from 0 to 9.
    #[must_use]
    pub fn effort(mut self, effort: u8) -> Self {
        self.effort = effort;
        self
    }

    /// With this much colour.
    #[must_use]
    pub fn chroma(mut self, chroma: Chroma) -> Self {
        self.chroma = chroma;
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

impl From<u8> for Avif {
    fn from(quality: u8) -> Self {
        Self::quality(quality)
    }
}

fn fifty() -> u8 {
    50
}

fn two() -> u8 {
    2
}
