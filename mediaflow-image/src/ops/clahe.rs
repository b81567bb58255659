use mediaflow_core::media::Image;
use mediaflow_core::ops::Clahe;
use mediaflow_core::{Result, RunContext};

use crate::pixels::{bands, luma_and_alpha, owned, to_byte};
use crate::word::{Compile, Extent, View, Whole, one};

impl Compile for Clahe {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::whole(*self)]
    }
}

impl Whole for Clahe {
    fn explain(&self) -> (&'static str, String) {
        let tiles = self.tiles;
        ("equalize", format!("in {tiles} by {tiles} tiles up to {}", self.clip_limit))
    }

    /// The histograms of all tiles.
    fn memory(&self, _input: Extent, _output: Extent) -> u64 {
        u64::from(self.tiles * self.tiles) * (8 + 4) * 256
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        let tiles = Tiles::of(self, (image.width(), image.height()));
        let curves = tiles.curves(&image, self.clip_limit, cx)?;
        let (width, height, channels) = (image.width(), image.height(), image.channels());
        let metadata = image.metadata().clone();
        let mut pixels = owned(image, cx)?;
        let n = usize::from(channels);
        let row = width as usize * n;
        let across: Vec<Between> =
            (0..width as usize).map(|x| between(x, width, tiles.across)).collect();
        bands(height as usize, 8 * row, cx, |rows| {
            for y in rows {
                let down = between(y, height, tiles.down);
                let row = pixels[y * row..(y + 1) * row].chunks_exact_mut(n);
                for (pixel, across) in row.zip(&across) {
                    let (luma, _) = luma_and_alpha(pixel);
                    let wanted = tiles.mixed(&curves, across, &down, luma);
                    let moved = wanted - f32::from(luma);
                    let colours = if n < 3 { 1 } else { 3 };
                    for value in &mut pixel[..colours] {
                        *value = to_byte(f32::from(*value) + moved);
                    }
                }
            }
        })?;
        Ok(Image::new(width, height, channels, pixels)?.with_metadata(metadata))
    }
}

/// How many tiles there are across and down: none is empty.
struct Tiles {
    across: usize,
    down: usize,
}

/// What becomes of each luma in a tile.
type Curve = [f32; 256];

/// The two tiles between whose middles something lies, and how near it is to the second.
struct Between {
    first: usize,
    second: usize,
    share: f32,
}

impl Tiles {
    fn of(how: &Clahe, (width, height): (u32, u32)) -> Self {
        Self { across: how.tiles.min(width) as usize, down: how.tiles.min(height) as usize }
    }

    fn curves(&self, image: &Image, limit: f64, cx: &RunContext) -> Result<Vec<Curve>> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let n = usize::from(image.channels());
        let row = width * n;
        let mut counts = vec![[0_u64; 256]; self.across * self.down];
        let ends: Vec<usize> = (1..=self.across).map(|tile| tile * width / self.across).collect();
        bands(height, 2 * row, cx, |rows| {
            for y in rows {
                // The last tile that begins at this row or above.
                let down = ((y + 1) * self.down - 1) / height;
                let mut from = 0;
                for (tile, end) in ends.iter().enumerate() {
                    let counts = &mut counts[down * self.across + tile];
                    let part = &image.pixels()[y * row + from * n..y * row + end * n];
                    for pixel in part.chunks_exact(n) {
                        let (luma, alpha) = luma_and_alpha(pixel);
                        counts[usize::from(luma)] += u64::from(alpha > 0);
                    }
                    from = *end;
                }
            }
        })?;
        Ok(counts.into_iter().map(|counts| equalized(counts, limit)).collect())
    }

    /// What the tiles around a pixel make of its luma, in proportion to how near their middles are.
    fn mixed(&self, curves: &[Curve], across: &Between, down: &Between, luma: u8) -> f32 {
        let of = |x: usize, y: usize| curves[y * self.across + x][usize::from(luma)];
        let mix = |first: f32, second: f32, share: f32| first + (second - first) * share;
        let above = mix(of(across.first, down.first), of(across.second, down.first), across.share);
        let below =
            mix(of(across.first, down.second), of(across.second, down.second), across.share);
        mix(above, below, down.share)
    }
}

/// Where a pixel lies between the middles of tiles; beyond the outermost ones these alone count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place in a picture"
)]
fn between(at: usize, side: u32, tiles: usize) -> Between {
    let place = at as f64 * tiles as f64 / f64::from(side) - 0.5;
    let first = place.floor();
    let share = (place - first) as f32;
    // Below 0 it is cut off, which is wanted.
    Between { first: first as usize, second: ((first + 1.0) as usize).min(tiles - 1), share }
}

/// The sum over a histogram that was cut off at a limit, and of which what was cut off is everywhere.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "counts of pixels"
)]
fn equalized(mut counts: [u64; 256], limit: f64) -> Curve {
    let mut curve = [0.0; 256];
    let total: u64 = counts.iter().sum();
    if total == 0 {
        return curve;
    }
    let limit = ((limit * total as f64 / 256.0) as u64).max(1);
    let cut: u64 = counts.iter().map(|count| count.saturating_sub(limit)).sum();
    let (each, mut left) = (cut / 256, cut % 256);
    counts.iter_mut().for_each(|count| *count = (*count).min(limit) + each);
    // What does not go round is given out at equal distances.
    let step = 256_u64.checked_div(left).unwrap_or(1).max(1) as usize;
    for count in counts.iter_mut().step_by(step) {
        if left == 0 {
            break;
        }
        *count += 1;
        left -= 1;
    }
    let scale = 255.0 / total as f32;
    let mut sum = 0;
    for (to, count) in curve.iter_mut().zip(counts) {
        sum += count;
        *to = (sum as f32 * scale).round_ties_even();
    }
    curve
}
