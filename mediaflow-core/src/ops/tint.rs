use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_opaque, coloured};
use crate::Result;
use crate::color::Color;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `tint`: the picture in the shades of one colour, as sharp's `tint` has it; alpha stays.
///
/// Of each pixel only the luma (as [`Grayscale`](super::Grayscale) has it) counts. Its lightness in CIELAB stays, and it is given
/// the `a` and `b` of the colour: all of them in the middle tones, fewer towards black and white, which stay as they are.
///
/// ```
/// use mediaflow_core::ops::Tint;
/// use mediaflow_core::{Color, Operation};
///
/// let blue: Tint = serde_json::from_str(r##"{"color": "#2040c0"}"##).unwrap();
/// assert_eq!(blue, Tint::with(Color::rgb(0x20, 0x40, 0xc0)));
/// assert_eq!(Tint::with(Color::TRANSPARENT).validate().unwrap_err().code(), "op.color");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Tint {
    /// The colour, opaque. How light it is does not matter.
    pub color: Color,
}

impl Tint {
    /// In the shades of this colour.
    #[must_use]
    pub fn with(color: Color) -> Self {
        Self { color }
    }
}

impl Operation for Tint {
    const KIND: &'static str = "tint";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_opaque("color", self.color)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        coloured(inputs)
    }

    /// All of the picture: it matters what is mixed first.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// In the shades of one colour. See [`Tint`].
    pub fn tint(self, color: Color) -> Self {
        self.then(Tint::with(color))
    }
}
