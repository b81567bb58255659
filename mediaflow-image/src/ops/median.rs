use mediaflow_core::media::Image;
use mediaflow_core::ops::Median;
use mediaflow_core::{Result, RunContext};

use crate::pixels::bands;
use crate::word::{Compile, View, Whole, one};

impl Compile for Median {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::whole(*self)]
    }
}

impl Whole for Median {
    fn explain(&self) -> (&'static str, String) {
        ("median", format!("of {size} by {size} pixels", size = self.size))
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        let (width, height) = (image.width() as usize, image.height() as usize);
        let (channels, radius) = (usize::from(image.channels()), self.size as usize / 2);
        let row = width * channels;
        let mut pixels = vec![0; row * height];
        // For each sample a column of values comes, and one leaves.
        bands(height, 8 * row * self.size as usize, cx, |rows| {
            for y in rows {
                let above = y.saturating_sub(radius);
                let near = Near {
                    image: &image,
                    // Rows beyond the edges are the outermost one again.
                    above: (above, radius - (y - above)),
                    below: ((y + radius).min(height - 1), (y + radius).saturating_sub(height - 1)),
                };
                for channel in 0..channels {
                    let medians = pixels[y * row + channel..].iter_mut().step_by(channels);
                    near.medians(channel, radius, medians.take(width));
                }
            }
        })?;
        Ok(Image::new(image.width(), image.height(), image.channels(), pixels)?
            .with_metadata(image.metadata().clone()))
    }
}

/// The rows around one, each with how often it is there beside the one time that it stands for itself.
struct Near<'a> {
    image: &'a Image,
    above: (usize, usize),
    below: (usize, usize),
}

impl Near<'_> {
    /// The median around each pixel of the row, from the left.
    fn medians<'a>(
        &self,
        channel: usize,
        radius: usize,
        medians: impl Iterator<Item = &'a mut u8>,
    ) {
        let last = self.image.width() as usize - 1;
        let mut square = Square::default();
        self.column(0, channel, |value, weight| square.add(value, weight * (1 + few(radius))));
        for x in 1..=radius {
            self.column(x.min(last), channel, |value, weight| square.add(value, weight));
        }
        for (x, median) in medians.enumerate() {
            *median = square.median();
            let (leaves, comes) = (x.saturating_sub(radius), (x + radius + 1).min(last));
            self.column(leaves, channel, |value, weight| square.take(value, weight));
            self.column(comes, channel, |value, weight| square.add(value, weight));
        }
    }

    /// The values of a column, and how much they count: colours by their alpha.
    fn column(&self, x: usize, channel: usize, mut each: impl FnMut(u8, u32)) {
        let channels = usize::from(self.image.channels());
        let stride = self.image.width() as usize * channels;
        let alpha = (self.image.has_alpha() && channel + 1 < channels).then_some(channels - 1);
        let mut give = |y: usize, times: usize| {
            let at = y * stride + x * channels;
            if let Some(pixel) = self.image.pixels().get(at..at + channels) {
                let weight = alpha.map_or(1, |alpha| u32::from(pixel[alpha]));
                each(pixel[channel], weight * few(times));
            }
        };
        let ((first, before), (last, after)) = (self.above, self.below);
        (first..=last).for_each(|y| give(y, 1));
        if before > 0 {
            give(first, before);
        }
        if after > 0 {
            give(last, after);
        }
    }
}

/// How often something counts: a radius of at most 25, and one.
#[expect(clippy::cast_possible_truncation, reason = "a few pixels")]
fn few(pixels: usize) -> u32 {
    pixels as u32
}

/// The values of a square, by how often they are there, and where the middle was when it was last asked for.
struct Square {
    counts: [u32; 256],
    total: u32,
    middle: u8,
    /// How many lie below the middle.
    below: u32,
}

impl Default for Square {
    fn default() -> Self {
        Self { counts: [0; 256], total: 0, middle: 0, below: 0 }
    }
}

impl Square {
    fn add(&mut self, value: u8, weight: u32) {
        self.counts[usize::from(value)] += weight;
        self.total += weight;
        self.below += if value < self.middle { weight } else { 0 };
    }

    fn take(&mut self, value: u8, weight: u32) {
        self.counts[usize::from(value)] -= weight;
        self.total -= weight;
        self.below -= if value < self.middle { weight } else { 0 };
    }

    /// The smallest value that more than half are not above; 0 of nothing.
    fn median(&mut self) -> u8 {
        if self.total == 0 {
            return 0;
        }
        while 2 * self.below > self.total {
            self.middle -= 1;
            self.below -= self.counts[usize::from(self.middle)];
        }
        while 2 * (self.below + self.counts[usize::from(self.middle)]) <= self.total {
            self.below += self.counts[usize::from(self.middle)];
            self.middle += 1;
        }
        self.middle
    }
}
