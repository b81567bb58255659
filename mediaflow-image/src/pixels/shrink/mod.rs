//! A resize that is given its picture by rows, from the top, and holds as much as its result and a few rows.
//!
//! The resampler wants whole pictures. What it does across a row it does for rows alone as well; what it does down the
//! columns is done here, with its own weights and in the same whole numbers: every row that comes is added to the five to
//! seven sums whose windows it lies in. So a result is what [`resample`](super::resample()) gives, to the bit.
//!
//! Uses: pixels.

mod across;
mod alpha;
mod bytes;
mod kernels;
mod light;
mod linear;
mod plain;
mod windows;

use std::ops::Range;

use mediaflow_core::geometry::Rect;
use mediaflow_core::media::{Image, Metadata};
use mediaflow_core::ops::Kernel;
use mediaflow_core::{Error, Result, RunContext, codes};

use self::across::Across;
use self::linear::Linear;
use self::plain::Plain;
use super::Shape;
use super::resize::{Resample, crop_is_exact, inside, is_beyond};

/// A resize of a picture whose rows come one by one.
#[derive(Debug)]
pub(crate) struct Shrink {
    shape: Shape,
    /// Rows that have come.
    come: usize,
    /// Those that count.
    rows: Range<usize>,
    work: Work,
    size: (u32, u32),
}

#[derive(Debug)]
enum Work {
    Plain(Plain),
    Linear(Linear),
}

impl Shrink {
    /// Whether it can be done by rows without holding more than its result: it makes the picture no larger on either side,
    /// and is more than a crop.
    pub(crate) fn fits(crop: Rect, size: (u32, u32)) -> bool {
        let smaller = crop.width >= f64::from(size.0) && crop.height >= f64::from(size.1);
        smaller && !crop_is_exact(crop, size)
    }

    /// The same of a picture of this size: what a crop has cut off does not count.
    pub(crate) fn takes(how: &Resample, size: (u32, u32)) -> bool {
        let within = how.within.of(size);
        !is_beyond(how.crop, within) && Self::fits(inside(how.crop, within), how.size)
    }

    /// For a picture of this shape.
    pub(crate) fn new(shape: Shape, how: &Resample) -> Self {
        let within = how.within.of((shape.width, shape.height));
        let crop = inside(how.crop, within);
        let across = Across::of(crop, within, how);
        let work = if how.linear && how.kernel != Kernel::Nearest {
            Work::Linear(Linear::new(shape, (crop, within), across, how))
        } else {
            Work::Plain(Plain::new(shape, (crop, within), across, how))
        };
        let rows = match &work {
            Work::Plain(plain) => plain.wanted(),
            Work::Linear(linear) => linear.wanted(),
        };
        Self { shape, come: 0, rows, work, size: how.size }
    }

    /// Takes the next rows.
    ///
    /// # Errors
    /// What [`RunContext::check`] gives.
    pub(crate) fn rows(&mut self, rows: &[u8], cx: &RunContext) -> Result<()> {
        cx.check()?;
        let stride = self.shape.row_bytes();
        let (first, end) = (self.come, self.come + rows.len() / stride.max(1));
        self.come = end;
        let wanted = first.max(self.rows.start)..end.min(self.rows.end);
        if wanted.is_empty() {
            return Ok(());
        }
        let rows = &rows[(wanted.start - first) * stride..(wanted.end - first) * stride];
        match &mut self.work {
            Work::Plain(plain) => plain.rows(wanted.start, rows),
            Work::Linear(linear) => linear.rows(wanted.start, rows, cx),
        }
    }

    /// The result, once all rows have come.
    ///
    /// # Errors
    /// `internal` if rows are missing.
    pub(crate) fn end(self, metadata: Metadata, cx: &RunContext) -> Result<Image> {
        cx.check()?;
        let (channels, pixels) = match self.work {
            Work::Plain(plain) => plain.end()?,
            Work::Linear(linear) => linear.end(cx)?,
        };
        let (width, height) = self.size;
        if pixels.len() as u64 != u64::from(width) * u64::from(height) * u64::from(channels) {
            return Err(Error::internal(codes::IMAGE_RESIZE, "rows of the picture are missing"));
        }
        Ok(Image::new(width, height, channels, pixels)?.with_metadata(metadata))
    }

    /// Bytes that it holds beside its result, at most.
    pub(crate) fn memory(shape: Shape, size: (u32, u32), linear: bool) -> u64 {
        // Seven rows of the result are open at a time, and each row of the picture has as many weights.
        let weights = 4 * (7 * u64::from(shape.height) + 16 * u64::from(size.1));
        let held = if linear { linear::held(shape, size.0) } else { plain::held(shape, size.1) };
        held + weights
    }
}

#[cfg(test)]
mod tests;
