use std::ops::Range;

use fast_image_resize::images::{Image as Surface, ImageRef};
use fast_image_resize::{PixelType, ResizeOptions};
use mediaflow_core::geometry::Rect;
use mediaflow_core::{Result, RunContext};

use super::across::{Across, OPEN, kept, side, widened};
use super::alpha::{divide, multiply};
use super::kernels::Weighing;
use super::light::Words;
use super::windows::{span, windows};
use crate::pixels::resize::{
    Bounds, Resample, from_light, in_light, one_band, options, out_of_light, refused, row_cost,
    to_light,
};
use crate::pixels::{Shape, step};

/// Bytes of rows in light that wait to be made narrower together: what that needs to know is worked out for each such call.
const BATCH: usize = 8 << 20;

/// How many rows these are, each of so many columns; of a small picture an eighth.
fn together(columns: usize, rows: u32) -> usize {
    let most = BATCH / (columns * PIXEL).max(1);
    (rows as usize / 8).clamp(16, most.max(16))
}

/// Bytes of sums, of the batch, twice once it is narrow, and of tables, for a result of so many columns.
pub(super) fn held(shape: Shape, columns: u32) -> u64 {
    let [from, to] = [shape.width, columns].map(|columns| u64::from(columns) * PIXEL as u64);
    let rows = together(shape.width as usize, shape.height) as u64;
    OPEN * to * 4 + rows * (from + 2 * to) + (1 << 18)
}

/// Bytes of a pixel in light.
const PIXEL: usize = 8;

/// Rows in proportion to light: across first, then down the columns, as the resampler does with 16 bits.
#[derive(Debug)]
pub(super) struct Linear {
    shape: Shape,
    across: Across,
    down: Down,
    /// Of the result.
    channels: u8,
    options: ResizeOptions,
    to_light: Vec<u16>,
    from_light: Vec<u8>,
    /// So many are made narrower together.
    together: usize,
    /// Rows in light that are not made narrower yet, and the number of the first one.
    batch: Vec<u8>,
    first: usize,
    pixels: Vec<u8>,
}

#[derive(Debug)]
enum Down {
    Keep(Range<usize>),
    Mix(Words, Range<usize>),
}

impl Linear {
    pub(super) fn new(
        shape: Shape,
        (crop, within): (Rect, Bounds),
        across: Across,
        how: &Resample,
    ) -> Self {
        let channels = if shape.channels == 2 { 4 } else { shape.channels };
        let (width, height) = how.size;
        let row = across.from() * PIXEL;
        let together = together(across.from(), shape.height);
        let to_light = to_light();
        let down = match kept(crop, height) {
            Some(rows) => Down::Keep(rows),
            None => {
                let band = step(row_cost(crop, how.size, PIXEL));
                let kernel = Weighing::of(how.kernel, how.crisp);
                let windows = windows(crop, within, height, band, kernel);
                let rows = span(&windows);
                Down::Mix(Words::new(windows), rows)
            }
        };
        Self {
            shape,
            down,
            channels,
            options: options(how, false),
            from_light: from_light(&to_light),
            to_light,
            batch: Vec::with_capacity(row * together),
            together,
            first: 0,
            pixels: Vec::with_capacity(width as usize * height as usize * usize::from(channels)),
            across,
        }
    }

    pub(super) fn wanted(&self) -> Range<usize> {
        match &self.down {
            Down::Keep(rows) | Down::Mix(_, rows) => rows.clone(),
        }
    }

    pub(super) fn rows(&mut self, first: usize, rows: &[u8], cx: &RunContext) -> Result<()> {
        let from = usize::from(self.shape.channels);
        let channels = usize::from(self.channels);
        let part = self.across.columns.start * from..self.across.columns.end * from;
        let row = self.across.from() * PIXEL;
        for (index, line) in rows.chunks_exact(self.shape.row_bytes()).enumerate() {
            if self.batch.is_empty() {
                self.first = first + index;
            } else if self.batch.len() >= row * self.together {
                self.narrow(cx)?;
                self.first = first + index;
            }
            let start = self.batch.len();
            self.batch.resize(start + row, 0);
            let (light, _) = self.batch[start..].as_chunks_mut();
            let line = widened(&line[part.clone()], from);
            in_light(&line, channels, &self.to_light, light);
        }
        Ok(())
    }

    /// Makes the rows of the batch as narrow as the result, and fewer.
    fn narrow(&mut self, cx: &RunContext) -> Result<()> {
        cx.check()?;
        let (from, to) = (self.across.from(), self.across.to);
        let rows = self.batch.len() / (from * PIXEL);
        if rows == 0 {
            return Ok(());
        }
        let kind = PixelType::U16x4;
        if self.channels == 4 {
            multiply(&mut self.batch, from, kind)?;
        }
        let mut narrow = Surface::new(side(to), side(rows), kind);
        let source = ImageRef::new(side(from), side(rows), &self.batch, kind).map_err(refused)?;
        one_band(
            &source,
            self.across.all(rows),
            &mut narrow,
            &self.across.crop(&self.options, rows),
        )?;
        self.batch.clear();
        let (words, _) = narrow.buffer().as_chunks::<2>();
        let words: Vec<u16> = words.iter().map(|word| u16::from_ne_bytes(*word)).collect();
        let made = match &mut self.down {
            Down::Keep(_) => words,
            Down::Mix(mix, _) => {
                let lines: Vec<&[u16]> = words.chunks_exact(4 * to).collect();
                let mut made = Vec::new();
                mix.rows(self.first, &lines, &mut made);
                made
            }
        };
        self.back(&made)
    }

    /// Rows of the result in light, as bytes.
    fn back(&mut self, words: &[u16]) -> Result<()> {
        let (to, rows) = (self.across.to, words.len() / (4 * self.across.to));
        if rows == 0 {
            return Ok(());
        }
        let mut light = Surface::new(side(to), side(rows), PixelType::U16x4);
        for (bytes, word) in light.buffer_mut().as_chunks_mut::<2>().0.iter_mut().zip(words) {
            *bytes = word.to_ne_bytes();
        }
        if self.channels == 4 {
            divide(&mut light)?;
        }
        let (pixels, _) = light.buffer().as_chunks();
        out_of_light(pixels, usize::from(self.channels), &self.from_light, &mut self.pixels);
        Ok(())
    }

    pub(super) fn end(mut self, cx: &RunContext) -> Result<(u8, Vec<u8>)> {
        self.narrow(cx)?;
        Ok((self.channels, self.pixels))
    }
}
