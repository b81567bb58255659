use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::MetadataPolicy;

/// `tiff`: encodes as TIFF, without loss, in strips, behind the feature `tiff`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Tiff {
    /// How its strips are packed. Default `deflate`.
    #[serde(default)]
    pub compression: TiffCompression,
    /// The file may have no more bytes than this; an error if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// What of the metadata is written. Default `private`.
    #[serde(default)]
    pub metadata: MetadataPolicy,
}

/// How the strips of a TIFF are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TiffCompression {
    /// By Deflate, after differences to the pixel before. The default.
    #[default]
    Deflate,
    /// Not at all: whoever reads it needs nothing, and it is the fastest.
    None,
}

impl Tiff {
    /// Packed by Deflate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Packed so.
    #[must_use]
    pub fn compression(mut self, compression: TiffCompression) -> Self {
        self.compression = compression;
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
