use std::sync::Arc;

use super::entropy::Codes;

/// Bits that a table of skips is looked up with.
const LOOK: u32 = 13;

/// One block of a unit: its component, and its codes.
pub(super) struct Block {
    pub(super) part: usize,
    pub(super) dc: Codes,
    pub(super) ac: Codes,
    pub(super) skips: Arc<[u16]>,
}

/// What begins with these bits and can be passed over at once: from the lowest, six bits for how many bits, seven for how many
/// coefficients, one for the end of the block. No coefficients for nothing. The value of the last code may lie outside.
pub(super) fn skips(codes: &Codes) -> Vec<u16> {
    let skip = |window: u32| {
        let (mut used, mut passed) = (0, 0);
        while used < LOOK {
            let next = (window << (16 - LOOK) << used) & 0xFFFF;
            let (symbol, length) = codes.symbol(next as usize);
            if length == 0 || used + u32::from(length) > LOOK {
                break;
            }
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            let more = match (run, size) {
                (15, 0) => 16,
                (_, 0) => return (used + u32::from(length)) | (passed << 6) | (1 << 13),
                _ => run + 1,
            };
            if passed + more > 63 {
                break;
            }
            used += u32::from(length) + size;
            passed += more;
        }
        used | (passed << 6)
    };
    (0..1 << LOOK).map(|window| u16::try_from(skip(window)).unwrap_or(0)).collect()
}

/// Bits of data as they come, without the zeros that keep it apart from markers.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// The next byte.
    at: usize,
    /// Bits that are not read yet, from the highest.
    held: u64,
    count: u32,
    /// Bits that were read.
    read: u64,
}

impl<'a> Bits<'a> {
    pub(super) fn of(data: &'a [u8]) -> Self {
        Self { data, at: 0, held: 0, count: 0, read: 0 }
    }

    /// How many were read.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// The difference of the mean of a block.
    #[inline]
    pub(super) fn mean(&mut self, block: &Block) -> Option<i32> {
        self.fill();
        let (size, length) = block.dc.symbol((self.held >> 48) as usize);
        if length == 0 || size > 11 {
            return None;
        }
        let bits = (self.held << length >> 32 >> (32 - size)) as u32;
        self.skip(u32::from(length) + u32::from(size))?;
        let value = i32::try_from(bits).ok()?;
        // Those that begin with a zero are negative.
        let negative = size > 0 && value >> (size - 1) == 0;
        Some(if negative { value + 1 - (1 << size) } else { value })
    }

    /// Passes over the rest of the block.
    #[inline]
    pub(super) fn rest(&mut self, block: &Block) -> Option<()> {
        let skips: &[u16; 1 << LOOK] = block.skips.first_chunk()?;
        let mut coefficient = 1;
        while coefficient < 64 {
            self.fill();
            let entry = u32::from(skips[(self.held >> (64 - LOOK)) as usize]);
            let (used, passed, end) = (entry & 63, entry >> 6 & 127, entry >> 13);
            // More than one block has: some of it belongs to the next.
            if used == 0 || coefficient + passed + end > 64 {
                let (symbol, length) = block.ac.symbol((self.held >> 48) as usize);
                let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
                if length == 0 {
                    return None;
                }
                self.skip(u32::from(length) + size)?;
                coefficient += match (run, size) {
                    (15, 0) => 16,
                    (_, 0) => return Some(()),
                    _ => run + 1,
                };
                continue;
            }
            self.skip(used)?;
            if end > 0 {
                return Some(());
            }
            coefficient += passed;
        }
        (coefficient == 64).then_some(())
    }

    /// Holds 32 bits or more, unless the data ends.
    #[inline]
    fn fill(&mut self) {
        if self.count >= 32 {
            return;
        }
        let next = self.data.get(self.at..).and_then(<[u8]>::first_chunk);
        if let Some(next) = next.map(|next| u64::from_be_bytes(*next)) {
            const ONES: u64 = 0x0101_0101_0101_0101;
            let zero_for_ff = !next;
            if zero_for_ff.wrapping_sub(ONES) & next & (ONES << 7) == 0 {
                let bytes = (64 - self.count) / 8;
                // What is held too much is held again, and is the same.
                self.held |= next >> self.count;
                self.count += 8 * bytes;
                self.at += bytes as usize;
                return;
            }
        }
        self.fill_slowly();
    }

    #[cold]
    fn fill_slowly(&mut self) {
        while self.count <= 56 {
            let (byte, len) = match self.data.get(self.at..) {
                Some([0xFF, 0, ..]) => (0xFF, 2),
                Some([byte @ 0..=0xFE, ..]) => (*byte, 1),
                _ => return,
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
            self.at += len;
        }
    }

    #[inline]
    fn skip(&mut self, bits: u32) -> Option<()> {
        self.count = self.count.checked_sub(bits)?;
        self.held <<= bits;
        self.read += u64::from(bits);
        Some(())
    }

    /// The next bits, at most 16.
    pub(super) fn take(&mut self, bits: u64) -> Option<u16> {
        self.fill();
        let bits = u32::try_from(bits).ok()?;
        let value = u16::try_from(self.held >> 48 >> (16 - bits)).ok()?;
        self.skip(bits)?;
        Some(value)
    }

    /// Where the next bit stands: the byte, and the bit in it from the highest.
    pub(super) fn place(&self) -> (usize, u8) {
        let mut at = self.at;
        for _ in 0..self.count.div_ceil(8) {
            at = at.saturating_sub(1);
            if at > 0 && self.data[at - 1..=at] == [0xFF, 0] {
                at -= 1;
            }
        }
        (at, ((8 - self.count % 8) % 8) as u8)
    }

    /// All that was read, to the end of a byte with ones.
    pub(super) fn before(&self, to: &mut Vec<u8>) {
        let (at, bit) = self.place();
        to.extend_from_slice(&self.data[..at]);
        if bit > 0 {
            let byte = self.data[at] | 0xFF >> bit;
            to.push(byte);
            if byte == 0xFF {
                to.push(0);
            }
        }
    }
}
