use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::MetadataPolicy;

/// `gif`: encodes as GIF, one frame of few colours. A picture that has no more than that keeps its own; what has less than half of alpha
/// is not seen, all else is opaque. Of the metadata a GIF has a place for XMP alone: who made a picture is written there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Gif {
    /// How many colours there are at most, from 2 to 256; one of them stands for what is not seen, if there is such. Default 256.
    #[serde(default = "all")]
    pub colors: u16,
    /// How much of what is wrong in a pixel is made good in its neighbours, from 0 to 1. Default 1.
    #[serde(default = "whole")]
    pub dither: f64,
    /// The file may have no more bytes than this; an error if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// What of the metadata is written. Default `private`.
    #[serde(default)]
    pub metadata: MetadataPolicy,
}

impl Default for Gif {
    fn default() -> Self {
        Self {
            colors: all(),
            dither: whole(),
            max_bytes: None,
            metadata: MetadataPolicy::default(),
        }
    }
}

impl Gif {
    /// In 256 colours.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// In so many colours at most, from 2 to 256.
    #[must_use]
    pub fn colors(mut self, colors: u16) -> Self {
        self.colors = colors;
        self
    }

    /// With so much of this, from 0 to 1.
    #[must_use]
    pub fn dither(mut self, dither: f64) -> Self {
        self.dither = dither;
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

fn all() -> u16 {
    256
}

fn whole() -> f64 {
    1.0
}
