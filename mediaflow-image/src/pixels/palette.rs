use std::collections::BTreeMap;

use mediaflow_core::media::Image;
use mediaflow_core::{Result, RunContext};

use super::{bands, to_byte};

/// A picture of few colours.
#[derive(Debug, PartialEq)]
pub(crate) struct Indexed {
    pub(crate) colours: Vec<[u8; 3]>,
    /// The number of what is not seen, behind all colours.
    pub(crate) transparent: Option<u8>,
    /// Of the colour of each pixel.
    pub(crate) numbers: Vec<u8>,
}

/// What has less alpha than this is not seen.
const SEEN: u8 = 128;

/// Brings a picture in colour, with alpha or without, to so many colours at most, from 2 to 256, one of which stands for what is
/// not seen. A picture that has no more keeps its own. Others get those that are nearest in sum: boxes of colours are cut where that
/// makes them most alike, as Wu does it, and then each colour moves to the middle of what it is nearest to. `dither`, from 0 to 1, is
/// how much of what is wrong at a pixel is made good at its neighbours, as Floyd and Steinberg do it.
///
/// # Errors
/// What [`RunContext::check`] gives.
pub(crate) fn indexed(image: &Image, most: u16, dither: f32, cx: &RunContext) -> Result<Indexed> {
    let found = Found::new(image, most, cx)?;
    let room = usize::from(most) - usize::from(found.unseen);
    let own = found.own.filter(|own| own.len() <= room);
    let (colours, dither) = match own {
        Some(own) => (own.into_keys().collect(), 0.0),
        None => (found.histogram.colours(room, cx)?, dither),
    };
    let transparent = if found.unseen { u8::try_from(colours.len()).ok() } else { None };
    let numbers = numbers(image, &colours, transparent, dither, cx)?;
    Ok(Indexed { colours, transparent, numbers })
}

/// What a picture has.
struct Found {
    histogram: Histogram,
    /// Its colours, unless they are too many.
    own: Option<BTreeMap<[u8; 3], ()>>,
    unseen: bool,
}

impl Found {
    fn new(image: &Image, most: u16, cx: &RunContext) -> Result<Self> {
        let mut found =
            Self { histogram: Histogram::default(), own: Some(BTreeMap::new()), unseen: false };
        let (row, channels) = (image.row_bytes(), usize::from(image.channels()));
        let mut last = None;
        // A pixel takes about as long as eight that are only copied.
        bands(image.height() as usize, 8 * row, cx, |rows| {
            for pixel in image.pixels()[rows.start * row..rows.end * row].chunks_exact(channels) {
                let Some(colour) = seen(pixel) else {
                    found.unseen = true;
                    continue;
                };
                found.histogram.add(colour);
                if last != Some(colour)
                    && let Some(own) = &mut found.own
                {
                    own.insert(colour, ());
                    if own.len() > usize::from(most) {
                        found.own = None;
                    }
                }
                last = Some(colour);
            }
        })?;
        Ok(found)
    }
}

/// The colour of a pixel that is seen.
fn seen(pixel: &[u8]) -> Option<[u8; 3]> {
    match *pixel {
        [r, g, b] => Some([r, g, b]),
        [r, g, b, a] if a >= SEEN => Some([r, g, b]),
        _ => None,
    }
}

/// How many pixels there are, and the sums of their red, green and blue, and of the squares of all three.
type Sums = [f64; 5];

/// Steps of a side of the cube of colours.
const SIDE: usize = 32;

/// Sums for each part of the cube of colours.
struct Histogram(Vec<Sums>);

impl Default for Histogram {
    fn default() -> Self {
        Self(vec![[0.0; 5]; SIDE * SIDE * SIDE])
    }
}

/// The parts of the cube from one corner to another, without the latter.
#[derive(Clone, Copy)]
struct Part {
    from: [usize; 3],
    to: [usize; 3],
}

impl Histogram {
    fn add(&mut self, colour: [u8; 3]) {
        let [r, g, b] = colour.map(|value| usize::from(value >> 3));
        let sums = &mut self.0[(r * SIDE + g) * SIDE + b];
        let [r, g, b] = colour.map(f64::from);
        for (sum, value) in sums.iter_mut().zip([1.0, r, g, b, r * r + g * g + b * b]) {
            *sum += value;
        }
    }

    /// So many colours at most that are near to those of the picture.
    fn colours(&self, most: usize, cx: &RunContext) -> Result<Vec<[u8; 3]>> {
        let mut parts = vec![Part { from: [0; 3], to: [SIDE; 3] }];
        // The part that is least alike, and where it is cut, as long as a cut helps.
        let mut cuts = vec![self.cut(parts[0])];
        while parts.len() < most {
            cx.check()?;
            let best = (0..cuts.len()).max_by(|a, b| cuts[*a].0.total_cmp(&cuts[*b].0));
            let Some((best, (_, Some((axis, at))))) = best.map(|best| (best, cuts[best])) else {
                break;
            };
            let mut other = parts[best];
            (parts[best].to[axis], other.from[axis]) = (at, at);
            cuts[best] = self.cut(parts[best]);
            parts.push(other);
            cuts.push(self.cut(other));
        }
        let mut colours: Vec<_> = parts.iter().map(|part| mean(self.sums(*part))).collect();
        for _ in 0..4 {
            cx.check()?;
            self.settle(&mut colours);
        }
        Ok(colours.into_iter().map(|colour| colour.map(to_byte)).collect())
    }

    /// By how much the sum of squares of a part becomes less by the best cut, and where that is.
    fn cut(&self, part: Part) -> (f64, Option<(usize, usize)>) {
        let all = self.sums(part);
        let mut best = (0.0, None);
        for axis in 0..3 {
            let mut below = [0.0; 5];
            for at in part.from[axis] + 1..part.to[axis] {
                let mut slice = part;
                (slice.from[axis], slice.to[axis]) = (at - 1, at);
                let slice = self.sums(slice);
                below.iter_mut().zip(slice).for_each(|(below, slice)| *below += slice);
                let above = std::array::from_fn(|index| all[index] - below[index]);
                if below[0] > 0.0 && above[0] > 0.0 {
                    let gain = weight(below) + weight(above) - weight(all);
                    if gain > best.0 {
                        best = (gain, Some((axis, at)));
                    }
                }
            }
        }
        best
    }

    fn sums(&self, part: Part) -> Sums {
        let mut sums = [0.0; 5];
        for r in part.from[0]..part.to[0] {
            for g in part.from[1]..part.to[1] {
                let row = (r * SIDE + g) * SIDE;
                for cell in &self.0[row + part.from[2]..row + part.to[2]] {
                    sums.iter_mut().zip(cell).for_each(|(sum, value)| *sum += value);
                }
            }
        }
        sums
    }

    /// Moves each colour to the middle of what it is nearest to.
    fn settle(&self, colours: &mut [[f32; 3]]) {
        let mut sums = vec![[0.0; 5]; colours.len()];
        for cell in self.0.iter().filter(|cell| cell[0] > 0.0) {
            let sum = &mut sums[nearest(colours, mean(*cell))];
            sum.iter_mut().zip(cell).for_each(|(sum, value)| *sum += value);
        }
        for (colour, sums) in colours.iter_mut().zip(sums) {
            if sums[0] > 0.0 {
                *colour = mean(sums);
            }
        }
    }
}

/// How much of a sum of squares the mean explains.
fn weight([count, r, g, b, _]: Sums) -> f64 {
    (r * r + g * g + b * b) / count
}

#[expect(clippy::cast_possible_truncation, reason = "colours need no more than that")]
fn mean([count, r, g, b, _]: Sums) -> [f32; 3] {
    [r, g, b].map(|sum| (sum / count.max(1.0)) as f32)
}

/// The place of the colour that is nearest to another one.
fn nearest(colours: &[[f32; 3]], to: [f32; 3]) -> usize {
    let mut best = (0, f32::INFINITY);
    for (place, [r, g, b]) in colours.iter().enumerate() {
        let [dr, dg, db] = [r - to[0], g - to[1], b - to[2]];
        let far = dr * dr + dg * dg + db * db;
        if far < best.1 {
            best = (place, far);
        }
    }
    best.0
}

/// The colour nearest to each other one, found when it is asked for: those that differ in their last bit have the same.
struct Nearest<'a> {
    colours: &'a [[u8; 3]],
    wide: Vec<[f32; 3]>,
    known: Vec<u16>,
    own: BTreeMap<[u8; 3], u8>,
}

impl<'a> Nearest<'a> {
    const NONE: u16 = u16::MAX;

    fn new(colours: &'a [[u8; 3]]) -> Self {
        let wide = colours.iter().map(|colour| colour.map(f32::from)).collect();
        let own = (0..=u8::MAX).zip(colours).map(|(number, colour)| (*colour, number)).collect();
        Self { colours, wide, known: vec![Self::NONE; 1 << 21], own }
    }

    #[expect(clippy::cast_possible_truncation, reason = "there are 256 colours at most")]
    fn find(&mut self, colour: [u8; 3]) -> u8 {
        let [r, g, b] = colour.map(|value| usize::from(value >> 1));
        let known = &mut self.known[r << 14 | g << 7 | b];
        if *known == Self::NONE {
            *known = nearest(&self.wide, colour.map(f32::from)) as u16;
        }
        let number = *known as u8;
        if self.colours.get(usize::from(number)) == Some(&colour) {
            return number;
        }
        self.own.get(&colour).copied().unwrap_or(number)
    }
}

fn numbers(
    image: &Image,
    colours: &[[u8; 3]],
    transparent: Option<u8>,
    dither: f32,
    cx: &RunContext,
) -> Result<Vec<u8>> {
    let (width, channels) = (image.width() as usize, usize::from(image.channels()));
    let row = image.row_bytes();
    let mut numbers = vec![0; width * image.height() as usize];
    let mut nearest = Nearest::new(colours);
    // What is wrong so far in this row and in the next one, with a pixel more at each end.
    let mut wrong = vec![[0.0_f32; 3]; width + 2];
    let mut below = wrong.clone();
    bands(image.height() as usize, 16 * row, cx, |rows| {
        for y in rows {
            let pixels = &image.pixels()[y * row..(y + 1) * row];
            let numbers = &mut numbers[y * width..(y + 1) * width];
            let back = y % 2 == 1;
            for step in 0..width {
                let x = if back { width - 1 - step } else { step };
                let Some(colour) = seen(&pixels[x * channels..(x + 1) * channels]) else {
                    numbers[x] = transparent.unwrap_or_default();
                    continue;
                };
                if dither <= 0.0 {
                    numbers[x] = nearest.find(colour);
                    continue;
                }
                let here = wrong[x + 1];
                let wanted: [f32; 3] =
                    std::array::from_fn(|channel| f32::from(colour[channel]) + here[channel]);
                let number = nearest.find(wanted.map(to_byte));
                numbers[x] = number;
                let made = nearest.wide[usize::from(number)];
                let (ahead, behind) = if back { (x, x + 2) } else { (x + 2, x) };
                for channel in 0..3 {
                    let rest = (wanted[channel].clamp(0.0, 255.0) - made[channel]) * dither / 16.0;
                    wrong[ahead][channel] += rest * 7.0;
                    below[behind][channel] += rest * 3.0;
                    below[x + 1][channel] += rest * 5.0;
                    below[ahead][channel] += rest;
                }
            }
            std::mem::swap(&mut wrong, &mut below);
            below.fill([0.0; 3]);
        }
    })?;
    Ok(numbers)
}
