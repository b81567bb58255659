use std::collections::VecDeque;

use super::windows::Window;

/// Sums that stay in registers.
const LANES: usize = 8;

/// Weighs rows of 16-bit samples that come from the top, and adds them up.
#[derive(Debug)]
pub(super) struct Words {
    windows: Vec<Window<i32>>,
    /// Rows of the result that are whole.
    done: usize,
    /// The sums of those that are not, from the top.
    open: VecDeque<Vec<i64>>,
    spare: Vec<Vec<i64>>,
}

impl Words {
    pub(super) fn new(windows: Vec<Window<i32>>) -> Self {
        Self { windows, done: 0, open: VecDeque::new(), spare: Vec::new() }
    }

    /// Takes the next rows, the first of which has this number, and gives `made` the rows that are whole with them.
    pub(super) fn rows(&mut self, first: usize, rows: &[&[u16]], made: &mut Vec<u16>) {
        let Some(columns) = rows.first().map(|row| row.len()) else { return };
        let end = first + rows.len();
        let begun = self.windows.iter().skip(self.done).take_while(|window| window.first < end);
        for (index, window) in begun.enumerate() {
            if index == self.open.len() {
                let mut sums = self.spare.pop().unwrap_or_default();
                sums.clear();
                sums.resize(columns.next_multiple_of(LANES), 0);
                self.open.push_back(sums);
            }
            let from = window.first.saturating_sub(first).min(rows.len());
            let to = window.end().saturating_sub(first).min(rows.len()).max(from);
            let weights = &window.weights[(first + from).saturating_sub(window.first)..];
            add(&mut self.open[index], &rows[from..to], weights);
        }
        while let Some(window) = self.windows.get(self.done).filter(|window| window.end() <= end)
            && let Some(sums) = self.open.pop_front()
        {
            let half = 1 << (window.precision.max(1) - 1);
            made.extend(sums[..columns].iter().map(|sum| word((sum + half) >> window.precision)));
            self.spare.push(sums);
            self.done += 1;
        }
    }
}

fn add(sums: &mut [i64], rows: &[&[u16]], weights: &[i32]) {
    let (sums, _) = sums.as_chunks_mut::<LANES>();
    for (at, sums) in sums.iter_mut().enumerate() {
        let mut own = *sums;
        for (row, weight) in rows.iter().zip(weights) {
            let samples = row[at * LANES..].iter();
            for (sum, sample) in own.iter_mut().zip(samples) {
                *sum += i64::from(*sample) * i64::from(*weight);
            }
        }
        *sums = own;
    }
}

#[expect(clippy::cast_sign_loss, reason = "kept between 0 and 65,535")]
fn word(value: i64) -> u16 {
    value.clamp(0, 65_535) as u16
}
