use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::codes;
use crate::{Error, Result};

/// A length along a side of a picture: in pixels, or a part of that side. Written as a number, or as CSS does: `"12.5%"`.
///
/// ```
/// use mediaflow_core::geometry::Length;
///
/// let half: Length = serde_json::from_str(r#""50%""#).unwrap();
/// assert_eq!(half, Length::Percent(50.0));
/// assert_eq!(half.of(301), 150.5);
/// assert_eq!(Length::from(40), serde_json::from_str("40").unwrap());
/// assert!("101%".parse::<Length>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a length is absolute or relative")]
pub enum Length {
    /// So many pixels.
    Pixels(u32),
    /// A part of the side, from 0 to 100.
    Percent(f64),
}

impl Length {
    /// No length.
    pub const ZERO: Self = Self::Pixels(0);

    /// In pixels of a side with so many; it may end between two of them.
    #[must_use]
    pub fn of(self, side: u32) -> f64 {
        match self {
            Self::Pixels(pixels) => f64::from(pixels),
            Self::Percent(part) => f64::from(side) * part / 100.0,
        }
    }

    /// Refuses a part that is none.
    ///
    /// # Errors
    /// `geometry.length`.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Percent(part) if !(0.0..=100.0).contains(&part) => Err(wrong(self)),
            _ => Ok(()),
        }
    }
}

impl From<u32> for Length {
    fn from(pixels: u32) -> Self {
        Self::Pixels(pixels)
    }
}

impl FromStr for Length {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let length = match text.strip_suffix('%') {
            Some(part) => part.parse().ok().map(Self::Percent),
            None => text.parse().ok().map(Self::Pixels),
        };
        let length = length.ok_or_else(|| wrong(text))?;
        length.check()?;
        Ok(length)
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pixels(pixels) => write!(f, "{pixels}"),
            Self::Percent(part) => write!(f, "{part}%"),
        }
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Pixels(pixels) => serializer.serialize_u32(*pixels),
            Self::Percent(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Length;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number of pixels from 0 on, or a part such as \"12.5%\"")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Length, E> {
        let pixels = u32::try_from(value);
        pixels
            .map(Length::Pixels)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Length, E> {
        value.parse().map_err(E::custom)
    }
}

impl JsonSchema for Length {
    fn schema_name() -> Cow<'static, str> {
        "Length".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Pixels, or a part of the side: `\"12.5%\"`",
            "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": u32::MAX },
                { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%?$" }
            ]
        })
    }
}

fn wrong(length: impl fmt::Display) -> Error {
    Error::input(codes::GEOMETRY_LENGTH, "this is no length along a side")
        .with("length", length)
        .help("give pixels as a whole number, or a part from \"0%\" to \"100%\"")
}
