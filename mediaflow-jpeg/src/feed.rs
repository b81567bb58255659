use std::ops::Range;

use memchr::memchr;

use crate::failure::{Damage, Failure, Unsupported};

/// Bytes of one window on data, without the zeros that keep it apart from markers.
pub(crate) const WINDOW: usize = 1 << 14;

/// How many windows there are.
pub(crate) const LANES: usize = 4;

/// All windows, and so much behind them that a look at the last bytes ends in them.
pub(crate) const WINDOWS: usize = WINDOW * LANES + 8;

/// Zeros behind the end of data in a window.
const PAD: usize = 32;

/// Data of a scan on its way through a window.
#[derive(Clone, Debug)]
pub(crate) struct Feed<'a> {
    data: &'a [u8],
    at: usize,
    /// It goes no further than to here.
    stop: usize,
    /// Where its window begins, in bytes.
    begin: usize,
    /// Bytes in its window.
    filled: usize,
    /// Bytes that have left its window.
    left: usize,
}

impl<'a> Feed<'a> {
    /// Of this part of the data, through this of the windows.
    pub(crate) fn new(data: &'a [u8], part: Range<usize>, lane: usize) -> Self {
        let Range { start: at, end: stop } = part;
        Self { data, at, stop, begin: lane * WINDOW, filled: 0, left: 0 }
    }

    /// The first bit of its window.
    pub(crate) fn first(&self) -> u32 {
        bits(self.begin)
    }

    /// Behind its last bit.
    pub(crate) fn last(&self) -> u32 {
        bits(self.begin + self.filled)
    }

    /// Whether nothing more comes.
    pub(crate) fn is_at_stop(&self) -> bool {
        self.at >= self.stop
    }

    /// Whether nothing more can come.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.data.len()
    }

    /// Lets it go on to the end of the data. Gives the bits that came before.
    pub(crate) fn go_on(&mut self) -> u64 {
        self.stop = self.data.len();
        8 * (self.left + self.filled) as u64
    }

    /// How many bits came before this one of its window.
    pub(crate) fn bits_before(&self, position: u32) -> u64 {
        8 * self.left as u64 + u64::from(position - self.first())
    }

    /// Where in the data the byte stands that this bit of its window is in.
    pub(crate) fn place(&self, windows: &[u8], bit: u32) -> usize {
        let behind = windows.get(bit as usize / 8..self.begin + self.filled).unwrap_or_default();
        // Each of these had a zero behind it.
        let stuffed = behind.iter().filter(|byte| **byte == 0xFF).count();
        self.at.saturating_sub(behind.len() + stuffed)
    }

    /// Lets go of what is before this bit, and fills the window up again. Gives the bits by which all positions move.
    pub(crate) fn fill(&mut self, windows: &mut [u8], before: u32) -> u32 {
        let Some(window) = windows.get_mut(self.begin..self.begin + WINDOW) else { return 0 };
        let gone = (before as usize / 8).saturating_sub(self.begin).min(self.filled);
        window.copy_within(gone..self.filled, 0);
        self.left += gone;
        self.filled -= gone;
        while self.filled < WINDOW - PAD && self.at < self.stop {
            let end = self.stop.min(self.at + WINDOW - PAD - self.filled);
            let part = &self.data[self.at..end];
            let (len, stuffed) = match memchr(0xFF, part) {
                Some(found) => (found + 1, 1),
                None => (part.len(), 0),
            };
            window[self.filled..self.filled + len].copy_from_slice(&part[..len]);
            self.filled += len;
            self.at += len + stuffed;
        }
        window[self.filled..self.filled + PAD].fill(0);
        bits(gone)
    }
}

/// A window has fewer bits than 32 bits count.
#[expect(clippy::cast_possible_truncation, reason = "bytes of the windows")]
fn bits(bytes: usize) -> u32 {
    (bytes * 8) as u32
}

/// The data of a scan.
#[derive(Debug)]
pub(crate) struct Data {
    /// Between its restarts, of the first ones of these.
    pub(crate) intervals: Vec<Range<usize>>,
    /// How many there are of them.
    pub(crate) count: usize,
    /// The numbers of the restarts between these follow one another.
    pub(crate) in_order: bool,
    /// The marker behind it, and where that begins.
    pub(crate) marker: u8,
    pub(crate) end: usize,
}

impl Data {
    /// Looks for the end of the data that begins here, of which so many intervals are wanted: a file can have millions.
    pub(crate) fn find(bytes: &[u8], begin: usize, most: usize) -> Result<Self, Failure> {
        let intervals = Vec::new();
        let mut data = Self { intervals, count: 0, in_order: true, marker: 0, end: begin };
        let (mut first, mut at) = (begin, begin);
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            at += memchr(0xFF, rest).ok_or(Damage::Cut)?;
            // Before a marker more of the same fill up; elsewhere nobody writes them.
            let fill = bytes[at..].iter().take_while(|byte| **byte == 0xFF).count();
            match *bytes.get(at + fill).ok_or(Damage::Cut)? {
                0 if fill == 1 => at += 2,
                number @ 0xD0..=0xD7 if fill == 1 => {
                    let is_between = data.count + 1 < most;
                    data.in_order &= !is_between || usize::from(number & 7) == data.count & 7;
                    data.take(first..at, most);
                    (first, at) = (at + 2, at + 2);
                }
                0 | 0xD0..=0xD7 => return Err(Unsupported::Stray.into()),
                marker => {
                    data.take(first..at, most);
                    return Ok(Self { marker, end: at, ..data });
                }
            }
        }
    }

    fn take(&mut self, interval: Range<usize>, most: usize) {
        self.count += 1;
        if self.intervals.len() < most {
            self.intervals.push(interval);
        }
    }
}
