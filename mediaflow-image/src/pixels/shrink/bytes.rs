use std::collections::VecDeque;
use std::ops::Range;

use super::windows::Window;

/// Columns that are worked on together: what is read again for each row of the result stays in the nearest cache.
const TILE: usize = 512;

/// Sums that stay in registers.
const LANES: usize = 16;

/// Two samples, one below the other: an instruction of every processor multiplies two pairs and adds.
type Pairs = [[i16; 2]; TILE];

/// Weighs rows of bytes that come from the top, and adds them up.
#[derive(Debug)]
pub(super) struct Bytes {
    windows: Vec<Window<i16>>,
    /// Rows of the result that are whole.
    done: usize,
    /// The sums of those that are not, from the top.
    open: VecDeque<Vec<i32>>,
    spare: Vec<Vec<i32>>,
    pairs: Vec<Pairs>,
}

/// What a window takes of some rows.
struct Share {
    pairs: Range<usize>,
    weights: Vec<[i16; 2]>,
}

impl Bytes {
    pub(super) fn new(windows: Vec<Window<i16>>) -> Self {
        Self { windows, done: 0, open: VecDeque::new(), spare: Vec::new(), pairs: Vec::new() }
    }

    /// Takes the next rows, the first of which has this number, and gives `made` the rows that are whole with them.
    pub(super) fn rows(&mut self, first: usize, rows: &[&[u8]], made: &mut Vec<u8>) {
        let Some(columns) = rows.first().map(|row| row.len()) else { return };
        let end = first + rows.len();
        let begun = self.windows.iter().skip(self.done).take_while(|window| window.first < end);
        let shares: Vec<_> = begun.map(|window| Share::of(window, first, rows.len())).collect();
        while self.open.len() < shares.len() {
            let mut sums = self.spare.pop().unwrap_or_default();
            sums.clear();
            sums.resize(columns.next_multiple_of(LANES), 0);
            self.open.push_back(sums);
        }
        self.pairs.resize(rows.len().div_ceil(2), [[0; 2]; TILE]);
        for left in (0..columns).step_by(TILE) {
            let tile = left..columns.min(left + TILE);
            for (pairs, rows) in self.pairs.iter_mut().zip(rows.chunks(2)) {
                // An odd last row is its own neighbour, which weighs nothing.
                let below = rows.get(1).unwrap_or(&rows[0]);
                widen(pairs, &rows[0][tile.clone()], &below[tile.clone()]);
            }
            let padded = left..tile.end.next_multiple_of(LANES);
            for (sums, share) in self.open.iter_mut().zip(&shares) {
                let pairs = &self.pairs[share.pairs.clone()];
                add(&mut sums[padded.clone()], pairs, &share.weights);
            }
        }
        while let Some(window) = self.windows.get(self.done).filter(|window| window.end() <= end)
            && let Some(sums) = self.open.pop_front()
        {
            let half = 1 << (window.precision.max(1) - 1);
            made.extend(sums[..columns].iter().map(|sum| byte((sum + half) >> window.precision)));
            self.spare.push(sums);
            self.done += 1;
        }
    }
}

impl Share {
    fn of(window: &Window<i16>, first: usize, rows: usize) -> Self {
        let from = window.first.saturating_sub(first).min(rows);
        let to = window.end().saturating_sub(first).min(rows);
        let pairs = from / 2..to.div_ceil(2).max(from / 2);
        let weight = |row: usize| {
            let inside = (first + row).checked_sub(window.first).filter(|_| row < rows);
            inside.and_then(|at| window.weights.get(at)).copied().unwrap_or(0)
        };
        let weights = pairs.clone().map(|pair| [weight(2 * pair), weight(2 * pair + 1)]).collect();
        Self { pairs, weights }
    }
}

fn widen(pairs: &mut Pairs, upper: &[u8], lower: &[u8]) {
    for ((pair, upper), lower) in pairs.iter_mut().zip(upper).zip(lower) {
        *pair = [i16::from(*upper), i16::from(*lower)];
    }
}

fn add(sums: &mut [i32], pairs: &[Pairs], weights: &[[i16; 2]]) {
    let (sums, _) = sums.as_chunks_mut::<LANES>();
    for (at, sums) in sums.iter_mut().enumerate() {
        let mut own = *sums;
        for (pairs, weights) in pairs.iter().zip(weights) {
            let (pairs, _) = pairs.as_chunks::<LANES>();
            // One weight for each lane, or the compiler does not see that these are pairs.
            let weights = [*weights; LANES];
            for ((sum, pair), weight) in own.iter_mut().zip(&pairs[at]).zip(&weights) {
                *sum += i32::from(pair[0]) * i32::from(weight[0])
                    + i32::from(pair[1]) * i32::from(weight[1]);
            }
        }
        *sums = own;
    }
}

#[expect(clippy::cast_sign_loss, reason = "kept between 0 and 255")]
fn byte(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}
