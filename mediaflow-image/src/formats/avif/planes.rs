//! From planes of brightness and colour to red, green and blue.

use aom_decode::color::{ChromaSampling, Depth};
use aom_decode::{FrameTempRef, RowsIter, RowsIters};
use mediaflow_core::media::Format;
use mediaflow_core::{Error, Result};

use super::items::Colours;
use crate::error::{corrupt, unsupported};

/// A decoded frame, row by row.
pub(super) struct Planes<'a> {
    luma: Samples<'a>,
    chroma: Option<Chroma<'a>>,
    levels: Levels,
    row: Vec<f32>,
}

/// The rows of a plane.
enum Samples<'a> {
    Bytes(RowsIter<'a, u8>),
    Words(RowsIter<'a, [u8; 2]>),
}

struct Chroma<'a> {
    planes: [Upright<'a>; 2],
    narrow: bool,
    matrix: Matrix,
    wide: [Vec<f32>; 2],
}

/// A plane of colour, as high as that of brightness: between two of its rows lie a quarter and three quarters of each.
struct Upright<'a> {
    rows: Samples<'a>,
    low: bool,
    /// The row before, this one, and the next one.
    near: [Vec<f32>; 3],
    mixed: Vec<f32>,
    lower: bool,
}

/// How numbers become fractions.
#[derive(Clone, Copy, Debug)]
struct Levels {
    black: f32,
    luma: f32,
    chroma: f32,
    middle: f32,
}

/// How brightness and colour make red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Matrix {
    /// They are green, blue and red.
    Identity,
    Green,
    /// By how much red and blue weigh in the brightness.
    Weights(f32, f32),
}

impl<'a> Planes<'a> {
    /// The rows of a frame, whose numbers stand for this.
    ///
    /// # Errors
    /// `image.unsupported`, `image.corrupt`.
    pub(super) fn new(frame: &'a FrameTempRef<'_>, colours: Colours) -> Result<Self> {
        let rows = frame.rows_iter().map_err(|error| undecoded(&error))?;
        let (luma, chroma, depth) = match rows {
            RowsIters::Mono8(y) => (Samples::Bytes(y), None, Depth::Depth8),
            RowsIters::Mono16(y, depth) => (Samples::Words(y), None, depth),
            RowsIters::YuvPlanes8 { y, u, v, chroma_sampling } => {
                let chroma = (Samples::Bytes(u), Samples::Bytes(v), chroma_sampling);
                (Samples::Bytes(y), Some(chroma), Depth::Depth8)
            }
            RowsIters::YuvPlanes16 { y, u, v, chroma_sampling, depth } => {
                let chroma = (Samples::Words(u), Samples::Words(v), chroma_sampling);
                (Samples::Words(y), Some(chroma), depth)
            }
        };
        let levels = Levels::new(depth, colours.full);
        let chroma = chroma.map(|(u, v, sampling)| {
            let matrix = Matrix::of(colours)?;
            let narrow = matches!(sampling, ChromaSampling::Cs420 | ChromaSampling::Cs422);
            if narrow && matrix == Matrix::Identity {
                return Err(corrupt(&Format::AVIF, "its colours need planes of one size"));
            }
            let low = sampling == ChromaSampling::Cs420;
            let planes = [u, v].map(|rows| Upright::new(rows, low));
            Ok(Chroma { planes, narrow, matrix, wide: Default::default() })
        });
        Ok(Self { luma, chroma: chroma.transpose()?, levels, row: Vec::new() })
    }

    /// Width and height.
    pub(super) fn size(&self) -> (usize, usize) {
        match &self.luma {
            Samples::Bytes(rows) => (rows.width(), rows.height()),
            Samples::Words(rows) => (rows.width(), rows.height()),
        }
    }

    /// Whether there is no colour in it.
    pub(super) fn is_grey(&self) -> bool {
        self.chroma.is_none()
    }

    /// The brightness of the next row, from 0 to 1; nothing behind the last one.
    pub(super) fn luma(&mut self) -> Option<&[f32]> {
        self.luma.next(&mut self.row).then_some(())?;
        let Levels { black, luma, .. } = self.levels;
        self.row.iter_mut().for_each(|value| *value = (*value - black) * luma);
        Some(&self.row)
    }

    /// The next row, each value from 0 to 1 or a little beyond; nothing behind the last one.
    pub(super) fn colours(&mut self, to: &mut Vec<[f32; 3]>) -> Option<()> {
        self.luma()?;
        to.clear();
        let Some(chroma) = &mut self.chroma else {
            to.extend(self.row.iter().map(|value| [*value; 3]));
            return Some(());
        };
        let Levels { chroma: scale, middle, black, luma } = self.levels;
        for (plane, wide) in chroma.planes.iter_mut().zip(&mut chroma.wide) {
            let row = plane.next();
            wide.clear();
            if chroma.narrow {
                widen(row, self.row.len(), wide);
            } else {
                wide.extend_from_slice(row);
            }
        }
        let [u, v] = &chroma.wide;
        let rows = self.row.iter().zip(u.iter().zip(v));
        let signed = |value: f32| (value - middle) * scale;
        match chroma.matrix {
            Matrix::Identity => {
                let plain = |value: f32| (value - black) * luma;
                to.extend(rows.map(|(y, (u, v))| [plain(*v), *y, plain(*u)]));
            }
            Matrix::Green => to.extend(rows.map(|(y, (u, v))| {
                let (green, orange) = (signed(*u), signed(*v));
                let rest = y - green;
                [rest + orange, y + green, rest - orange]
            })),
            Matrix::Weights(red, blue) => {
                let green = 1.0 - red - blue;
                let (from_red, from_blue) = (2.0 * (1.0 - red), 2.0 * (1.0 - blue));
                let (less_red, less_blue) = (from_red * red / green, from_blue * blue / green);
                to.extend(rows.map(|(y, (u, v))| {
                    let (u, v) = (signed(*u), signed(*v));
                    [y + from_red * v, y - less_red * v - less_blue * u, y + from_blue * u]
                }));
            }
        }
        (to.len() == self.row.len()).then_some(())
    }
}

impl Samples<'_> {
    fn next(&mut self, to: &mut Vec<f32>) -> bool {
        to.clear();
        match self {
            Self::Bytes(rows) => {
                let Some(row) = rows.next() else { return false };
                to.extend(row.iter().map(|value| f32::from(*value)));
            }
            Self::Words(rows) => {
                let Some(row) = rows.next() else { return false };
                to.extend(row.iter().map(|value| f32::from(u16::from_ne_bytes(*value))));
            }
        }
        true
    }
}

impl<'a> Upright<'a> {
    fn new(mut rows: Samples<'a>, low: bool) -> Self {
        let mut near = <[Vec<f32>; 3]>::default();
        if low {
            rows.next(&mut near[2]);
            near[1] = near[2].clone();
        }
        Self { rows, low, near, mixed: Vec::new(), lower: false }
    }

    /// The row beside the next one of brightness.
    fn next(&mut self) -> &[f32] {
        if !self.low {
            self.rows.next(&mut self.near[1]);
            return &self.near[1];
        }
        // The upper one of two comes with a new row of colour.
        if !self.lower {
            self.near.rotate_left(1);
            let [_, this, next] = &mut self.near;
            if !self.rows.next(next) {
                next.clone_from(this);
            }
        }
        let [before, this, next] = &self.near;
        let other = if self.lower { next } else { before };
        self.lower = !self.lower;
        self.mixed.clear();
        self.mixed.extend(this.iter().zip(other).map(|(this, other)| this * 0.75 + other * 0.25));
        &self.mixed
    }
}

/// Twice as wide, or one less: of each two values a quarter and three quarters.
fn widen(row: &[f32], width: usize, to: &mut Vec<f32>) {
    for (index, value) in row.iter().enumerate() {
        let before = row[index.saturating_sub(1)];
        let after = *row.get(index + 1).unwrap_or(value);
        to.push(value * 0.75 + before * 0.25);
        to.push(value * 0.75 + after * 0.25);
    }
    to.truncate(width);
}

impl Levels {
    fn new(depth: Depth, full: bool) -> Self {
        let bits = match depth {
            Depth::Depth8 => 8,
            Depth::Depth10 => 10,
            Depth::Depth12 => 12,
            Depth::Depth16 => 16,
        };
        let unit = f32::from(1_u16 << (bits - 8));
        let most = f32::from(u16::MAX >> (16 - bits));
        let middle = 128.0 * unit;
        if full {
            Self { black: 0.0, luma: 1.0 / most, chroma: 1.0 / most, middle }
        } else {
            let (luma, chroma) = (1.0 / (219.0 * unit), 1.0 / (224.0 * unit));
            Self { black: 16.0 * unit, luma, chroma, middle }
        }
    }
}

impl Matrix {
    fn of(colours: Colours) -> Result<Self> {
        Ok(match (colours.matrix, colours.primaries) {
            (0, _) => Self::Identity,
            (1, _) | (12, 1) => Self::Weights(0.2126, 0.0722),
            (4, _) => Self::Weights(0.30, 0.11),
            (2 | 5 | 6, _) => Self::Weights(0.299, 0.114),
            (7, _) => Self::Weights(0.212, 0.087),
            (8, _) => Self::Green,
            (9, _) | (12, 9) => Self::Weights(0.2627, 0.0593),
            (number, _) => {
                let what =
                    format!("its brightness and its colour belong together by matrix {number}");
                return Err(unsupported(&Format::AVIF, what));
            }
        })
    }
}

/// What its decoder said.
pub(super) fn undecoded(error: &aom_decode::Error) -> Error {
    match error {
        aom_decode::Error::Unsupported(what) => unsupported(&Format::AVIF, *what),
        error => {
            corrupt(&Format::AVIF, "the picture can not be decoded").because(error.to_string())
        }
    }
}
