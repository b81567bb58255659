use mediaflow_core::Color;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::MetadataPolicy;

/// `jpeg`: encodes as JPEG, with optimised Huffman tables.
///
/// With neither a quality nor `max_bytes` nor another `chroma`, what is a JPEG already is not encoded again: as far as it is only
/// cut, turned by quarters and mirrored, or given other metadata, its coefficients are laid down anew, or its data is copied. That
/// costs no quality, and it stays about as large as it was. A part, or a turn, has to begin on a unit of the picture, which is of 16 x 16 pixels mostly
/// ([`MediaInfo::unit`](mediaflow_core::media::MediaInfo::unit)); the blocks in which a part ends keep what they have beyond its edge, where no viewer shows
/// it. Whatever else is asked for is decoded and encoded, at a quality of 80; so is a picture with a colour profile that is not
/// sRGB, and one that is damaged. It is progressive if that is asked for, or if it was. The explanation of a plan says which way it
/// goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Jpeg {
    /// From 1 to 100. Default: none for what need not be encoded again, see above, and 80 for everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<u8>,
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

/// Without a quality.
impl Default for Jpeg {
    fn default() -> Self {
        Self {
            quality: None,
            progressive: false,
            chroma: Chroma::default(),
            background: Color::WHITE,
            max_bytes: None,
            metadata: MetadataPolicy::default(),
        }
    }
}

impl Jpeg {
    /// At this quality, from 1 to 100.
    #[must_use]
    pub fn quality(quality: u8) -> Self {
        Self { quality: Some(quality), ..Self::default() }
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

    /// The quality of what has to be encoded.
    pub(super) fn aim(&self) -> u8 {
        self.quality.unwrap_or(80)
    }
}

impl From<u8> for Jpeg {
    fn from(quality: u8) -> Self {
        Self::quality(quality)
    }
}

fn white() -> Color {
    Color::WHITE
}
