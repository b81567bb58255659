#![expect(clippy::cast_possible_truncation, reason = "a coefficient has at most 15 bits")]

use crate::codes::Codes;

/// The bits that are looked up: a code with its value, mostly.
const BITS: u32 = 12;

/// The slopes of a block: the coefficients of half a wave across, down, and both.
pub(crate) type Corner = [i16; 3];

/// Where they stand among the coefficients of a block, as these are coded and as their steps are.
pub(crate) const PLACES: [usize; 3] = [1, 2, 4];

/// Which of the slopes is at a place from 0 to 7, four bits for each; 3 is none.
const SLOPES: u32 = 0x3332_3103;

/// An entry for what takes more bits.
const LONG: u32 = 1 << 15;

/// How the first coefficients behind the mean are coded.
#[derive(Debug)]
pub(crate) struct Corners {
    /// By the next bits: at the top the value, then the places by which it is further on from bit 8 on, and the bits of both.
    table: Vec<u32>,
    codes: Codes,
}

impl Corners {
    pub(crate) fn new(codes: &Codes) -> Self {
        let entry = |(next, (symbol, length)): (u32, (u8, u8))| {
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            let used = u32::from(length) + size;
            match (length, run, size) {
                (0, ..) => LONG,
                _ if used > BITS => LONG,
                (_, 15, 0) => 16 << 8 | used,
                // None of the places that matter is behind the end of a block.
                (_, _, 0) => 64 << 8,
                _ => {
                    let bits = u64::from(next) << (64 - BITS + u32::from(length));
                    u32::from(value(bits, size).cast_unsigned()) << 16 | (run + 1) << 8 | used
                }
            }
        };
        let table = (0..).zip(codes.table(BITS)).map(entry).collect();
        Self { table, codes: codes.clone() }
    }

    /// Those of the block whose coefficients these bits begin with, of which 57 are good. There are four steps at most, and all
    /// are made without a look at where they lead: that is quicker than to guess. More bits, for long codes, are had by their place.
    #[inline]
    pub(crate) fn read(&self, bit: u32, bits_at: impl Fn(u32) -> u64) -> Corner {
        let Some(table) = self.table.first_chunk::<{ 1 << BITS }>() else { return [0; 3] };
        let (mut bits, mut at, mut found, mut long) = (bits_at(bit), 0_u32, 0_u64, 0);
        for _ in 0..4 {
            let entry = table[(bits >> (64 - BITS)) as usize];
            at += (entry >> 8) & 127;
            let slope = (SLOPES >> (4 * at.min(7))) & 3;
            found |= u64::from(entry >> 16) << (16 * slope);
            // Once the last one is there, nothing that comes counts.
            long |= if at < PLACES[2] as u32 { entry } else { 0 };
            bits <<= entry & 63;
        }
        if long & LONG != 0 {
            return self.one_by_one(bit, bits_at);
        }
        [0, 16, 32].map(|place| (found >> place) as i16)
    }

    #[cold]
    fn one_by_one(&self, mut bit: u32, bits_at: impl Fn(u32) -> u64) -> Corner {
        let (mut corner, mut at) = ([0; 3], 0);
        while at < PLACES[2] {
            let bits = bits_at(bit);
            let Some((symbol, length)) = self.codes.symbol((bits >> 48) as u32) else { break };
            let size = u32::from(symbol & 15);
            if size == 0 {
                break;
            }
            at += usize::from(symbol >> 4) + 1;
            if let Some(place) = PLACES.iter().position(|place| *place == at) {
                corner[place] = value(bits << length, size);
            }
            bit += length + size;
        }
        corner
    }
}

/// The first bits as a value, so many of them, at least one: those that begin with a zero are negative.
pub(crate) fn value(bits: u64, size: u32) -> i16 {
    let value = (bits >> (64 - size)) as i32;
    if bits >> 63 == 1 { value as i16 } else { (value - (1 << size) + 1) as i16 }
}
