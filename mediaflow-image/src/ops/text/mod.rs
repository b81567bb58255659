//! Writing on a picture: from a text to lines of glyphs, and from these to a mask.
//!
//! Uses: pixels, word.

mod draw;
mod faces;
mod lines;

use mediaflow_core::geometry::Length;
use mediaflow_core::media::Image;
use mediaflow_core::ops::{Blend, Text};
use mediaflow_core::{Result, RunContext};

use crate::pixels::{Upon, bands, mul, overlay, pixel};
use crate::word::{Compile, Extent, View, Whole, one};
use draw::{Block, Mask};

impl Compile for Text {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::whole(self.clone())]
    }
}

impl Whole for Text {
    fn explain(&self) -> (&'static str, String) {
        ("write", format!("{} characters", self.text.chars().count()))
    }

    /// A mask, and that in colour.
    fn memory(&self, input: Extent, _output: Extent) -> u64 {
        let letters = self.text.chars().count() as f64 * self.size * self.size * 2.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, which is wanted"
        )]
        let letters = letters as u64;
        letters.min(input.width * input.height).saturating_mul(5)
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        let size = (image.width(), image.height());
        let room = (f64::from(size.0) - 2.0 * f64::from(self.offset)).max(1.0);
        let room = self.width.map_or(room, |width: Length| width.of(size.0));
        let block = Block::of(self, room)?;
        if !block.missing.is_empty() {
            let letters: Vec<_> =
                block.missing.iter().map(|letter| letter.escape_unicode().to_string()).collect();
            cx.warn(format!("no font has the letters {}", letters.join(" ")));
        }
        let (width, height) = block.around();
        let margin = f64::from(self.offset);
        let at = |outer: u32, inner: f64, horizontal| {
            self.gravity.place_inside(outer.into(), inner, margin, horizontal)
        };
        let at = (at(size.0, width, true), at(size.1, height, false));
        let Some(mask) = block.mask(at, size, cx)? else { return Ok(image) };
        let place = (i64::from(mask.left), i64::from(mask.top));
        let upon = Upon::of(self.opacity, Blend::Normal)?;
        overlay(image, &coloured(self, &mask, cx)?, place, upon, cx)
    }
}

/// A mask in the colour of the text.
fn coloured(how: &Text, mask: &Mask, cx: &RunContext) -> Result<Image> {
    let channels = if how.color.is_grey() { 2 } else { 4 };
    let colour = pixel(how.color, channels);
    let (n, row) = (colour.len(), mask.width as usize);
    let mut pixels = Vec::with_capacity(mask.pixels.len() * n);
    bands(mask.height as usize, row * n, cx, |rows| {
        for covered in &mask.pixels[rows.start * row..rows.end * row] {
            pixels.extend_from_slice(&colour[..n - 1]);
            pixels.push(mul(*covered, colour[n - 1]));
        }
    })?;
    Image::new(mask.width, mask.height, channels, pixels)
}
