use std::collections::VecDeque;
use std::ops::Range;

use fast_image_resize::images::{Image as Surface, ImageRef};
use fast_image_resize::{PixelType, ResizeOptions};
use mediaflow_core::Result;
use mediaflow_core::geometry::Rect;
use mediaflow_core::ops::Kernel;

use super::across::{Across, OPEN, kept, side, widened};
use super::alpha::{divide, multiply};
use super::bytes::Bytes;
use super::kernels::Weighing;
use super::windows::windows;
use crate::pixels::resize::{Bounds, Resample, band, one_band, options, refused, row_cost};
use crate::pixels::{Shape, step};

/// Bytes of rows that wait to be made narrower together: what that needs to know is worked out for each such call.
const BATCH: usize = 4 << 20;

/// Bytes of sums, of the batch, and of some rows as they are weighed, for a result of so many rows.
pub(super) fn held(shape: Shape, rows: u32) -> u64 {
    let channels = if shape.channels == 2 { 4 } else { u64::from(shape.channels) };
    let row = u64::from(shape.width) * channels;
    let batch = (row * u64::from(rows)).min(BATCH as u64 + row);
    OPEN * row * 4 + batch + 4 * row + (1 << 19)
}

/// Rows of 8 bits: down the columns first, then across.
#[derive(Debug)]
pub(super) struct Plain {
    shape: Shape,
    across: Across,
    down: Down,
    /// Of the result.
    channels: u8,
    alpha: bool,
    options: ResizeOptions,
    /// Rows as they are weighed, if they are not taken as they came.
    changed: Vec<u8>,
    /// Rows that are not made narrower yet.
    batch: Vec<u8>,
    pixels: Vec<u8>,
}

#[derive(Debug)]
enum Down {
    /// These rows as they are.
    Keep(Range<usize>),
    /// For each row of the result one of these, the first of which is the next.
    Pick(VecDeque<usize>),
    Mix(Bytes, Range<usize>),
}

impl Plain {
    pub(super) fn new(
        shape: Shape,
        (crop, within): (Rect, Bounds),
        across: Across,
        how: &Resample,
    ) -> Self {
        let channels = if shape.channels == 2 { 4 } else { shape.channels };
        let alpha = channels == 4 && how.kernel != Kernel::Nearest;
        let (width, height) = how.size;
        let row = across.from() * usize::from(channels);
        Self {
            shape,
            down: Down::of(crop, within, how, usize::from(channels)),
            channels,
            alpha,
            options: options(how, false),
            changed: Vec::new(),
            batch: Vec::with_capacity((row * height as usize).min(BATCH + row)),
            pixels: Vec::with_capacity(width as usize * height as usize * usize::from(channels)),
            across,
        }
    }

    pub(super) fn wanted(&self) -> Range<usize> {
        match &self.down {
            Down::Keep(rows) | Down::Mix(_, rows) => rows.clone(),
            Down::Pick(rows) => {
                rows.front().copied().unwrap_or(0)..rows.back().map_or(0, |row| row + 1)
            }
        }
    }

    pub(super) fn rows(&mut self, first: usize, rows: &[u8]) -> Result<()> {
        let (from, stride) = (usize::from(self.shape.channels), self.shape.row_bytes());
        let part = self.across.columns.start * from..self.across.columns.end * from;
        let lines = rows.chunks_exact(stride).map(|row| &row[part.clone()]);
        let mut changed = std::mem::take(&mut self.changed);
        changed.clear();
        let lines: Vec<&[u8]> = if self.alpha || self.channels != self.shape.channels {
            lines.for_each(|line| changed.extend_from_slice(&widened(line, from)));
            if self.alpha {
                multiply(&mut changed, self.across.from(), PixelType::U8x4)?;
            }
            changed.chunks_exact(self.across.from() * usize::from(self.channels)).collect()
        } else {
            lines.collect()
        };
        self.mix(first, &lines);
        drop(lines);
        self.changed = changed;
        if self.batch.len() >= BATCH { self.narrow() } else { Ok(()) }
    }

    fn mix(&mut self, first: usize, lines: &[&[u8]]) {
        match &mut self.down {
            Down::Keep(_) => lines.iter().for_each(|line| self.batch.extend_from_slice(line)),
            Down::Pick(rows) => {
                while let Some(line) = rows.front().and_then(|row| lines.get(row - first)) {
                    self.batch.extend_from_slice(line);
                    rows.pop_front();
                }
            }
            Down::Mix(bytes, _) => bytes.rows(first, lines, &mut self.batch),
        }
    }

    /// Makes the rows of the batch as narrow as the result.
    fn narrow(&mut self) -> Result<()> {
        let (channels, from) = (usize::from(self.channels), self.across.from());
        let rows = self.batch.len() / (from * channels);
        if rows == 0 {
            return Ok(());
        }
        let kind = match channels {
            1 => PixelType::U8,
            3 => PixelType::U8x3,
            _ => PixelType::U8x4,
        };
        let made = self.pixels.len();
        self.pixels.resize(made + rows * self.across.to * channels, 0);
        let pixels = &mut self.pixels[made..];
        let source = ImageRef::new(side(from), side(rows), &self.batch, kind).map_err(refused)?;
        let mut to = Surface::from_slice_u8(side(self.across.to), side(rows), pixels, kind)
            .map_err(refused)?;
        one_band(&source, self.across.all(rows), &mut to, &self.across.crop(&self.options, rows))?;
        if self.alpha {
            divide(&mut to)?;
        }
        self.batch.clear();
        Ok(())
    }

    pub(super) fn end(mut self) -> Result<(u8, Vec<u8>)> {
        self.narrow()?;
        Ok((self.channels, self.pixels))
    }
}

impl Down {
    fn of(crop: Rect, within: Bounds, how: &Resample, pixel: usize) -> Self {
        let band = step(row_cost(crop, how.size, pixel));
        if how.kernel == Kernel::Nearest {
            return Self::Pick(nearest(crop, within, how.size.1, band));
        }
        if let Some(rows) = kept(crop, how.size.1) {
            return Self::Keep(rows);
        }
        let windows = windows(crop, within, how.size.1, band, Weighing::of(how.kernel, how.crisp));
        let rows = super::windows::span(&windows);
        Self::Mix(Bytes::new(windows), rows)
    }
}

/// The row that becomes each row of the result. Added up as the resampler does, which takes bands by themselves.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "rows of a picture"
)]
fn nearest(crop: Rect, within: Bounds, to: u32, step: usize) -> VecDeque<usize> {
    let mut picked = VecDeque::with_capacity(to as usize);
    for start in (0..to as usize).step_by(step) {
        let made = start..(to as usize).min(start + step);
        let part = band(crop, within, &made, to);
        let scale = part.height / made.len() as f64;
        let mut y = part.y + scale * 0.5;
        for _ in made {
            picked.push_back((y as usize).min(within.height as usize - 1) + within.top as usize);
            y += scale;
        }
    }
    picked
}
