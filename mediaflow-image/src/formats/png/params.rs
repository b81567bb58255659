use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::MetadataPolicy;

/// `png`: encodes as PNG, without loss.
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

fn four() -> u8 {
    4
}
