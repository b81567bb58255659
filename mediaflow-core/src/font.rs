use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::codes;
use crate::{Error, Result};

/// How files of fonts begin: TrueType, OpenType, Apple's TrueType, and collections, of which the first font counts.
const MARKS: [&[u8]; 4] = [&[0, 1, 0, 0], b"OTTO", b"true", b"ttcf"];

/// The file of a font, TrueType or OpenType, which goes with a step: in JSON as Base64. Clones share it.
///
/// ```
/// use mediaflow_core::ops::Font;
///
/// let error = Font::new(&b"wOF2...."[..]).unwrap_err();
/// assert_eq!(error.code(), "font.format");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Font(Bytes);

impl Font {
    /// From the bytes of its file.
    ///
    /// # Errors
    /// `font.format`: it does not begin as a font does. Fonts that are packed for the web are none of these.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self> {
        let bytes = bytes.into();
        if MARKS.iter().any(|mark| bytes.starts_with(mark)) {
            return Ok(Self(bytes));
        }
        Err(Error::input(codes::FONT_FORMAT, "this is no font in the format TrueType or OpenType")
            .help("unpack WOFF and WOFF2 first"))
    }

    /// The bytes of its file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Font {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Font({} bytes)", self.0.len())
    }
}

impl Serialize for Font {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Font {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = STANDARD.decode(&*text).map_err(de::Error::custom)?;
        Self::new(bytes).map_err(de::Error::custom)
    }
}

impl JsonSchema for Font {
    fn schema_name() -> Cow<'static, str> {
        "Font".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "contentEncoding": "base64",
            "description": "The file of a font, TrueType or OpenType, in Base64"
        })
    }
}
