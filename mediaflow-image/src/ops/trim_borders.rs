use std::ops::Range;

use mediaflow_core::media::Image;
use mediaflow_core::ops::TrimBorders;
use mediaflow_core::{Result, RunContext};

use crate::pixels::{Bounds, bands, crop, mul, pixel};
use crate::word::{Compile, View, Whole, one};

impl Compile for TrimBorders {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::whole(*self)]
    }
}

impl Whole for TrimBorders {
    fn explain(&self) -> (&'static str, String) {
        let of = self.background.map_or_else(|| "the corner".to_owned(), |color| color.to_string());
        ("trim", format!("borders like {of}, give or take {}; at most", self.threshold))
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        let Some(Bounds { left, top, width, height }) = Seen::of(self, &image).bounds(cx)? else {
            return Ok(image);
        };
        if (width, height) == (image.width(), image.height()) {
            return Ok(image);
        }
        crop(&image, (left, top), (width, height), cx)
    }
}

/// A picture, and what is a border in it.
struct Seen<'a> {
    image: &'a Image,
    border: Vec<u8>,
    /// For each value of each channel whether it is below that of the border, like it, or above.
    sides: Vec<[i8; 256]>,
    line_art: bool,
}

impl<'a> Seen<'a> {
    fn of(how: &TrimBorders, image: &'a Image) -> Self {
        let corner = || image.pixels()[..usize::from(image.channels())].to_vec();
        let border = how.background.map_or_else(corner, |color| pixel(color, image.channels()));
        let sides = border.iter().map(|border| {
            let mut sides = [0; 256];
            for (side, value) in sides.iter_mut().zip(0..=u8::MAX) {
                let off = f64::from(value) - f64::from(*border);
                *side = i8::from(off > how.threshold) - i8::from(off < -how.threshold);
            }
            sides
        });
        let sides = sides.collect();
        Self { image, border, sides, line_art: how.line_art }
    }

    /// The smallest part outside of which all is border. Nothing if all is.
    fn bounds(&self, cx: &RunContext) -> Result<Option<Bounds>> {
        let (width, height) = (self.image.width() as usize, self.image.height() as usize);
        let (mut left, mut right) = (width, 0);
        let (mut top, mut bottom) = (None, 0);
        // A pixel with its neighbours costs about as much as sixteen that are only copied.
        let row = 16 * width * usize::from(self.image.channels());
        bands(height, row, cx, |rows| {
            for y in rows {
                // In the middle of a row that shows something nothing new can be found.
                let first = self.first(0..left, y);
                let last = self.last(right.max(first.unwrap_or(left))..width, y);
                left = first.unwrap_or(left);
                right = last.map_or(right, |last| last + 1);
                let inside = left..right.max(left);
                if first.is_some() || last.is_some() || self.first(inside, y).is_some() {
                    top.get_or_insert(y);
                    bottom = y + 1;
                }
            }
        })?;
        let bounds = |top: usize| {
            let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
            let (width, height) = (side(right.saturating_sub(left)), side(bottom - top));
            Bounds { left: side(left), top: side(top), width, height }
        };
        Ok(top.map(bounds))
    }

    fn first(&self, mut xs: Range<usize>, y: usize) -> Option<usize> {
        xs.find(|x| self.shows(*x, y))
    }

    fn last(&self, mut xs: Range<usize>, y: usize) -> Option<usize> {
        xs.rfind(|x| self.shows(*x, y))
    }

    /// Whether a pixel is no border. The median of nine is above a value if five of them are.
    fn shows(&self, x: usize, y: usize) -> bool {
        let sum = |channel: usize| {
            if self.line_art {
                return 5 * i32::from(self.side(x, y, channel));
            }
            let (mut above, mut below) = (0, 0);
            for y in [y.saturating_sub(1), y, (y + 1).min(self.image.height() as usize - 1)] {
                for x in [x.saturating_sub(1), x, (x + 1).min(self.image.width() as usize - 1)] {
                    let side = self.side(x, y, channel);
                    above += i32::from(side > 0);
                    below += i32::from(side < 0);
                }
            }
            above.max(below)
        };
        (0..self.sides.len()).any(|channel| sum(channel).abs() >= 5)
    }

    /// On which side of the border's value a channel is. Colours count as far as they are seen upon that of the border.
    fn side(&self, x: usize, y: usize, channel: usize) -> i8 {
        let n = self.sides.len();
        let pixel = &self.image.pixels()[(y * self.image.width() as usize + x) * n..][..n];
        let value = if self.image.has_alpha() && channel + 1 < n {
            let alpha = pixel[n - 1];
            mul(pixel[channel], alpha).saturating_add(mul(self.border[channel], 255 - alpha))
        } else {
            pixel[channel]
        };
        self.sides[channel][usize::from(value)]
    }
}
