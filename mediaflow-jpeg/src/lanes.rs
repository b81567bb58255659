#![expect(clippy::cast_possible_truncation, reason = "bits of a window, which is small")]

use std::borrow::BorrowMut;

use crate::codes::Codes;
use crate::corners::{Corner, Corners};
use crate::differences::{Differences, LONGEST};
use crate::feed::{Feed, LANES, WINDOW, WINDOWS};
use crate::skips::{END, FEW, MANY, NUMBER, PASSED, STEP, Skips};

/// The most steps of one round, and with that the most blocks that can end in it.
const STEPS: u32 = 1 << 11;
const LIST: usize = STEPS as usize;
const LISTS: usize = LIST * LANES;

/// So many bits may be read behind the end of data: zeros.
const BEYOND: u32 = 128;

/// What all lanes share.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) skips: Skips,
    /// The blocks of a unit.
    pub(crate) parts: Vec<Part>,
    pub(crate) differences: Vec<Differences>,
    corners: Vec<Corners>,
    windows: Vec<u8>,
    lists: Vec<u32>,
}

/// A block of a unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) component: usize,
    /// An index of the pairs of codes.
    pub(crate) pair: usize,
    /// Whether its corner is wanted.
    pub(crate) corner: bool,
}

/// One stream of codes.
#[derive(Debug)]
pub(crate) struct Lane<'a> {
    pub(crate) feed: Feed<'a>,
    pub(crate) number: usize,
    cursor: Cursor,
    /// Where the block begins that is being read.
    begin: u32,
    /// Whether it began somewhere, and nothing is sure of what it reads.
    pub(crate) blind: bool,
    /// Whether the last step came to what is no code.
    pub(crate) failed: bool,
    pub(crate) found: Found,
    /// It ends after so many blocks.
    pub(crate) most: usize,
}

/// What a lane has read.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The means of blocks as they come, each component from zero.
    pub(crate) means: Vec<i16>,
    /// The corners of those of which they are wanted.
    pub(crate) corners: Vec<Corner>,
    /// The mean of the last block of each component.
    pub(crate) last: [i16; 3],
    /// How many blocks of a unit are there.
    phase: usize,
    /// In how many bits behind its beginning each of its units begins, if that is noted.
    pub(crate) trail: Option<Vec<u32>>,
}

/// Means of whole units, one block after the other, and corners of those blocks of which they are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) means: &'a [i16],
    pub(crate) corners: &'a [Corner],
}

/// Where a lane stands: in the windows, in its block, and in its list.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    bit: u32,
    passed: u32,
    state: u32,
    list: u32,
}

/// The most units whose beginnings are noted.
pub(crate) const TRAIL: usize = 1 << 13;

impl Machine {
    /// For units of these blocks, and their codes.
    pub(crate) fn new(pairs: &[(&Codes, &Codes)], parts: Vec<Part>, large: bool) -> Self {
        let blocks: Vec<_> = parts.iter().map(|part| part.pair).collect();
        let skips = Skips::new(pairs, &blocks, if large { MANY } else { FEW });
        let differences = pairs.iter().map(|(dc, _)| Differences::new(dc)).collect();
        let corners = pairs.iter().map(|(_, ac)| Corners::new(ac)).collect();
        let (windows, lists) = (vec![0; WINDOWS], vec![0; LISTS]);
        Self { skips, parts, differences, corners, windows, lists }
    }

    /// Blocks of a unit.
    pub(crate) fn unit(&self) -> usize {
        self.parts.len()
    }

    /// Corners that are wanted of a unit.
    pub(crate) fn corners(&self) -> usize {
        self.parts.iter().filter(|part| part.corner).count()
    }

    /// What a lane has read, from one block on up to another one, both at the beginning of a unit.
    pub(crate) fn piece<'f>(&self, found: &'f Found, from: usize, to: usize) -> Piece<'f> {
        let (unit, corners) = (self.unit(), self.corners());
        let of_corners = from / unit * corners..to / unit * corners;
        Piece {
            means: found.means.get(from..to).unwrap_or_default(),
            corners: found.corners.get(of_corners).unwrap_or_default(),
        }
    }

    /// Sets a lane up that ends after so many blocks, with room for these.
    pub(crate) fn lane<'a>(
        &mut self,
        feed: Feed<'a>,
        number: usize,
        (most, room): (usize, usize),
    ) -> Lane<'a> {
        let found = Found {
            means: Vec::with_capacity(room),
            corners: Vec::with_capacity(room / self.unit() * self.corners()),
            ..Found::default()
        };
        let (cursor, begin) = (Cursor::default(), 0);
        let mut lane =
            Lane { feed, number, cursor, begin, blind: false, failed: false, found, most };
        self.set(&mut lane);
        lane
    }

    /// Sets a lane to the beginning of other data, of so many blocks.
    pub(crate) fn reuse<'a>(&mut self, lane: &mut Lane<'a>, feed: Feed<'a>, most: usize) {
        (lane.feed, lane.most) = (feed, most);
        lane.found.clear();
        self.set(lane);
    }

    fn set(&mut self, lane: &mut Lane<'_>) {
        let bit = lane.feed.first();
        lane.cursor = Cursor { bit, state: self.skips.begin(), ..Cursor::default() };
        lane.begin = bit;
        lane.fill(&mut self.windows);
    }

    /// Lets lanes go on until one of them can not. Gives whether any has.
    pub(crate) fn round<'a, L: BorrowMut<Lane<'a>>>(&mut self, lanes: &mut [L]) -> bool {
        let steps = lanes.iter().map(|lane| lane.borrow().steps()).min().unwrap_or(0);
        if steps == 0 {
            return false;
        }
        let (few, count) = (self.skips.bits == FEW, lanes.len());
        match (count, few) {
            (1, true) => self.run::<_, 1, FEW>(lanes, steps),
            (2, true) => self.run::<_, 2, FEW>(lanes, steps),
            (3, true) => self.run::<_, 3, FEW>(lanes, steps),
            (4, true) => self.run::<_, 4, FEW>(lanes, steps),
            (1, false) => self.run::<_, 1, MANY>(lanes, steps),
            (2, false) => self.run::<_, 2, MANY>(lanes, steps),
            (3, false) => self.run::<_, 3, MANY>(lanes, steps),
            (4, false) => self.run::<_, 4, MANY>(lanes, steps),
            _ => return false,
        }
        for lane in lanes {
            let lane = lane.borrow_mut();
            self.collect(lane);
            lane.fill(&mut self.windows);
        }
        true
    }

    fn run<'a, L: BorrowMut<Lane<'a>>, const K: usize, const BITS: u32>(
        &mut self,
        lanes: &mut [L],
        steps: u32,
    ) {
        let mut cursors = [Cursor::default(); K];
        for (cursor, lane) in cursors.iter_mut().zip(lanes.iter()) {
            let lane = lane.borrow();
            *cursor = Cursor { list: (lane.number * LIST) as u32, ..lane.cursor };
        }
        let (Some(table), Some(windows), Some(lists)) =
            (self.skips.table(), self.windows.first_chunk(), self.lists.first_chunk_mut())
        else {
            return;
        };
        let failed = passed::<K, BITS>(&mut cursors, &self.skips, table, windows, lists, steps);
        for (index, (lane, cursor)) in lanes.iter_mut().zip(cursors).enumerate() {
            let lane = lane.borrow_mut();
            lane.cursor = cursor;
            lane.failed |= failed == Some(index);
        }
    }

    /// Takes the means of the blocks that a lane has in its list.
    fn collect(&self, lane: &mut Lane<'_>) {
        let first = lane.number * LIST;
        let ends = self.lists.get(first..lane.cursor.list as usize).unwrap_or_default();
        let Lane { feed, begin, found, .. } = lane;
        for end in ends {
            let Part { component, pair, corner } = self.parts[found.phase];
            if found.phase == 0
                && let Some(trail) = &mut found.trail
                && trail.len() < TRAIL
            {
                trail.push(feed.bits_before(*begin) as u32);
            }
            let difference = self.differences[pair].first(eight(&self.windows, *begin));
            let (difference, length) = difference.unwrap_or_default();
            if corner {
                let bits_at = |bit| eight(&self.windows, bit);
                found.corners.push(self.corners[pair].read(*begin + length, bits_at));
            }
            let mean = found.last[component].wrapping_add(difference);
            found.last[component] = mean;
            found.means.push(mean);
            found.phase = if found.phase + 1 == self.parts.len() { 0 } else { found.phase + 1 };
            *begin = *end;
        }
        lane.cursor.list = first as u32;
    }

    /// Lets a lane go on to the end of the data, with its units noted. Gives the bits that came before.
    pub(crate) fn go_on(&mut self, lane: &mut Lane<'_>) -> u64 {
        let before = lane.feed.go_on();
        (lane.blind, lane.found.trail) = (false, Some(Vec::new()));
        lane.fill(&mut self.windows);
        before
    }
}

/// The loop in which all of the time goes: in each step each lane looks up what it can pass over.
#[inline(never)]
fn passed<const K: usize, const BITS: u32>(
    cursors: &mut [Cursor; K],
    skips: &Skips,
    table: &[u16; 1 << 16],
    windows: &[u8; WINDOWS],
    lists: &mut [u32; LISTS],
    steps: u32,
) -> Option<usize> {
    let mut all = *cursors;
    let next = skips.next();
    for _ in 0..steps {
        for (index, cursor) in all.iter_mut().enumerate() {
            let at = (cursor.bit >> 3) as usize & (WINDOWS - 9);
            let word = [windows[at], windows[at + 1], windows[at + 2], windows[at + 3]];
            let window = (u32::from_be_bytes(word) << (cursor.bit & 7)) >> (32 - BITS);
            let entry = u32::from(table[usize::from((cursor.state | window) as u16)]);
            let mut bit = cursor.bit + (entry & ((1 << PASSED) - 1));
            let mut end = entry >> END;
            let mut passed = cursor.passed + ((entry >> PASSED) & 127);
            if passed > 63 + end {
                let Some(one) = single(windows, skips, cursor) else {
                    *cursors = all;
                    return Some(index);
                };
                (bit, passed, end) = one;
            }
            lists[cursor.list as usize & (LISTS - 1)] = bit;
            *cursor = Cursor {
                bit,
                passed: passed & end.wrapping_sub(1),
                state: next[((cursor.state >> (NUMBER - 1)) & 62 | end) as usize],
                list: cursor.list + end,
            };
        }
    }
    *cursors = all;
    None
}

/// One code by itself: a long one, or the last ones of a block without an end. Gives the place behind it, the coefficients
/// that are passed then, and whether that is the end; nothing if it is no code.
#[cold]
#[inline(never)]
fn single(windows: &[u8], skips: &Skips, cursor: &Cursor) -> Option<(u32, u32, u32)> {
    let (first, codes) = skips.codes(cursor.state);
    let next = (eight(windows, cursor.bit) >> 48) as u32;
    let (symbol, length) = codes?.symbol(next)?;
    let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
    if first {
        return (symbol <= LONGEST).then_some((cursor.bit + length + size, 1, 0));
    }
    let bit = cursor.bit + length + size;
    let passed = match (run, size) {
        (15, 0) => cursor.passed + 16,
        (_, 0) => return Some((bit, cursor.passed + 1, 1)),
        _ => cursor.passed + run + 1,
    };
    (passed <= 64).then_some((bit, passed, u32::from(passed == 64)))
}

/// Eight bytes from this bit on, of which 57 bits are good.
pub(crate) fn eight(windows: &[u8], bit: u32) -> u64 {
    let at = (bit >> 3) as usize;
    let bytes = windows.get(at..).and_then(<[u8]>::first_chunk).copied();
    u64::from_be_bytes(bytes.unwrap_or_default()) << (bit & 7)
}

impl Found {
    fn clear(&mut self) {
        self.means.clear();
        self.corners.clear();
        (self.last, self.phase) = ([0; 3], 0);
        self.trail = self.trail.take().map(|_| Vec::new());
    }
}

impl Lane<'_> {
    /// How many steps it can make without a look at where it stands.
    pub(crate) fn steps(&self) -> u32 {
        let left = self.most.saturating_sub(self.found.means.len());
        let last = match self.is_at_end() {
            true => self.feed.last() + BEYOND,
            // No step before there is another one after it.
            false => self.feed.last().saturating_sub(8 * STEP),
        };
        if self.failed || self.is_behind() {
            return 0;
        }
        let bits = last.saturating_sub(self.cursor.bit) / STEP;
        bits.min(STEPS).min(u32::try_from(left).unwrap_or(STEPS))
    }

    /// Whether it has read more than there is.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_at_end() && self.cursor.bit > self.feed.last()
    }

    /// Whether its data ends in its window.
    pub(crate) fn is_at_end(&self) -> bool {
        !self.blind && self.feed.is_at_end()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.found.means.len() >= self.most
    }

    /// What is in its window from the byte on that the next block begins in, and with which bit of that.
    pub(crate) fn window<'w>(&self, machine: &'w Machine) -> (&'w [u8], usize) {
        let bytes = self.begin as usize / 8..self.feed.last() as usize / 8;
        (machine.windows.get(bytes).unwrap_or_default(), self.begin as usize % 8)
    }

    /// Where in the data the bit stands that is so many behind the beginning of the next block: the byte, and the bit in it from the
    /// highest. That one has to be in the window.
    pub(crate) fn place(&self, machine: &Machine, bits: u32) -> (usize, u8) {
        let bit = self.begin + bits;
        (self.feed.place(&machine.windows, bit), (bit % 8) as u8)
    }

    /// Whole bytes behind what it has read.
    pub(crate) fn bytes_left(&self) -> u32 {
        self.feed.last().saturating_sub(self.cursor.bit) / 8
    }

    /// Begins anew behind what was no code.
    pub(crate) fn begin_anew(&mut self, machine: &Machine) {
        let bit = self.cursor.bit + 1;
        self.cursor = Cursor { bit, state: machine.skips.begin(), ..Cursor::default() };
        (self.begin, self.failed) = (bit, false);
        self.found.clear();
    }

    fn fill(&mut self, windows: &mut [u8]) {
        let left = self.feed.last().saturating_sub(self.begin);
        if self.feed.is_at_stop() || left as usize > 4 * WINDOW {
            return;
        }
        let moved = self.feed.fill(windows, self.begin);
        self.begin -= moved;
        self.cursor.bit -= moved;
    }
}
