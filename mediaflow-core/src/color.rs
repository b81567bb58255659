use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::codes;
use crate::{Error, Result};

/// An sRGB colour. Written as CSS does: `#fff`, `#ffcc00`, `#ffcc0080`, `white`, `black`, `transparent`.
///
/// ```
/// use mediaflow_core::Color;
///
/// let sand: Color = "#fc08".parse()?;
/// assert_eq!(sand, Color::rgba(255, 204, 0, 136));
/// assert_eq!(sand.to_string(), "#ffcc0088");
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Color([u8; 4]);

impl Color {
    /// Opaque white.
    pub const WHITE: Self = Self::rgb(255, 255, 255);
    /// Opaque black.
    pub const BLACK: Self = Self::rgb(0, 0, 0);
    /// Nothing.
    pub const TRANSPARENT: Self = Self::rgba(0, 0, 0, 0);

    /// An opaque colour.
    #[must_use]
    pub const fn rgb(r: u8, g: u8, b: u8) -> Self {
        Self([r, g, b, 255])
    }

    /// A colour with alpha: 0 is nothing, 255 is opaque.
    #[must_use]
    pub const fn rgba(r: u8, g: u8, b: u8, a: u8) -> Self {
        Self([r, g, b, a])
    }

    /// Red, green, blue and alpha.
    #[must_use]
    pub const fn channels(self) -> [u8; 4] {
        self.0
    }

    /// Whether nothing shows through.
    #[must_use]
    pub fn is_opaque(self) -> bool {
        self.0[3] == 255
    }

    /// Whether it has no hue.
    #[must_use]
    pub fn is_grey(self) -> bool {
        let [r, g, b, _] = self.0;
        r == g && g == b
    }
}

impl FromStr for Color {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::input(codes::COLOR_SYNTAX, "this is not a colour")
                .with("color", text)
                .help("write it as `#ffcc00`, `#ffcc0080`, `white`, `black` or `transparent`")
        };
        match text {
            "white" => return Ok(Self::WHITE),
            "black" => return Ok(Self::BLACK),
            "transparent" => return Ok(Self::TRANSPARENT),
            _ => {}
        }
        let digits = text.strip_prefix('#').ok_or_else(wrong)?;
        let digits =
            digits.chars().map(|c| c.to_digit(16)).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
        let bytes: Vec<u32> = match digits.len() {
            3 | 4 => digits.iter().map(|digit| digit * 17).collect(),
            6 | 8 => digits.chunks_exact(2).map(|pair| pair[0] * 16 + pair[1]).collect(),
            _ => return Err(wrong()),
        };
        let byte =
            |i: usize| bytes.get(i).and_then(|value| u8::try_from(*value).ok()).unwrap_or(255);
        Ok(Self([byte(0), byte(1), byte(2), byte(3)]))
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [r, g, b, a] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")?;
        if a == 255 { Ok(()) } else { write!(f, "{a:02x}") }
    }
}

impl Serialize for Color {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Color {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Color {
    fn schema_name() -> Cow<'static, str> {
        "Color".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A CSS colour: `#fff`, `#ffcc00`, `#ffcc0080`, `white`, `black` or `transparent`"
        })
    }
}
