#![expect(
    clippy::cast_possible_truncation,
    reason = "fields of a few bits, whose sizes are beside them"
)]

use crate::codes::Codes;
use crate::differences::LONGEST;

/// The bits that a table of skips is looked up with: more for large files.
pub(crate) const FEW: u32 = 11;
pub(crate) const MANY: u32 = 13;

/// The most bits that one entry passes over: a code that ends within the looked-up bits, and its value.
pub(crate) const STEP: u32 = 32;

/// Where the passed coefficients stand in an entry; the end of the block is above them, the passed bits below.
pub(crate) const PASSED: u32 = 6;
pub(crate) const END: u32 = 15;

/// Coefficients of an entry that nothing could be looked up for: more than a block has.
const NOTHING: u16 = 127 << PASSED;

/// Which table a block takes next: in a state its place is at bits 13 to 15, and its number is above that.
const PLACE: u32 = 13;
pub(crate) const NUMBER: u32 = 16;

/// What a scan is passed over with: tables by the next bits, of up to three kinds of blocks, and the states that lead from one
/// block of a unit to the next.
#[derive(Debug)]
pub(crate) struct Skips {
    table: Vec<u16>,
    /// By the number of a state and whether its block has ended.
    next: [u32; 64],
    /// The tables of each state, for what can not be looked up.
    codes: Vec<Codes>,
    pub(crate) bits: u32,
}

impl Skips {
    /// For a unit of these blocks, each with its codes: an index of the pairs.
    pub(crate) fn new(pairs: &[(&Codes, &Codes)], blocks: &[usize], bits: u32) -> Self {
        let mut table = vec![0; 1 << 16];
        let (mut codes, mut next) = (Vec::new(), [0; 64]);
        for (index, (dc, ac)) in pairs.iter().enumerate() {
            let short = ac.table(bits);
            let places = table.chunks_exact_mut(1 << PLACE).skip(2 * index).take(2);
            for (place, first) in places.zip([Some(dc.table(bits)), None]) {
                for (window, entry) in (0_u32..1 << bits).zip(place.iter_mut()) {
                    *entry = skip(window, bits, first.as_deref(), &short);
                }
            }
        }
        let state = |number: usize| {
            let block = (number / 2) % blocks.len();
            let place = 2 * blocks[block] + number % 2;
            ((block * 2 + number % 2) << NUMBER | place << PLACE) as u32
        };
        for number in 0..2 * blocks.len() {
            next[2 * number] = state(number | 1);
            next[2 * number + 1] = state((number | 1) + 1);
            let (dc, ac) = pairs[blocks[number / 2]];
            codes.push(if number % 2 == 0 { dc.clone() } else { ac.clone() });
        }
        Self { table, next, codes, bits }
    }

    /// The state at the beginning of a unit.
    pub(crate) fn begin(&self) -> u32 {
        // What follows the last block.
        self.next[2 * self.codes.len() - 1]
    }

    pub(crate) fn table(&self) -> Option<&[u16; 1 << 16]> {
        self.table.first_chunk()
    }

    pub(crate) fn next(&self) -> &[u32; 64] {
        &self.next
    }

    /// Whether a state is before the first coefficient of its block, and the codes that it takes.
    pub(crate) fn codes(&self, state: u32) -> (bool, Option<&Codes>) {
        let number = (state >> NUMBER) as usize;
        (number.is_multiple_of(2), self.codes.get(number))
    }
}

/// How many bits and coefficients can be passed over that begin with these bits, and whether the block ends there. The value of
/// the last code may lie outside of them: it is not looked at.
fn skip(window: u32, bits: u32, first: Option<&[(u8, u8)]>, short: &[(u8, u8)]) -> u16 {
    let mask = (1 << bits) - 1;
    let (mut used, mut count, mut end) = (0_u32, 0_u32, 0_u32);
    if let Some(first) = first {
        let (size, length) = first[window as usize];
        if length == 0 || size > LONGEST {
            return NOTHING;
        }
        (used, count) = (u32::from(length + size), 1);
    }
    while used < bits {
        let (symbol, length) = short[((window << used) & mask) as usize];
        let (run, size, length) = (symbol >> 4, symbol & 15, u32::from(length));
        if length == 0 || used + length > bits {
            break;
        }
        let passed = match (run, size) {
            (15, 0) => 16,
            (_, 0) => 1,
            _ => u32::from(run) + 1,
        };
        // What does not fit into a block is looked at code by code.
        if count + passed > 64 {
            break;
        }
        used += length + u32::from(size);
        count += passed;
        if size == 0 && run != 15 {
            end = 1;
            break;
        }
    }
    if used == 0 { NOTHING } else { (used | count << PASSED | end << END) as u16 }
}
