use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::codes;
use crate::{Error, Result};

/// Points on a side of a table with three, at most.
const MOST_3D: usize = 64;

/// Points of a table with one side, at most.
const MOST_1D: usize = 65_536;

/// A look-up table of colours, as `.cube` files have it (Adobe's format, version 1.0, and the input ranges of Resolve): what becomes
/// of red, green and blue. It has one side, and then each channel is looked up by itself, or three. Clones share it.
///
/// ```
/// use mediaflow_core::ops::Cube;
///
/// let swapped: Cube = "LUT_1D_SIZE 2\n1 1 1\n0 0 0\n".parse()?;
/// assert_eq!((swapped.size(), swapped.is_3d()), (2, false));
/// let error = "LUT_3D_SIZE 2\n0 0 0\n".parse::<Cube>().unwrap_err();
/// assert_eq!((error.code(), error.fact("needed")), ("lut.values", Some("8")));
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Cube {
    text: Arc<str>,
    table: Arc<Table>,
}

struct Table {
    size: usize,
    is_3d: bool,
    domain: [[f32; 3]; 2],
    values: Vec<[f32; 3]>,
}

impl Cube {
    /// Points on a side: 2 to 64 of three, 2 to 65,536 of one.
    #[must_use]
    pub fn size(&self) -> usize {
        self.table.size
    }

    /// Whether it has three sides.
    #[must_use]
    pub fn is_3d(&self) -> bool {
        self.table.is_3d
    }

    /// The red, green and blue that the first point stands for, and those of the last one. 0 and 1 are black and white.
    #[must_use]
    pub fn domain(&self) -> [[f32; 3]; 2] {
        self.table.domain
    }

    /// What becomes of each point, red running fastest. 0 and 1 are black and white; it may lie beyond.
    #[must_use]
    pub fn values(&self) -> &[[f32; 3]] {
        &self.table.values
    }

    /// Whether grey stays grey in any case: each channel is looked up by itself, and all in the same way.
    #[must_use]
    pub fn keeps_grey(&self) -> bool {
        let alike = |of: &[f32; 3]| of.iter().all(|value| value.to_bits() == of[0].to_bits());
        !self.is_3d() && self.domain().iter().all(alike) && self.values().iter().all(alike)
    }
}

impl FromStr for Cube {
    type Err = Error;

    /// # Errors
    /// `lut.syntax`: a line that is none of the format, named by its number;
    /// `lut.size`: no size, two of them, or too many points;
    /// `lut.values`: more or fewer points than was said.
    fn from_str(text: &str) -> Result<Self> {
        let mut reading = Reading::default();
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim).zip(1..);
        for (line, number) in lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')) {
            reading.line(line).map_err(|e| e.with("line", number))?;
        }
        Ok(Self { table: Arc::new(reading.end()?), text: text.into() })
    }
}

/// A table while its lines come.
struct Reading {
    size: Option<(usize, bool)>,
    domain: [[f32; 3]; 2],
    values: Vec<[f32; 3]>,
}

impl Default for Reading {
    fn default() -> Self {
        Self { size: None, domain: [[0.0; 3], [1.0; 3]], values: Vec::new() }
    }
}

impl Reading {
    fn line(&mut self, line: &str) -> Result<()> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            "TITLE" => {}
            "DOMAIN_MIN" => self.domain[0] = numbers(rest)?,
            "DOMAIN_MAX" => self.domain[1] = numbers(rest)?,
            "LUT_1D_INPUT_RANGE" | "LUT_3D_INPUT_RANGE" => {
                let [low, high] = numbers(rest)?;
                self.domain = [[low; 3], [high; 3]];
            }
            "LUT_1D_SIZE" => self.sized(rest, false)?,
            "LUT_3D_SIZE" => self.sized(rest, true)?,
            _ => self.value(numbers(line)?)?,
        }
        Ok(())
    }

    fn sized(&mut self, text: &str, is_3d: bool) -> Result<()> {
        let most = if is_3d { MOST_3D } else { MOST_1D };
        let size = text.trim().parse().map_err(|_| syntax())?;
        if self.size.is_some() {
            return Err(Error::input(codes::LUT_SIZE, "a look-up table has one size")
                .help("two tables in one file are two steps: split it"));
        }
        if !(2..=most).contains(&size) {
            let what = format!("a side of a look-up table has 2 to {most} points");
            return Err(Error::input(codes::LUT_SIZE, what).with("size", size));
        }
        self.size = Some((size, is_3d));
        Ok(())
    }

    fn value(&mut self, value: [f32; 3]) -> Result<()> {
        let needed = self.needed()?;
        if self.values.len() == needed {
            return Err(wrong_count("more", needed));
        }
        self.values.push(value);
        Ok(())
    }

    /// How many points there have to be.
    fn needed(&self) -> Result<usize> {
        let size = self.size.ok_or_else(|| {
            Error::input(codes::LUT_SIZE, "a look-up table does not say how large it is")
                .help("put `LUT_3D_SIZE 33` before its points")
        });
        size.map(|(size, is_3d)| if is_3d { size * size * size } else { size })
    }

    fn end(self) -> Result<Table> {
        let needed = self.needed()?;
        if self.values.len() != needed {
            return Err(wrong_count("fewer", needed).with("found", self.values.len()));
        }
        let [low, high] = self.domain;
        if low.iter().zip(high).any(|(low, high)| *low >= high) {
            return Err(syntax().with("domain", format_args!("{low:?} to {high:?}")));
        }
        let (size, is_3d) = self.size.unwrap_or_default();
        Ok(Table { size, is_3d, domain: self.domain, values: self.values })
    }
}

/// So many numbers and no more.
fn numbers<const N: usize>(text: &str) -> Result<[f32; N]> {
    let mut words = text.split_whitespace();
    let mut found = [0.0; N];
    for place in &mut found {
        let number = words.next().and_then(|word| word.parse().ok());
        *place = number.filter(|number: &f32| number.is_finite()).ok_or_else(syntax)?;
    }
    if words.next().is_none() { Ok(found) } else { Err(syntax()) }
}

fn syntax() -> Error {
    Error::input(codes::LUT_SYNTAX, "this is no look-up table in the format `.cube`").help(
        "a line is a comment, a keyword with its numbers, or the red, green and blue of a point",
    )
}

fn wrong_count(how: &str, needed: usize) -> Error {
    let what = format!("a look-up table has {how} points than it says");
    Error::input(codes::LUT_VALUES, what).with("needed", needed)
}

impl fmt::Debug for Cube {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sides = if self.is_3d() { 3 } else { 1 };
        f.debug_struct("Cube").field("sides", &sides).field("size", &self.size()).finish()
    }
}

/// Of the same text.
impl PartialEq for Cube {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Cube {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Cube {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Cube {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Cube {
    fn schema_name() -> Cow<'static, str> {
        "Cube".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "The content of a `.cube` file" })
    }
}
