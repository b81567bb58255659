use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{Extend, STILLS, check_range};
use crate::Result;
use crate::color::Color;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `border`: a line of one colour around the picture, which becomes larger by it.
///
/// ```
/// use mediaflow_core::Color;
/// use mediaflow_core::ops::Border;
///
/// let frame: Border = serde_json::from_str(r##"{"width": 4, "color": "#fff"}"##).unwrap();
/// assert_eq!(frame, Border::new(4, Color::WHITE));
/// assert_eq!(frame.size((600, 400)), (608, 408));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Border {
    /// How wide the line is, in pixels, at most 100,000.
    pub width: u32,
    /// The colour. Default black.
    #[serde(default = "black")]
    pub color: Color,
}

impl Border {
    /// So many pixels wide, in this colour.
    #[must_use]
    pub fn new(width: u32, color: Color) -> Self {
        Self { width, color }
    }

    /// What becomes of a picture of this size.
    #[must_use]
    pub fn size(&self, size: (u32, u32)) -> (u32, u32) {
        self.ground().size(size)
    }

    fn ground(self) -> Extend {
        Extend::all(self.width).background(self.color)
    }
}

impl Operation for Border {
    const KIND: &'static str = "border";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("width", self.width.into(), 0.0, 100_000.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        self.ground().describe(inputs)
    }

    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// With a line around it, so many pixels wide. See [`Border`].
    pub fn border(self, width: u32, color: Color) -> Self {
        self.then(Border::new(width, color))
    }
}

fn black() -> Color {
    Color::BLACK
}
