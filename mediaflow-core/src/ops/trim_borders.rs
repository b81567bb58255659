use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::Result;
use crate::color::Color;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `trim_borders`: cuts off what lies around the picture in one colour, as sharp's `trim` does.
///
/// What is a border is decided after single pixels that stand out are smoothed away, channel by channel, alpha too. Of a picture
/// that is nothing but border, nothing is cut off. How large the result is turns out while the job runs: it and what is made of it
/// are planned as if nothing were cut off ([`MediaInfo::estimated`]), and planned again once it is there.
///
/// ```
/// use mediaflow_core::Color;
/// use mediaflow_core::Operation;
/// use mediaflow_core::ops::TrimBorders;
///
/// let white: TrimBorders = serde_json::from_str(r##"{"background": "#fff", "threshold": 20}"##).unwrap();
/// assert_eq!(white, TrimBorders::new().background(Color::WHITE).threshold(20.0));
/// assert_eq!(TrimBorders::new().threshold(-1.0).validate().unwrap_err().code(), "op.range");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TrimBorders {
    /// The colour of the border. Default: that of the pixel in the left top corner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Color>,
    /// How far a channel may be from that of the border, from 0 to 255. Default 10.
    #[serde(default = "usual")]
    pub threshold: f64,
    /// Lines of one pixel count as well: nothing is smoothed away. Default false.
    #[serde(default)]
    pub line_art: bool,
}

impl TrimBorders {
    /// Of the colour of the left top corner.
    #[must_use]
    pub fn new() -> Self {
        Self { background: None, threshold: usual(), line_art: false }
    }

    /// Of this colour.
    #[must_use]
    pub fn background(mut self, background: Color) -> Self {
        self.background = Some(background);
        self
    }

    /// Up to so far from that colour, from 0 to 255.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// Lines of one pixel count as well.
    #[must_use]
    pub fn line_art(mut self) -> Self {
        self.line_art = true;
        self
    }
}

impl Default for TrimBorders {
    fn default() -> Self {
        Self::new()
    }
}

impl Operation for TrimBorders {
    const KIND: &'static str = "trim_borders";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("threshold", self.threshold, 0.0, 255.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        Ok(picture(inputs)?.with_estimated(true))
    }

    /// All of the picture: of a smaller one it could not be told how much was cut off.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// Without the border around it. See [`TrimBorders`].
    pub fn trim_borders(self) -> Self {
        self.trim_borders_with(TrimBorders::new())
    }

    /// Without the border around it that is meant by this.
    pub fn trim_borders_with(self, how: TrimBorders) -> Self {
        self.then(how)
    }
}

fn usual() -> f64 {
    10.0
}
