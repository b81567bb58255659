use std::borrow::Cow;
use std::ops::Range;

use fast_image_resize::ResizeOptions;
use mediaflow_core::geometry::Rect;
use mediaflow_core::ops::Kernel;

use super::kernels::Weighing;
use crate::pixels::resize::{Bounds, Resample, fitting};

/// Rows of sums, with those that wait to be used again.
pub(super) const OPEN: u64 = 9;

/// What of each row counts, and where the crop lies in that.
#[derive(Clone, Debug)]
pub(super) struct Across {
    pub(super) columns: Range<usize>,
    left: f64,
    width: f64,
    /// Pixels of a row of the result.
    pub(super) to: usize,
}

impl Across {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "columns of a picture"
    )]
    pub(super) fn of(crop: Rect, within: Bounds, how: &Resample) -> Self {
        let to = how.size.0;
        let scale = (crop.width / f64::from(to)).max(1.0);
        let reach = match Weighing::of(how.kernel, how.crisp).reach {
            _ if f64::from(to) == crop.width && crop.x == crop.x.round() => 0.0,
            reach => reach * scale + 2.0,
        };
        // Which pixel is the nearest can hang on the last bit of where the crop begins.
        let near = how.kernel == Kernel::Nearest;
        let (first, end) = (f64::from(within.left), f64::from(within.left + within.width));
        let left = if near { first } else { (crop.x - reach).floor().max(first) };
        let right = (crop.x + crop.width + reach).ceil().min(end);
        let width = fitting(crop.x - left, crop.width, (right - left) as u32);
        Self { columns: left as usize..right as usize, left: crop.x - left, width, to: to as usize }
    }

    /// All of so many rows, for the resampler.
    pub(super) fn all(&self, rows: usize) -> Bounds {
        Bounds::all((side(self.from()), side(rows)))
    }

    /// The resize of so many rows to as many.
    #[expect(clippy::cast_precision_loss, reason = "rows of a picture")]
    pub(super) fn crop(&self, options: &ResizeOptions, rows: usize) -> ResizeOptions {
        options.crop(self.left, 0.0, self.width, rows as f64)
    }

    /// Columns that count.
    pub(super) fn from(&self) -> usize {
        self.columns.len()
    }
}

/// The rows of the crop, if they are those of the result.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a row of a picture")]
pub(super) fn kept(crop: Rect, to: u32) -> Option<Range<usize>> {
    let as_it_is = f64::from(to) == crop.height && crop.y == crop.y.round();
    as_it_is.then(|| crop.y as usize..crop.y as usize + to as usize)
}

/// Pixels of a row; grey with alpha as colour, rare enough to do without kernels of its own.
pub(super) fn widened(row: &[u8], channels: usize) -> Cow<'_, [u8]> {
    if channels == 2 {
        row.as_chunks()
            .0
            .iter()
            .flat_map(|[value, alpha]| [*value, *value, *value, *alpha])
            .collect()
    } else {
        row.into()
    }
}

/// A side of a picture that began as one.
pub(super) fn side(pixels: usize) -> u32 {
    u32::try_from(pixels).unwrap_or(u32::MAX)
}
