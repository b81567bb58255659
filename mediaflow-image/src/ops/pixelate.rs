use mediaflow_core::media::Image;
use mediaflow_core::ops::Pixelate;
use mediaflow_core::{Result, RunContext};

use crate::pixels::{Bounds, bands, owned};
use crate::word::{Compile, View, Whole, one};

impl Compile for Pixelate {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::whole(self.clone())]
    }
}

impl Whole for Pixelate {
    fn explain(&self) -> (&'static str, String) {
        let how = format!("by {} pixels", self.size);
        match self.regions.len() {
            0 => ("pixelate", how),
            1 => ("pixelate", format!("a part {how}")),
            parts => ("pixelate", format!("{parts} parts {how}")),
        }
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        let (size, channels) = ((image.width(), image.height()), image.channels());
        let metadata = image.metadata().clone();
        let mut pixels = owned(image, cx)?;
        if self.regions.is_empty() {
            blocks(&mut pixels, size.0, channels, Bounds::all(size), self.size, cx)?;
        }
        for region in &self.regions {
            let ((left, top), (width, height)) = region.place(size)?;
            let part = Bounds { left, top, width, height };
            blocks(&mut pixels, size.0, channels, part, self.size, cx)?;
        }
        Ok(Image::new(size.0, size.1, channels, pixels)?.with_metadata(metadata))
    }
}

/// Gives the blocks of a part their means.
fn blocks(
    pixels: &mut [u8],
    width: u32,
    channels: u8,
    part: Bounds,
    side: u32,
    cx: &RunContext,
) -> Result<()> {
    let (channels, side) = (usize::from(channels), side as usize);
    let stride = width as usize * channels;
    let (left, top) = (part.left as usize * channels, part.top as usize);
    let (across, down) = (part.width as usize * channels, part.height as usize);
    let mut sums = vec![Mean::default(); (part.width as usize).div_ceil(side)];
    bands(down.div_ceil(side), 4 * across * side, cx, |rows| {
        for block in rows {
            let ys = top + block * side..top + down.min((block + 1) * side);
            sums.fill(Mean::default());
            for y in ys.clone() {
                let row = &pixels[y * stride + left..][..across];
                for (sum, part) in sums.iter_mut().zip(row.chunks(side * channels)) {
                    part.chunks_exact(channels).for_each(|pixel| sum.add(pixel));
                }
            }
            for y in ys {
                let row = &mut pixels[y * stride + left..][..across];
                for (sum, part) in sums.iter().zip(row.chunks_mut(side * channels)) {
                    let mean = sum.pixel(channels);
                    part.chunks_exact_mut(channels)
                        .for_each(|pixel| pixel.copy_from_slice(&mean[..channels]));
                }
            }
        }
    })
}

/// The sum of pixels: of colours times alpha, if there is any.
#[derive(Clone, Copy, Default)]
struct Mean {
    colours: [u64; 3],
    alpha: u64,
    count: u64,
}

impl Mean {
    fn add(&mut self, pixel: &[u8]) {
        let (colours, alpha) = match pixel.len() {
            2 | 4 => pixel.split_at(pixel.len() - 1),
            _ => (pixel, &[255][..]),
        };
        let alpha = u64::from(alpha[0]);
        for (sum, value) in self.colours.iter_mut().zip(colours) {
            *sum += u64::from(*value) * alpha;
        }
        self.alpha += alpha;
        self.count += 1;
    }

    /// The mean, rounded, with alpha behind the colours that there are.
    fn pixel(&self, channels: usize) -> [u8; 4] {
        let mut pixel = [0; 4];
        for (to, sum) in pixel.iter_mut().zip(self.colours) {
            *to = share(sum, self.alpha);
        }
        if channels.is_multiple_of(2) {
            pixel[channels - 1] = share(self.alpha, self.count);
        }
        pixel
    }
}

/// A mean, rounded; 0 of nothing.
fn share(sum: u64, of: u64) -> u8 {
    u8::try_from((sum + of / 2).checked_div(of).unwrap_or(0)).unwrap_or(u8::MAX)
}
