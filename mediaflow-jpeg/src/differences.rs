#![expect(clippy::cast_possible_truncation, reason = "a difference has at most 11 bits")]

use crate::codes::Codes;

/// The bits that are looked up: most codes are shorter.
const SHORT: u32 = 9;

/// The most bits of a difference.
pub(crate) const LONGEST: u8 = 11;

/// How differences between means are coded.
#[derive(Debug)]
pub(crate) struct Differences {
    short: Vec<(u8, u8)>,
    codes: Codes,
}

impl Differences {
    pub(crate) fn new(codes: &Codes) -> Self {
        Self { short: codes.table(SHORT), codes: codes.clone() }
    }

    /// The one that these bits begin with, and their count; nothing if they are none.
    #[inline]
    pub(crate) fn first(&self, bits: u64) -> Option<(i16, u32)> {
        let (size, length) = match self.short.get((bits >> (64 - SHORT)) as usize) {
            Some(&(size, length @ 1..)) => (size, u32::from(length)),
            _ => self.codes.symbol((bits >> 48) as u32)?,
        };
        let (bits, mask) = (bits << length, (1_i32 << (size & 15)) - 1);
        let value = ((bits >> 1) >> (63 - u32::from(size & 15))) as i16;
        // Those that begin with a zero are negative.
        let negative = (bits >> 63) as i16 - 1;
        let value = value.wrapping_sub(mask as i16 & negative);
        (size <= LONGEST).then_some((value, length + u32::from(size)))
    }
}
