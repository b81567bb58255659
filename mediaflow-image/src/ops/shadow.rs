use mediaflow_core::media::Image;
use mediaflow_core::ops::Shadow;
use mediaflow_core::{Result, RunContext};

use crate::pixels::{Upon, bands, gaussian, gaussian_memory, overlay, pixel, to_byte};
use crate::word::{Compile, Extent, View, Whole, one};

impl Compile for Shadow {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::whole(*self)]
    }
}

impl Whole for Shadow {
    fn explain(&self) -> (&'static str, String) {
        ("shadow", format!("{} within {} pixels", self.color, self.sigma))
    }

    /// The outline of the picture, as large as the result, and what blurs it; the picture itself, if it is given alpha or colours.
    fn memory(&self, input: Extent, output: Extent) -> u64 {
        let outline = output.width * output.height;
        let picture = input.width * input.height * output.channels;
        picture + outline + gaussian_memory(self.sigma, output.width)
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        let size = self.size((image.width(), image.height()));
        let (left, top) = self.place();
        let at = (i64::from(left), i64::from(top));
        let moved = (at.0 + i64::from(self.x), at.1 + i64::from(self.y));
        let outline = outline(&image, size, moved, cx)?;
        let channels = if image.channels() < 3 && self.color.is_grey() { 2 } else { 4 };
        let mut colour = pixel(self.color, channels);
        let opacity = f32::from(self.color.channels()[3]) / 255.0;
        let row = size.0 as usize * colour.len();
        let mut pixels = Vec::with_capacity(row * size.1 as usize);
        gaussian(&outline, self.sigma, cx, |_, soft| {
            for alpha in soft {
                if let Some(last) = colour.last_mut() {
                    *last = to_byte(*alpha * opacity);
                }
                pixels.extend_from_slice(&colour);
            }
        })?;
        drop(outline);
        let metadata = image.metadata().clone();
        let ground = Image::new(size.0, size.1, channels, pixels)?.with_metadata(metadata);
        overlay(ground, &image, at, Upon::PLAIN, cx)
    }
}

/// The alpha of a picture that is moved to a place on a larger, transparent ground.
fn outline(
    image: &Image,
    (width, height): (u32, u32),
    (left, top): (i64, i64),
    cx: &RunContext,
) -> Result<Image> {
    let n = usize::from(image.channels());
    let (row, from) = (width as usize, image.width() as usize * n);
    let mut alpha = vec![0; row * height as usize];
    let (left, top) = (usize::try_from(left).unwrap_or(0), usize::try_from(top).unwrap_or(0));
    let opaque = !image.has_alpha();
    bands(image.height() as usize, 2 * from, cx, |rows| {
        for y in rows {
            let to = alpha[(top + y) * row + left..].iter_mut().take(from / n);
            let pixels = image.pixels()[y * from..(y + 1) * from].chunks_exact(n);
            for (to, pixel) in to.zip(pixels) {
                *to = if opaque { 255 } else { pixel[n - 1] };
            }
        }
    })?;
    Image::new(width, height, 1, alpha)
}
