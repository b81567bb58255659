use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, picture};
use crate::color::Color;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;
use crate::{Error, Result, codes};

/// `extend`: adds a border of one colour, of what the picture has at its edges, or of the picture blurred.
///
/// ```
/// use mediaflow_core::Color;
/// use mediaflow_core::ops::{Extend, ExtendMode};
///
/// let framed = Extend::all(20).background(Color::WHITE);
/// assert_eq!(framed.size((600, 400)), (640, 440));
/// let mirrored: Extend = serde_json::from_str(r#"{"left": 8, "mode": "mirror"}"#).unwrap();
/// assert_eq!(mirrored, Extend::new(0, 0, 0, 8).mode(ExtendMode::Mirror));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Extend {
    /// Pixels that are added above, at most 100,000. Default 0.
    #[serde(default)]
    pub top: u32,
    /// Pixels that are added on the right.
    #[serde(default)]
    pub right: u32,
    /// Pixels that are added below.
    #[serde(default)]
    pub bottom: u32,
    /// Pixels that are added on the left.
    #[serde(default)]
    pub left: u32,
    /// The colour of a border of one colour. Default transparent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Color>,
    /// What the border shows. Default `background`.
    #[serde(default, skip_serializing_if = "ExtendMode::is_background")]
    pub mode: ExtendMode,
}

/// What a border shows: the words of sharp's `extendWith`, and `blur`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExtendMode {
    /// One colour. The default.
    #[default]
    Background,
    /// The outermost pixels, again and again.
    Copy,
    /// The picture again, from its other edge on.
    Repeat,
    /// The picture as in a mirror, from its edge on.
    Mirror,
    /// The picture, so large that it covers all, and blurred, by a fiftieth of the longer side of the result.
    Blur,
}

impl ExtendMode {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
    fn is_background(&self) -> bool {
        *self == Self::Background
    }
}

/// More than any picture has on a side.
const MOST: u32 = 100_000;

impl Extend {
    /// By so many pixels on each side, in the order of CSS.
    #[must_use]
    pub fn new(top: u32, right: u32, bottom: u32, left: u32) -> Self {
        Self { top, right, bottom, left, background: None, mode: ExtendMode::Background }
    }

    /// By so many pixels on all sides.
    #[must_use]
    pub fn all(pixels: u32) -> Self {
        Self::new(pixels, pixels, pixels, pixels)
    }

    /// In this colour.
    #[must_use]
    pub fn background(mut self, background: Color) -> Self {
        self.background = Some(background);
        self
    }

    /// Of what the picture has at its edges.
    #[must_use]
    pub fn mode(mut self, mode: ExtendMode) -> Self {
        self.mode = mode;
        self
    }

    /// The colour of a border of one colour.
    #[must_use]
    pub fn ground(&self) -> Color {
        self.background.unwrap_or(Color::TRANSPARENT)
    }

    /// What becomes of a picture of this size.
    #[must_use]
    pub fn size(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let side = |side: u32, one: u32, other: u32| side.saturating_add(one).saturating_add(other);
        (side(width, self.left, self.right), side(height, self.top, self.bottom))
    }
}

impl From<u32> for Extend {
    fn from(pixels: u32) -> Self {
        Self::all(pixels)
    }
}

impl Operation for Extend {
    const KIND: &'static str = "extend";
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        if let (Some(background), false) = (self.background, self.mode.is_background()) {
            return Err(Error::input(codes::OP_RANGE, "a border of the picture has no colour")
                .with("background", background)
                .help("leave out `background` or `mode`"));
        }
        let sides = [
            ("top", self.top),
            ("right", self.right),
            ("bottom", self.bottom),
            ("left", self.left),
        ];
        match sides.into_iter().find(|(_, pixels)| *pixels > MOST) {
            Some((side, pixels)) => {
                Err(Error::input(codes::OP_RANGE, format!("`{side}` lies between 0 and {MOST}"))
                    .with(side, pixels))
            }
            None => Ok(()),
        }
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = picture(inputs)?;
        let (width, height) = self.size((info.width, info.height));
        let bare = (width, height) == (info.width, info.height) || info.channels == 0;
        let info = info.with_size(width, height);
        if bare || !self.mode.is_background() {
            return Ok(info);
        }
        let ground = self.ground();
        let colours = if info.alpha { info.channels - 1 } else { info.channels };
        let colours = colours.max(if ground.is_grey() { 1 } else { 3 });
        let alpha = info.alpha || !ground.is_opaque();
        Ok(info.with_channels(colours + u8::from(alpha)))
    }

    /// Of a border of the picture all of it: it is measured in its pixels.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        // A border is so many whole pixels wide.
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// With a border: so many pixels on all sides, or any [`Extend`].
    pub fn extend(self, how: impl Into<Extend>) -> Self {
        self.then(how.into())
    }
}
