use std::ops::Range;

use mediaflow_core::geometry::Rect;

use super::kernels::Weighing;
use crate::pixels::resize::{Bounds, band};

/// The rows of a picture that go into one row of a smaller one, and how much of each.
#[derive(Clone, Debug)]
pub(super) struct Window<W> {
    pub(super) first: usize,
    pub(super) weights: Vec<W>,
    /// The weights sum to 2 to the power of this.
    pub(super) precision: u8,
}

impl<W> Window<W> {
    /// The same, so many rows further down.
    fn lower(self, rows: u32) -> Self {
        Self { first: self.first + rows as usize, ..self }
    }

    pub(super) fn end(&self) -> usize {
        self.first + self.weights.len()
    }
}

/// A weight as a whole number.
pub(super) trait Weight: Copy {
    /// How many bits it has beside the sign.
    const BITS: u8;
    /// More would not fit into a sum.
    const PRECISION: u8;

    fn rounded(value: f64) -> Self;
}

/// For samples of 8 bits and sums of 32.
impl Weight for i16 {
    const BITS: u8 = 15;
    const PRECISION: u8 = 22;

    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, which is wanted")]
    fn rounded(value: f64) -> Self {
        value.round() as Self
    }
}

/// For samples of 16 bits and sums of 64.
impl Weight for i32 {
    const BITS: u8 = 31;
    const PRECISION: u8 = 46;

    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, which is wanted")]
    fn rounded(value: f64) -> Self {
        value.round() as Self
    }
}

/// The windows of all rows of a result, of which so many are made together by the resampler of whole pictures. They are its
/// own to the bit: it computes them for each of its bands anew, so the bands are a part of the result.
pub(super) fn windows<W: Weight>(
    crop: Rect,
    within: Bounds,
    to: u32,
    step: usize,
    kernel: Weighing,
) -> Vec<Window<W>> {
    let mut windows = Vec::with_capacity(to as usize);
    for start in (0..to as usize).step_by(step) {
        let made = start..(to as usize).min(start + step);
        let part = band(crop, within, &made, to);
        let exact = of_band(within.height, part, made, kernel);
        windows.extend(fixed(&exact).map(|window| window.lower(within.top)));
    }
    windows
}

/// The rows that lie in any of them.
pub(super) fn span<W>(windows: &[Window<W>]) -> Range<usize> {
    let first = windows.iter().map(|window| window.first).min().unwrap_or(0);
    first..windows.iter().map(Window::end).max().unwrap_or(0)
}

struct Exact {
    rows: Range<usize>,
    weights: Vec<f64>,
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "rows of a picture"
)]
fn of_band(rows: u32, crop: Rect, made: Range<usize>, kernel: Weighing) -> Vec<Exact> {
    let scale = (crop.y + crop.height - crop.y) / made.len() as f64;
    let wide = scale.max(1.0);
    let (reach, narrow) = (kernel.reach * wide, 1.0 / wide);
    let window = |row: usize| {
        let centre = crop.y + (row as f64 + 0.5) * scale;
        let first = (centre - reach).floor().max(0.0) as usize;
        let end = (centre + reach).ceil().min(f64::from(rows)) as usize;
        let centre = centre - 0.5;
        let weight = |row: usize| (kernel.weight)((row as f64 - centre) * narrow);
        let mut weights: Vec<f64> = (first..end).map(weight).collect();
        let zeros = weights.iter().take_while(|weight| **weight == 0.0).count();
        weights.drain(..zeros);
        // All of them are summed up, as they come: the last bit matters.
        let sum: f64 = weights.iter().fold(0.0, |sum, weight| sum + weight);
        while weights.last().is_some_and(|weight| *weight == 0.0) {
            weights.pop();
        }
        if sum != 0.0 {
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        let first = first + zeros;
        Exact { rows: first..first + weights.len(), weights }
    };
    (0..made.len()).map(window).collect()
}

/// As precise as the largest weight allows.
fn fixed<W: Weight>(exact: &[Exact]) -> impl Iterator<Item = Window<W>> {
    let largest =
        exact.iter().flat_map(|exact| &exact.weights).fold(0.0_f64, |most, next| most.max(*next));
    let fits = |precision: u8| (largest * power(precision + 1)).round() < power(W::BITS);
    let precision = (0..W::PRECISION - 1).find(|bits| !fits(*bits)).unwrap_or(W::PRECISION - 1);
    exact.iter().map(move |exact| Window {
        first: exact.rows.start,
        weights: exact.weights.iter().map(|w| W::rounded(w * power(precision))).collect(),
        precision,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a power of two")]
fn power(of_two: u8) -> f64 {
    (1_u64 << of_two) as f64
}
