use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::codes;
use crate::{Error, Result};

/// The shape of a rectangle: its width beside its height. Written as `"16:9"`, or as one number, `1.5`.
///
/// ```
/// use mediaflow_core::geometry::Aspect;
///
/// let wide: Aspect = "16:9".parse()?;
/// assert_eq!(wide, Aspect::new(16.0, 9.0));
/// assert_eq!(wide.largest((1000, 1000)), (1000.0, 562.5));
/// assert_eq!(serde_json::from_str::<Aspect>("1.5").unwrap(), Aspect::new(1.5, 1.0));
/// assert_eq!("0:1".parse::<Aspect>().unwrap_err().code(), "geometry.aspect");
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aspect {
    width: f64,
    height: f64,
}

impl Aspect {
    /// So wide beside so high.
    #[must_use]
    pub const fn new(width: f64, height: f64) -> Self {
        Self { width, height }
    }

    /// How many times as wide as high it is.
    #[must_use]
    pub fn ratio(self) -> f64 {
        self.width / self.height
    }

    /// Width and height of the largest rectangle of this shape inside a picture of this size; one of them may end between two pixels.
    #[must_use]
    pub fn largest(self, (width, height): (u32, u32)) -> (f64, f64) {
        let (w, h) = (f64::from(width), f64::from(height));
        let ratio = self.ratio();
        if w > h * ratio { (h * ratio, h) } else { (w, w / ratio) }
    }

    /// Refuses what is no shape.
    ///
    /// # Errors
    /// `geometry.aspect`: more than 10,000 times as long on one side as on the other, or no number.
    pub fn check(self) -> Result<()> {
        let sides = self.width > 0.0 && self.height > 0.0;
        if sides && (1e-4..=1e4).contains(&self.ratio()) { Ok(()) } else { Err(wrong(self)) }
    }
}

impl FromStr for Aspect {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (width, height) = text.split_once(':').unwrap_or((text, "1"));
        let aspect = width.parse().ok().zip(height.parse().ok());
        let aspect = aspect.map(|(width, height)| Self { width, height });
        let aspect = aspect.ok_or_else(|| wrong(text))?;
        aspect.check()?;
        Ok(aspect)
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.width, self.height)
    }
}

impl Serialize for Aspect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Aspect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Aspect;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a shape such as \"16:9\" or 1.5")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Aspect, E> {
        let aspect = Aspect::new(value, 1.0);
        aspect.check().map_err(E::custom)?;
        Ok(aspect)
    }

    #[expect(clippy::cast_precision_loss, reason = "what is lost is far beyond what is allowed")]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Aspect, E> {
        self.visit_f64(value as f64)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Aspect, E> {
        value.parse().map_err(E::custom)
    }
}

impl JsonSchema for Aspect {
    fn schema_name() -> Cow<'static, str> {
        "Aspect".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Width beside height: `\"16:9\"`, or one number",
            "anyOf": [
                { "type": "number", "exclusiveMinimum": 0 },
                { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(:[0-9]+(\.[0-9]+)?)?$" }
            ]
        })
    }
}

fn wrong(aspect: impl fmt::Display) -> Error {
    Error::input(codes::GEOMETRY_ASPECT, "this is no shape of a rectangle")
        .with("aspect", aspect)
        .help("write width and height as \"16:9\", neither more than 10,000 times the other")
}
