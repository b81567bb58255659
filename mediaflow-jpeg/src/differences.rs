#![expect(clippy::cast_possible_truncation, reason = "a difference has at most 11 bits")]

use crate::codes::{Codes, Shorts};

/// The most bits of a difference.
pub(crate) const LONGEST: u8 = 11;

/// How differences between means are coded.
#[derive(Debug)]
pub(crate) struct Differences(Shorts);

impl Differences {
    pub(crate) fn new(codes: &Codes) -> Self {
        Self(Shorts::new(codes))
    }

    /// The one that these bits begin with, and their count; nothing if they are none.
    #[inline]
    pub(crate) fn first(&self, bits: u64) -> Option<(i16, u32)> {
        let (size, length) = self.0.first(bits)?;
        let (bits, mask) = (bits << length, (1_i32 << (size & 15)) - 1);
        let value = ((bits >> 1) >> (63 - u32::from(size & 15))) as i16;
        // Those that begin with a zero are negative.
        let negative = (bits >> 63) as i16 - 1;
        let value = value.wrapping_sub(mask as i16 & negative);
        (size <= LONGEST).then_some((value, length + u32::from(size)))
    }
}
