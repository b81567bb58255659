use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, coloured, picture};
use crate::Result;
use crate::cube::Cube;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::spec::Chain;

/// `lut`: looks colours up in a table that comes with the step: what colourists save as a `.cube` file.
///
/// A table with three sides is interpolated within tetrahedra, one with a single side along lines; colours beyond its domain are
/// those at its end. Alpha stays as it is. The table is a part of the spec, which it makes larger: one of 33 points on a side is
/// about a megabyte ([`Limits::spec_bytes`](crate::Limits::spec_bytes)).
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::ops::Lut;
///
/// let darker: Lut =
///     serde_json::from_str(r#"{"cube": "LUT_1D_SIZE 2\n0 0 0\n.7 .7 .7", "strength": 0.5}"#).unwrap();
/// assert_eq!(darker, Lut::of("LUT_1D_SIZE 2\n0 0 0\n.7 .7 .7".parse()?).strength(0.5));
/// assert!(serde_json::from_str::<Lut>(r#"{"cube": "LUT_3D_SIZE 65"}"#).is_err());
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Lut {
    /// The content of a `.cube` file, with at most 64 points on each of three sides or 65,536 on a single one.
    pub cube: Cube,
    /// How far colours go to where the table sends them, from 0 to 1. Default 1.
    #[serde(default = "all")]
    pub strength: f64,
}

impl Lut {
    /// By this table.
    #[must_use]
    pub fn of(cube: Cube) -> Self {
        Self { cube, strength: all() }
    }

    /// So far of the way, from 0 to 1.
    #[must_use]
    pub fn strength(mut self, strength: f64) -> Self {
        self.strength = strength;
        self
    }
}

impl From<Cube> for Lut {
    fn from(cube: Cube) -> Self {
        Self::of(cube)
    }
}

impl Operation for Lut {
    const KIND: &'static str = "lut";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("strength", self.strength, 0.0, 1.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        if self.strength == 0.0 || self.cube.keeps_grey() {
            return picture(inputs);
        }
        coloured(inputs)
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// With colours looked up in a table: a [`Cube`], or any [`Lut`].
    pub fn lut(self, how: impl Into<Lut>) -> Self {
        self.then(how.into())
    }
}

fn all() -> f64 {
    1.0
}
