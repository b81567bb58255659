//! The picture as it is seen: rotated, with square pixels; and what of it a box keeps.

use gstreamer as gst;
use mediaflow_core::Result;
use mediaflow_core::geometry::{Fit, FitBox};

use super::source::Stream;
use crate::error;

/// The picture of a decoded stream as it is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Upright {
    /// Stored pixels after rotation.
    pub(crate) stored: (u32, u32),
    /// Size with square pixels, after rotation.
    pub(crate) shown: (u32, u32),
    orientation: u8,
}

/// How one rendition is made from the upright picture: cut, scale, surround.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Layout {
    /// Stored pixels to cut off: left, right, top, bottom.
    pub(crate) cut: [u32; 4],
    /// What the rest is scaled to; even.
    pub(crate) size: (u32, u32),
    /// Width and height of the result; even.
    pub(crate) canvas: (u32, u32),
    /// Where the picture lies on the canvas; even.
    pub(crate) offset: (u32, u32),
}

impl Upright {
    pub(crate) fn of(stream: &Stream) -> Result<Self> {
        let caps = stream.caps()?;
        let odd = || error::not_decodable("the video stream never said how large it is");
        let fields = caps.structure(0).ok_or_else(odd)?;
        let side = |name| {
            fields
                .get::<i32>(name)
                .ok()
                .and_then(|side| u32::try_from(side).ok())
                .filter(|s| *s > 0)
        };
        let stored = (side("width").ok_or_else(odd)?, side("height").ok_or_else(odd)?);
        let par =
            fields.get::<gst::Fraction>("pixel-aspect-ratio").unwrap_or(gst::Fraction::new(1, 1));
        let par = f64::from(par.numer()) / f64::from(par.denom().max(1));
        Ok(Self::new(stored, par, stream.orientation().as_deref().map_or(1, orientation)))
    }

    pub(crate) fn new(stored: (u32, u32), par: f64, orientation: u8) -> Self {
        let turn =
            |(width, height)| if orientation >= 5 { (height, width) } else { (width, height) };
        Self { stored: turn(stored), shown: turn(square(stored.0, stored.1, par)), orientation }
    }

    /// Size with square pixels, before rotation.
    pub(crate) fn unturned(self) -> (u32, u32) {
        let (width, height) = self.shown;
        if self.orientation >= 5 { (height, width) } else { (width, height) }
    }

    /// The value of `videoflip video-direction`.
    pub(crate) fn direction(self) -> &'static str {
        match self.orientation {
            2 => "horiz",
            3 => "180",
            4 => "vert",
            5 => "ul-lr",
            6 => "90r",
            7 => "ur-ll",
            8 => "90l",
            _ => "identity",
        }
    }

    /// Pixels before rotation.
    pub(crate) fn unturned_stored(self) -> (u32, u32) {
        let (width, height) = self.stored;
        if self.orientation >= 5 { (height, width) } else { (width, height) }
    }

    /// The same with no more pixels than the largest of these results needs.
    pub(crate) fn reduced<'a>(self, results: impl Iterator<Item = &'a [FitBox]>) -> Self {
        /// What saves less is not worth a pass.
        const WORTH: f64 = 0.9;
        let part = |boxes: &[FitBox]| {
            let Some(layout) = self.layouts(boxes).into_iter().next() else { return 1.0 };
            let [left, right, top, bottom] = layout.cut;
            let side = |made: u32, stored: u32, cut: u32| {
                f64::from(made) / f64::from(stored.saturating_sub(cut).max(1))
            };
            f64::max(
                side(layout.size.0, self.stored.0, left + right),
                side(layout.size.1, self.stored.1, top + bottom),
            )
        };
        let part = results.map(part).fold(0.0, f64::max);
        if part >= WORTH || part <= 0.0 {
            return self;
        }
        let side = |side: u32| round_even((f64::from(side) * part).ceil());
        Self { stored: (side(self.stored.0), side(self.stored.1)), ..self }
    }

    /// What boxes make of the picture, one after the other; without any it stays as large as it is.
    pub(crate) fn layouts(self, boxes: &[FitBox]) -> Vec<Layout> {
        let mut layouts = vec![layout(self.stored, self.shown, boxes.first())];
        // Each box is placed as if sides could be odd, as a still's would be; only what is made has even ones.
        let mut shown = self.shown;
        for pair in boxes.windows(2) {
            shown = pair[0].place(shown.0, shown.1).canvas;
            let stored = layouts.last().map_or(shown, |layout| layout.canvas);
            layouts.push(layout(stored, shown, Some(&pair[1])));
        }
        layouts
    }
}

/// What a box makes of a picture of `stored` pixels that is `shown` at this size. Sides are even, because H.264 with 4:2:0 has no odd ones.
pub(crate) fn layout(stored: (u32, u32), shown: (u32, u32), fit_box: Option<&FitBox>) -> Layout {
    let Some(fit_box) = fit_box else {
        let size = even_sides(shown);
        return Layout { cut: [0; 4], size, canvas: size, offset: (0, 0) };
    };
    let place = fit_box.place(shown.0, shown.1);
    let mut size = (even(place.size.0), even(place.size.1));
    if let (Fit::Contain, Some(width), Some(height)) = (fit_box.fit, fit_box.width, fit_box.height)
    {
        // Inside of a canvas nothing is to be rounded twice.
        let sides = (f64::from(shown.0.max(1)), f64::from(shown.1.max(1)));
        let scale = (f64::from(width) / sides.0).min(f64::from(height) / sides.1);
        let scale = if fit_box.without_enlargement { scale.min(1.0) } else { scale };
        size = (round_even(sides.0 * scale), round_even(sides.1 * scale));
    }
    let canvas = (even(place.canvas.0).max(size.0), even(place.canvas.1).max(size.1));
    let offset = |outer: u32, inner: u32, horizontal: bool| {
        let at = fit_box.gravity.place(f64::from(outer), f64::from(inner), horizontal);
        (round(at.floor()) & !1).min(outer.saturating_sub(inner) & !1)
    };
    let edges = |stored: u32, shown: u32, at: f64, length: f64| {
        let per = f64::from(stored) / f64::from(shown.max(1));
        let before = (round(at * per) & !1).min(stored.saturating_sub(2));
        let after = round((f64::from(shown) - at - length).max(0.0) * per) & !1;
        (before, after.min(stored.saturating_sub(before + 2)))
    };
    let (left, right) = edges(stored.0, shown.0, place.crop.x, place.crop.width);
    let (top, bottom) = edges(stored.1, shown.1, place.crop.y, place.crop.height);
    Layout {
        cut: [left, right, top, bottom],
        size,
        canvas,
        offset: (offset(canvas.0, size.0, true), offset(canvas.1, size.1, false)),
    }
}

/// The size at which non-square pixels are shown: the side that is too short grows, so nothing is lost.
pub(crate) fn square(width: u32, height: u32, par: f64) -> (u32, u32) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, which is wanted"
    )]
    let stretch = |side: u32, by: f64| ((f64::from(side) * by).round() as u32).max(1);
    match par {
        par if !par.is_finite() || par <= 0.0 => (width, height),
        par if par >= 1.0 => (stretch(width, par), height),
        par => (width, stretch(height, 1.0 / par)),
    }
}

/// The EXIF number of an `image-orientation` tag.
pub(crate) fn orientation(tag: &str) -> u8 {
    match tag {
        "flip-rotate-0" => 2,
        "rotate-180" => 3,
        "flip-rotate-180" => 4,
        "flip-rotate-270" => 5,
        "rotate-90" => 6,
        "flip-rotate-90" => 7,
        "rotate-270" => 8,
        _ => 1,
    }
}

/// The nearest size that H.264 with 4:2:0 has.
pub(crate) fn even_sides((width, height): (u32, u32)) -> (u32, u32) {
    match (width, height) {
        (0, _) | (_, 0) => (0, 0),
        (width, height) => (even(width), even(height)),
    }
}

fn even(side: u32) -> u32 {
    round_even(f64::from(side))
}

fn round_even(side: f64) -> u32 {
    (round(side / 2.0) * 2).max(2)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn round(value: f64) -> u32 {
    value.round() as u32
}

#[cfg(test)]
mod tests {
    use mediaflow_core::geometry::Gravity;

    use super::*;

    fn boxed(width: u32, height: u32, fit: Fit) -> FitBox {
        FitBox {
            width: Some(width),
            height: Some(height),
            fit,
            gravity: Gravity::Center,
            without_enlargement: false,
        }
    }

    #[test]
    fn sides_are_even_whatever_is_asked() {
        let layout = layout((1279, 719), (1279, 719), Some(&boxed(333, 333, Fit::Inside)));
        assert_eq!(layout.size, (334, 188));
        assert_eq!(layout.canvas, layout.size);
    }

    #[test]
    fn cover_cuts_stored_pixels_of_an_anamorphic_picture() {
        let upright = Upright::new((720, 576), 64.0 / 45.0, 1);
        assert_eq!(upright.shown, (1024, 576));
        let layout = upright.layouts(&[boxed(576, 576, Fit::Cover)])[0];
        assert_eq!(layout.size, (576, 576));
        assert_eq!(layout.cut, [158, 158, 0, 0]);
    }

    #[test]
    fn contain_surrounds() {
        let layout = layout((1280, 720), (1280, 720), Some(&boxed(320, 320, Fit::Contain)));
        assert_eq!((layout.size, layout.canvas, layout.offset), ((320, 180), (320, 320), (0, 70)));
    }

    #[test]
    fn a_surrounded_picture_is_rounded_once() {
        let layout = layout((320, 180), (320, 180), Some(&boxed(200, 200, Fit::Contain)));
        assert_eq!((layout.size, layout.offset), ((200, 112), (0, 44)));
    }

    #[test]
    fn one_side_is_enough_for_every_fit() {
        for fit in [Fit::Cover, Fit::Contain, Fit::Fill, Fit::Inside, Fit::Outside] {
            for (width, height) in [(Some(640), None), (None, Some(268))] {
                let fit_box = FitBox { width, height, fit, ..boxed(1, 1, fit) };
                fit_box.validate().unwrap();
                let layout = layout((1920, 804), (1920, 804), Some(&fit_box));
                assert_eq!(
                    (layout.size, layout.canvas, layout.offset),
                    ((640, 268), (640, 268), (0, 0))
                );
                assert_eq!(layout.cut, [0; 4], "{fit:?}");
            }
        }
    }

    #[test]
    fn no_more_pixels_than_are_needed() {
        let upright = Upright::new((3840, 2160), 1.0, 6);
        let small = [boxed(720, 1280, Fit::Inside)];
        let tall = [boxed(540, 540, Fit::Cover)];
        let reduced = upright.reduced([&small[..], &tall].into_iter());
        assert_eq!((reduced.stored, reduced.unturned_stored()), ((720, 1280), (1280, 720)));
        assert_eq!((reduced.shown, reduced.layouts(&tall)[0].size), ((2160, 3840), (540, 540)));
        assert_eq!(upright.reduced([&small[..], &[]].into_iter()), upright);
    }

    #[test]
    fn a_quarter_turn_swaps_the_sides() {
        let upright = Upright::new((1280, 720), 1.0, 6);
        assert_eq!((upright.shown, upright.direction()), ((720, 1280), "90r"));
    }
}
