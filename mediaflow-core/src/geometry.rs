//! The words for size and place, the same on stills, animations and video: sharp's and CSS's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::aspect::Aspect;
pub use crate::length::Length;

use crate::codes;
use crate::{Error, Result};

/// How a picture is put into a box (CSS `object-fit`, and sharp's two more).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fit {
    /// Fill the box and cut off what stands out. The default.
    #[default]
    Cover,
    /// Fit inside the box and fill the rest with the background.
    Contain,
    /// Stretch to the box.
    Fill,
    /// As large as possible inside the box; the box is not filled.
    Inside,
    /// As small as possible around the box; nothing is cut off.
    Outside,
}

/// Which part counts when something has to give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "the points of the compass")]
pub enum Gravity {
    /// The middle. The default.
    #[default]
    Center,
    North,
    Northeast,
    East,
    Southeast,
    South,
    Southwest,
    West,
    Northwest,
    /// A point of interest, from 0 (left, top) to 1 (right, bottom).
    Focal {
        /// From 0 (left) to 1 (right).
        x: f64,
        /// From 0 (top) to 1 (bottom).
        y: f64,
    },
    /// Where there is most to look at: edges, skin and strong colours, weighed as libvips and sharp do. Where something of a still
    /// picture is cut off.
    Attention,
    /// Where values differ most, as libvips and sharp find it. Where something of a still picture is cut off.
    Entropy,
}

/// A rectangle in pixels that may begin and end between two of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[expect(clippy::exhaustive_structs, reason = "a rectangle has no more than four numbers")]
pub struct Rect {
    /// From the left edge.
    pub x: f64,
    /// From the top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// What a resize does: take `crop` of the input, scale it to `size`, lay it at `offset` on a canvas.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Placement {
    /// The part of the input that is kept, in input pixels.
    pub crop: Rect,
    /// What that part is scaled to.
    pub size: (u32, u32),
    /// The size of the result; larger than `size` only for [`Fit::Contain`].
    pub canvas: (u32, u32),
    /// Where the scaled part lies on the canvas, from its left and top edge.
    pub offset: (u32, u32),
}

/// A box to fit something into. A missing side follows from the other by the picture's aspect ratio, and then all fits give
/// the same.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the five words of a resize; operations build it as a literal"
)]
pub struct FitBox {
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// How the box is filled.
    pub fit: Fit,
    /// Which part stays when something is cut off, and where it lies when something is added.
    pub gravity: Gravity,
    /// Never make anything larger than it is.
    pub without_enlargement: bool,
}

impl Gravity {
    /// A point of interest, from 0 (left, top) to 1 (right, bottom).
    #[must_use]
    pub fn focal(x: f64, y: f64) -> Self {
        Self::Focal { x, y }
    }

    /// Whether it is found in the pixels of a picture. Until then it stands for the middle.
    #[must_use]
    pub fn is_found(self) -> bool {
        matches!(self, Self::Attention | Self::Entropy)
    }

    /// Refuses one that is found in a picture: there is nothing to be found where something is laid down, or in a film.
    ///
    /// # Errors
    /// `geometry.gravity`; as [`Gravity::check`].
    pub fn check_fixed(self) -> Result<()> {
        if self.is_found() {
            return Err(Error::input(
                codes::GEOMETRY_GRAVITY,
                "this gravity is for what is cut off of a still picture",
            )
            .with("gravity", format_args!("{self:?}"))
            .help("use it with `crop`, or with `resize` and the fit `cover`"));
        }
        self.check()
    }

    /// The point as fractions of what is left over: (0, 0) is top left, (1, 1) bottom right.
    #[must_use]
    pub fn fraction(self) -> (f64, f64) {
        match self {
            Self::Center | Self::Attention | Self::Entropy => (0.5, 0.5),
            Self::North => (0.5, 0.0),
            Self::Northeast => (1.0, 0.0),
            Self::East => (1.0, 0.5),
            Self::Southeast => (1.0, 1.0),
            Self::South => (0.5, 1.0),
            Self::Southwest => (0.0, 1.0),
            Self::West => (0.0, 0.5),
            Self::Northwest => (0.0, 0.0),
            Self::Focal { x, y } => (x.clamp(0.0, 1.0), y.clamp(0.0, 1.0)),
        }
    }

    /// Refuses a focal point beside the picture.
    ///
    /// # Errors
    /// `geometry.focal`.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Focal { x, y } if !((0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y)) => {
                Err(Error::input(codes::GEOMETRY_FOCAL, "a focal point lies between 0 and 1")
                    .with("focal", format_args!("{x}, {y}")))
            }
            _ => Ok(()),
        }
    }

    /// Where a window of `inner` begins in `outer` so that this part stays visible. A focal point comes as near to the
    /// window's middle as the edges allow.
    #[must_use]
    pub fn place(self, outer: f64, inner: f64, horizontal: bool) -> f64 {
        let room = (outer - inner).max(0.0);
        let (x, y) = self.fraction();
        let at = if horizontal { x } else { y };
        match self {
            Self::Focal { .. } => (at * outer - inner / 2.0).clamp(0.0, room),
            _ => room * at,
        }
    }

    /// The same inside of a margin, as far as there is room for it: what fits into the picture stays in it.
    #[must_use]
    pub fn place_inside(self, outer: f64, inner: f64, margin: f64, horizontal: bool) -> f64 {
        let start = margin + self.place(outer - 2.0 * margin, inner, horizontal);
        start.min(outer - inner).max(0.0)
    }
}

impl FitBox {
    /// Checks what can be checked without a picture.
    ///
    /// # Errors
    /// `geometry.box`: no side, or a zero side;
    /// `geometry.focal`: a focal point outside 0 to 1;
    /// `geometry.gravity`: a gravity that is found in a picture, where nothing is cut off.
    pub fn validate(&self) -> Result<()> {
        let wrong =
            |what: &str, help: &str| Err(Error::input(codes::GEOMETRY_BOX, what).help(help));
        match self.fit {
            Fit::Cover => self.gravity.check()?,
            _ => self.gravity.check_fixed()?,
        }
        match (self.width, self.height) {
            (None, None) => wrong("a box needs a width or a height", "give one of them in pixels"),
            (Some(0), _) | (_, Some(0)) => {
                wrong("a box can not be 0 pixels wide or high", "leave that side out")
            }
            _ => Ok(()),
        }
    }

    /// What this does to a picture of `width` x `height` pixels.
    #[must_use]
    pub fn place(&self, width: u32, height: u32) -> Placement {
        let (w, h) = (f64::from(width.max(1)), f64::from(height.max(1)));
        let box_w =
            self.width.map_or_else(|| f64::from(self.height.unwrap_or(1)) * w / h, f64::from);
        let box_h =
            self.height.map_or_else(|| f64::from(self.width.unwrap_or(1)) * h / w, f64::from);
        let (scale_x, scale_y) = (box_w / w, box_h / h);
        let limit = |scale: f64| if self.without_enlargement { scale.min(1.0) } else { scale };
        let whole = Rect { x: 0.0, y: 0.0, width: w, height: h };
        let uncut = |scale: f64| {
            let size = (round(w * scale), round(h * scale));
            Placement { crop: whole, size, canvas: size, offset: (0, 0) }
        };
        if self.width.is_none() || self.height.is_none() {
            // The box has the picture's own shape: nothing stands out, and nothing is left to fill.
            return uncut(limit(if self.width.is_some() { scale_x } else { scale_y }));
        }
        match self.fit {
            Fit::Fill => {
                let size = (round(w * limit(scale_x)), round(h * limit(scale_y)));
                Placement { crop: whole, size, canvas: size, offset: (0, 0) }
            }
            Fit::Inside => uncut(limit(scale_x.min(scale_y))),
            Fit::Outside => uncut(limit(scale_x.max(scale_y))),
            Fit::Contain => {
                let size = uncut(limit(scale_x.min(scale_y))).size;
                let canvas = (round(box_w).max(size.0), round(box_h).max(size.1));
                let at = |outer: u32, inner: u32, horizontal| {
                    floor(self.gravity.place(f64::from(outer), f64::from(inner), horizontal))
                };
                let offset = (at(canvas.0, size.0, true), at(canvas.1, size.1, false));
                Placement { crop: whole, size, canvas, offset }
            }
            Fit::Cover => {
                let scale = limit(scale_x.max(scale_y));
                let size = (round(box_w.min(w * scale)), round(box_h.min(h * scale)));
                let (crop_w, crop_h) =
                    ((f64::from(size.0) / scale).min(w), (f64::from(size.1) / scale).min(h));
                let crop = Rect {
                    x: self.gravity.place(w, crop_w, true),
                    y: self.gravity.place(h, crop_h, false),
                    width: crop_w,
                    height: crop_h,
                };
                Placement { crop, size, canvas: size, offset: (0, 0) }
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn round(value: f64) -> u32 {
    (value.round() as u32).max(1)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn floor(value: f64) -> u32 {
    value.floor() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(width: u32, height: u32, fit: Fit, gravity: Gravity, input: (u32, u32)) -> Placement {
        FitBox {
            width: Some(width),
            height: Some(height),
            fit,
            gravity,
            without_enlargement: false,
        }
        .place(input.0, input.1)
    }

    #[test]
    fn the_five_fits_give_the_sizes_that_sharp_gives() {
        let size = |fit| place(320, 320, fit, Gravity::Center, (4000, 3000)).canvas;
        assert_eq!(size(Fit::Cover), (320, 320));
        assert_eq!(size(Fit::Contain), (320, 320));
        assert_eq!(size(Fit::Fill), (320, 320));
        assert_eq!(size(Fit::Inside), (320, 240));
        assert_eq!(size(Fit::Outside), (427, 320));
    }

    #[test]
    fn cover_cuts_where_gravity_says() {
        let crop = |gravity| place(100, 100, Fit::Cover, gravity, (400, 200)).crop.x;
        assert_eq!(
            (crop(Gravity::West), crop(Gravity::Center), crop(Gravity::East)),
            (0.0, 100.0, 200.0)
        );
        assert_eq!(crop(Gravity::Focal { x: 0.4, y: 0.5 }), 60.0);
        assert_eq!(crop(Gravity::Focal { x: 0.0, y: 0.5 }), 0.0);
    }

    #[test]
    fn nothing_is_enlarged_when_that_is_forbidden() {
        for fit in [Fit::Cover, Fit::Inside, Fit::Outside, Fit::Fill] {
            let fit_box = FitBox {
                width: Some(500),
                height: Some(500),
                fit,
                gravity: Gravity::Center,
                without_enlargement: true,
            };
            let size = fit_box.place(200, 100).size;
            assert!(size.0 <= 200 && size.1 <= 100, "{fit:?} gave {size:?}");
        }
    }

    #[test]
    fn one_side_is_enough_for_every_fit() {
        for fit in [Fit::Cover, Fit::Contain, Fit::Fill, Fit::Inside, Fit::Outside] {
            for (width, height, enlarges, size) in [
                (Some(100), None, true, (100, 33)),
                (None, Some(100), true, (300, 100)),
                (Some(3000), None, true, (3000, 999)),
                (Some(3000), None, false, (1000, 333)),
                (None, Some(1), true, (3, 1)),
            ] {
                let gravity = Gravity::Northwest;
                let without_enlargement = !enlarges;
                let fit_box = FitBox { width, height, fit, gravity, without_enlargement };
                fit_box.validate().unwrap();
                let placed = fit_box.place(1000, 333);
                assert_eq!((placed.size, placed.canvas, placed.offset), (size, size, (0, 0)));
                let whole = Rect { x: 0.0, y: 0.0, width: 1000.0, height: 333.0 };
                assert_eq!(placed.crop, whole, "{fit:?} {width:?} {height:?}");
            }
        }
    }

    #[test]
    fn a_box_without_sides_is_refused() {
        let fit_box = FitBox {
            width: None,
            height: None,
            fit: Fit::Inside,
            gravity: Gravity::Center,
            without_enlargement: false,
        };
        assert_eq!(fit_box.validate().unwrap_err().code(), "geometry.box");
    }
}
