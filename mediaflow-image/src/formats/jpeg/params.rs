use mediaflow_core::Color;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::MetadataPolicy;

/// `jpeg`: encodes as JPEG, with optimised Huffman tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Jpeg {
    /// From 1 to 100. Default 80.
    #[serde(default = "eighty")]
    pub quality: u8,
    /// In several passes: a little smaller, and a preview comes first. Default false.
    #[serde(default)]
    pub progressive: bool,
    /// How much colour is kept. Default `4:2:0`.
    #[serde(default)]
    pub chroma: Chroma,
    /// What is put under transparent pixels. Default white.
    #[serde(default = "white")]
    pub background: Color,
    /// The quality is lowered until the file has no more bytes than this. An error if it never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// What of the metadata is written. Default `private`.
    #[serde(default)]
    pub metadata: MetadataPolicy,
}

/// How much colour a JPEG keeps, against its brightness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum Chroma {
    /// A quarter: what photos need. The default.
    #[default]
    #[serde(rename = "4:2:0")]
    Quarter,
    /// Half.
    #[serde(rename = "4:2:2")]
    Half,
    /// All: for text and drawings.
    #[serde(rename = "4:4:4")]
    Full,
}

impl Default for Jpeg {
    fn default() -> Self {
        Self::quality(eighty())
    }
}

impl Jpeg {
    /// At this quality, from 1 to 100.
    #[must_use]
    pub fn quality(quality: u8) -> Self {
        Self {
            quality,
            progressive: false,
            chroma: Chroma::default(),
            background: Color::WHITE,
            max_bytes: None,
            metadata: MetadataPolicy::default(),
        }
    }

    /// In several passes.
    #[must_use]
    pub fn progressive(mut self) -> Self {
        self.progressive = true;
        self
    }

    /// With this much colour.
    #[must_use]
    pub fn chroma(mut self, chroma: Chroma) -> Self {
        self.chroma = chroma;
        self
    }

    /// With this under transparent pixels.
    #[must_use]
    pub fn background(mut self, background: Color) -> Self {
        self.background = background;
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

impl From<u8> for Jpeg {
    fn from(quality: u8) -> Self {
        Self::quality(quality)
    }
}

fn eighty() -> u8 {
    80
}

fn white() -> Color {
    Color::WHITE
}
