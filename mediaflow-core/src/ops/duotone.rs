use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_opaque, coloured};
use crate::Result;
use crate::color::Color;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `duotone`: the luma as a gradient from one colour to another, as Pillow's `ImageOps.colorize` has it; alpha stays.
///
/// The luma is that of [`Grayscale`](super::Grayscale); between the two colours their sRGB numbers are mixed.
///
/// ```
/// use mediaflow_core::ops::Duotone;
/// use mediaflow_core::{Color, Operation};
///
/// let print: Duotone =
///     serde_json::from_str(r##"{"shadows": "#001a4d", "highlights": "#ffd9b3"}"##).unwrap();
/// assert_eq!(print.shadows, Color::rgb(0, 0x1a, 0x4d));
/// assert!(print.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Duotone {
    /// What black becomes, opaque.
    pub shadows: Color,
    /// What white becomes, opaque.
    pub highlights: Color,
}

impl Duotone {
    /// From this colour in the shadows to that in the highlights.
    #[must_use]
    pub fn new(shadows: Color, highlights: Color) -> Self {
        Self { shadows, highlights }
    }
}

impl Operation for Duotone {
    const KIND: &'static str = "duotone";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_opaque("shadows", self.shadows)?;
        check_opaque("highlights", self.highlights)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        coloured(inputs)
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// From one colour in the shadows to another in the highlights. See [`Duotone`].
    pub fn duotone(self, shadows: Color, highlights: Color) -> Self {
        self.then(Duotone::new(shadows, highlights))
    }
}
