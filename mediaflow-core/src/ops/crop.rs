use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{PICTURES, picture};
use crate::codes;
use crate::geometry::{Aspect, Gravity, Length};
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;
use crate::{Error, Result};

/// `crop`: keeps a rectangle, in pixels of the upright picture, in parts of its sides, or of a shape.
///
/// It has a width and a height, or an `aspect` and at most one of them: with a shape alone it is the largest that there is. It
/// begins at `left` and `top`, or lies where `gravity` says; without any of them it begins at the left top corner, but one of a
/// shape lies in the middle. Parts end between the same pixels as their neighbours begin.
///
/// ```
/// use mediaflow_core::geometry::{Gravity, Length};
/// use mediaflow_core::ops::Crop;
///
/// let cover: Crop = serde_json::from_str(r#"{"aspect": "16:9", "gravity": "north"}"#).unwrap();
/// assert_eq!(cover, Crop::aspect(16.0, 9.0).gravity(Gravity::North));
/// assert_eq!(cover.place((1600, 1600))?, ((0, 0), (1600, 900)));
///
/// let middle: Crop = serde_json::from_str(r#"{"left": "25%", "width": "50%", "height": 80}"#).unwrap();
/// assert_eq!(middle.place((401, 300))?, ((100, 0), (201, 80)));
/// assert_eq!(Crop::sized(Length::Percent(50.0), 400).place((401, 300)).unwrap_err().code(), "op.crop");
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Crop {
    /// From the left edge. Default 0, if there is no `gravity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Length>,
    /// From the top edge. Default 0, if there is no `gravity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<Length>,
    /// Its width. Default: by `aspect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<Length>,
    /// Its height. Default: by `aspect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<Length>,
    /// Its shape, in place of a side or of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aspect: Option<Aspect>,
    /// Which part of the picture stays, in place of `left` and `top`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gravity: Option<Gravity>,
}

impl Crop {
    /// This rectangle, in pixels of the upright picture.
    #[must_use]
    pub fn new(left: u32, top: u32, width: u32, height: u32) -> Self {
        Self::sized(width, height).at(left, top)
    }

    /// This rectangle, in parts of the picture's sides from 0 to 100.
    #[must_use]
    pub fn percent(left: f64, top: f64, width: f64, height: f64) -> Self {
        let [left, top, width, height] = [left, top, width, height].map(Length::Percent);
        Self::sized(width, height).at(left, top)
    }

    /// This wide and high.
    #[must_use]
    pub fn sized(width: impl Into<Length>, height: impl Into<Length>) -> Self {
        Self { width: Some(width.into()), height: Some(height.into()), ..Self::default() }
    }

    /// The largest that is so wide beside so high, in the middle of the picture.
    #[must_use]
    pub fn aspect(width: f64, height: f64) -> Self {
        Self { aspect: Some(Aspect::new(width, height)), ..Self::default() }
    }

    /// From this place on.
    #[must_use]
    pub fn at(mut self, left: impl Into<Length>, top: impl Into<Length>) -> Self {
        (self.left, self.top) = (Some(left.into()), Some(top.into()));
        self
    }

    /// Where this part of the picture stays.
    #[must_use]
    pub fn gravity(mut self, gravity: Gravity) -> Self {
        self.gravity = Some(gravity);
        self
    }

    /// Where in a picture of this size it begins, from the left and the top, and how wide and high it is: in pixels.
    ///
    /// # Errors
    /// `op.crop`: the rectangle leaves the picture.
    pub fn place(&self, size: (u32, u32)) -> Result<((u32, u32), (u32, u32))> {
        let (width, height) = self.sides(size);
        let usual = if self.aspect.is_some() { Gravity::Center } else { Gravity::Northwest };
        let gravity = match (self.left, self.top) {
            (None, None) => Some(self.gravity.unwrap_or(usual)),
            _ => None,
        };
        let span = |start: Option<Length>, length: f64, side: u32, horizontal| match gravity {
            Some(gravity) => {
                let length = round(length).max(1);
                (round(gravity.place(side.into(), length.into(), horizontal)), length)
            }
            None => {
                let start = start.unwrap_or(Length::ZERO).of(side);
                let (first, end) = (round(start), round(start + length));
                match end.saturating_sub(first) {
                    // Of a part that is less than half a pixel, this pixel.
                    0 => (first.min(side.saturating_sub(1)), 1),
                    length => (first, length),
                }
            }
        };
        let (left, width) = span(self.left, width, size.0, true);
        let (top, height) = span(self.top, height, size.1, false);
        let inside = |start: u32, length: u32, side: u32| {
            u64::from(start) + u64::from(length) <= u64::from(side)
        };
        if inside(left, width, size.0) && inside(top, height, size.1) {
            return Ok(((left, top), (width, height)));
        }
        Err(Error::input(codes::OP_CROP, "the rectangle leaves the picture")
            .with("crop", format_args!("{width}x{height}+{left}+{top}"))
            .with("size", format_args!("{}x{}", size.0, size.1))
            .help("keep it inside; sizes are those of the upright picture"))
    }

    /// Its sides in pixels of a picture of this size, not rounded.
    fn sides(&self, size: (u32, u32)) -> (f64, f64) {
        let width = self.width.map(|width| width.of(size.0));
        let height = self.height.map(|height| height.of(size.1));
        let ratio = self.aspect.map_or(1.0, Aspect::ratio);
        let (widest, highest) = self.aspect.map_or((0.0, 0.0), |aspect| aspect.largest(size));
        match (width, height) {
            (Some(width), Some(height)) => (width, height),
            (Some(width), None) => (width, width / ratio),
            (None, Some(height)) => (height * ratio, height),
            (None, None) => (widest, highest),
        }
    }

    /// Its size, if it is the same for every picture.
    fn fixed_size(&self) -> Option<(u32, u32)> {
        match (self.width?, self.height?) {
            (Length::Pixels(width), Length::Pixels(height)) => Some((width, height)),
            _ => None,
        }
    }
}

impl Operation for Crop {
    const KIND: &'static str = "crop";
    const ALIASES: &'static [&'static str] = &["image.crop"];
    const MEDIA: &'static [Medium] = PICTURES;

    fn validate(&self) -> Result<()> {
        let wrong = |what: &'static str, help: &'static str| {
            Err(Error::input(codes::OP_CROP, what).help(help))
        };
        let lengths = [self.left, self.top, self.width, self.height];
        lengths.into_iter().flatten().try_for_each(Length::check)?;
        self.aspect.map_or(Ok(()), Aspect::check)?;
        self.gravity.map_or(Ok(()), Gravity::check)?;
        if self.gravity.is_some() && (self.left.is_some() || self.top.is_some()) {
            return wrong(
                "a rectangle has a place or a gravity",
                "leave out `gravity`, or `left` and `top`",
            );
        }
        match (self.width, self.height, self.aspect) {
            (Some(_), Some(_), Some(_)) => {
                wrong("two sides leave no choice of a shape", "leave out `aspect` or a side")
            }
            (_, None, None) | (None, _, None) => wrong(
                "a rectangle has a width and a height",
                "give both, from 1 pixel on, or an `aspect` and at most one of them",
            ),
            (width, height, _) if [width, height].into_iter().flatten().any(is_zero) => wrong(
                "a rectangle has a width and a height",
                "give both in pixels, from 1 on, or in parts above 0%",
            ),
            _ => Ok(()),
        }
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = picture(inputs)?;
        if let Some((width, height)) = self.fixed_size().filter(|_| !info.is_certain()) {
            return Ok(info.with_size(width, height).with_estimated(false));
        }
        if info.is_certain() {
            let (_, (width, height)) = self.place((info.width, info.height))?;
            return Ok(info.with_size(width, height));
        }
        Ok(info)
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// A rectangle, in pixels of the upright picture. See [`Crop`].
    pub fn crop(self, left: u32, top: u32, width: u32, height: u32) -> Self {
        self.crop_with(Crop::new(left, top, width, height))
    }

    /// A rectangle in parts, of a shape, or where something is to be seen: any [`Crop`].
    pub fn crop_with(self, how: Crop) -> Self {
        self.then(how)
    }
}

fn is_zero(length: Length) -> bool {
    length.of(u32::MAX) <= 0.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn round(length: f64) -> u32 {
    length.round() as u32
}
