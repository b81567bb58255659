use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{PICTURES, check_range, picture};
use crate::codes;
use crate::color::Color;
use crate::font::Font;
use crate::geometry::{Gravity, Length};
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;
use crate::{Error, Result};

/// Characters of a text, at most.
const MOST: usize = 10_000;

/// `text`: writes on the picture, in any script and direction for which there is a font.
///
/// Lines end where the text has a line break, and where they would be wider than `width`. Letters are taken from the first of `fonts`
/// that has them, and then from a font that comes with the backend, which has Latin, Greek and Cyrillic ones; for those that
/// none has there is a box, and the report has a warning. A line that does not fit is cut off at the edge.
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::geometry::Gravity;
/// use mediaflow_core::ops::Text;
///
/// let credit: Text =
///     serde_json::from_str(r#"{"text": "© Ada", "size": 24, "gravity": "southwest", "offset": 12}"#).unwrap();
/// assert_eq!(credit, Text::new("© Ada").size(24.0).gravity(Gravity::Southwest).offset(12));
/// assert_eq!(Text::new(" ").validate().unwrap_err().code(), "op.range");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Text {
    /// What is written: 1 to 10,000 characters, not only spaces.
    pub text: String,
    /// How large letters are: the side of an em in pixels, from 1 to 10,000. Default 32.
    #[serde(default = "usual_size")]
    pub size: f64,
    /// Their colour. Default white.
    #[serde(default = "white")]
    pub color: Color,
    /// From 0 (invisible) to 1, on top of that of the colour. Default 1.
    #[serde(default = "one")]
    pub opacity: f64,
    /// Where the text lies. Default `southeast`.
    #[serde(default = "southeast")]
    pub gravity: Gravity,
    /// How many pixels it stays away from the edges. Default 0.
    #[serde(default)]
    pub offset: u32,
    /// How wide its lines become at most. Default: as wide as the picture has room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<Length>,
    /// Where lines begin. Default: on the side of the gravity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub align: Option<Align>,
    /// From a line to the next, in sizes, from 0.5 to 10. Default 1.2.
    #[serde(default = "usual_leading")]
    pub line_height: f64,
    /// How far it is turned clockwise, in degrees. Default 0.
    #[serde(default)]
    pub rotation: f64,
    /// Fonts, the most wanted first. They are a part of the spec, which they make larger
    /// ([`Limits::spec_bytes`](crate::Limits::spec_bytes)).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fonts: Vec<Font>,
}

/// Where lines begin that are shorter than others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "there are no more sides")]
pub enum Align {
    /// On the left.
    Left,
    /// They lie in the middle.
    Center,
    /// They end on the right.
    Right,
}

impl Text {
    /// White and small, in the south-east corner.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            size: usual_size(),
            color: white(),
            opacity: one(),
            gravity: southeast(),
            offset: 0,
            width: None,
            align: None,
            line_height: usual_leading(),
            rotation: 0.0,
            fonts: Vec::new(),
        }
    }

    /// So large: the side of an em in pixels.
    #[must_use]
    pub fn size(mut self, pixels: f64) -> Self {
        self.size = pixels;
        self
    }

    /// In this colour.
    #[must_use]
    pub fn color(mut self, color: Color) -> Self {
        self.color = color;
        self
    }

    /// This opaque, from 0 to 1.
    #[must_use]
    pub fn opacity(mut self, opacity: f64) -> Self {
        self.opacity = opacity;
        self
    }

    /// In this place.
    #[must_use]
    pub fn gravity(mut self, gravity: Gravity) -> Self {
        self.gravity = gravity;
        self
    }

    /// This many pixels away from the edges.
    #[must_use]
    pub fn offset(mut self, pixels: u32) -> Self {
        self.offset = pixels;
        self
    }

    /// With lines that are no wider.
    #[must_use]
    pub fn width(mut self, width: impl Into<Length>) -> Self {
        self.width = Some(width.into());
        self
    }

    /// With lines that begin here.
    #[must_use]
    pub fn align(mut self, align: Align) -> Self {
        self.align = Some(align);
        self
    }

    /// With lines so far from one another, in sizes.
    #[must_use]
    pub fn line_height(mut self, sizes: f64) -> Self {
        self.line_height = sizes;
        self
    }

    /// Turned clockwise, in degrees.
    #[must_use]
    pub fn rotation(mut self, degrees: f64) -> Self {
        self.rotation = degrees;
        self
    }

    /// In this font, where it and those that were named before have the letters.
    #[must_use]
    pub fn font(mut self, font: Font) -> Self {
        self.fonts.push(font);
        self
    }

    /// Where its lines begin.
    #[must_use]
    pub fn alignment(&self) -> Align {
        let (x, _) = self.gravity.fraction();
        self.align.unwrap_or(match x {
            x if x < 0.5 => Align::Left,
            x if x > 0.5 => Align::Right,
            _ => Align::Center,
        })
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Operation for Text {
    const KIND: &'static str = "text";
    const MEDIA: &'static [Medium] = PICTURES;

    fn validate(&self) -> Result<()> {
        let letters = self.text.chars().count();
        if self.text.trim().is_empty() || letters > MOST {
            let what = format!("a text has 1 to {MOST} characters, and not only spaces");
            return Err(Error::input(codes::OP_RANGE, what).with("characters", letters));
        }
        check_range("size", self.size, 1.0, 10_000.0)?;
        check_range("opacity", self.opacity, 0.0, 1.0)?;
        check_range("line_height", self.line_height, 0.5, 10.0)?;
        check_range("rotation", self.rotation, -360.0, 360.0)?;
        self.width.map_or(Ok(()), Length::check)?;
        self.gravity.check_fixed()
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = picture(inputs)?;
        let channels = match info.channels {
            channels @ 1..=2 if !self.color.is_grey() => channels + 2,
            channels => channels,
        };
        Ok(info.with_channels(channels))
    }

    /// All of the picture: letters are measured in its pixels.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// With something written on it: a text, or any [`Text`].
    pub fn text(self, text: impl Into<Text>) -> Self {
        self.then(text.into())
    }
}

fn usual_size() -> f64 {
    32.0
}

fn white() -> Color {
    Color::WHITE
}

fn one() -> f64 {
    1.0
}

fn southeast() -> Gravity {
    Gravity::Southeast
}

fn usual_leading() -> f64 {
    1.2
}
