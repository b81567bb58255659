use crate::codes::Shorts;
use crate::differences::Differences;

/// Data without the zeros that keep it apart from markers, which is read code by code: where there is little of it, or damage.
/// Behind its end there are ones, as they fill up the last byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    /// From this bit on.
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// How many come before the next one.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The difference of a mean; nothing if there is no code, or too little of it.
    pub(crate) fn difference(&mut self, codes: &Differences) -> Option<i16> {
        let (difference, length) = codes.first(self.next())?;
        self.skip(length).map(|()| difference)
    }

    /// Passes over the other coefficients of a block; nothing if they are none, or too many, or end too early.
    pub(crate) fn rest(&mut self, codes: &Shorts) -> Option<()> {
        let mut coefficient = 1;
        while coefficient < 64 {
            let (symbol, length) = codes.first(self.next())?;
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            self.skip(length + size)?;
            coefficient += match (run, size) {
                (15, 0) => 16,
                (_, 0) => return Some(()),
                _ => run + 1,
            };
        }
        (coefficient == 64).then_some(())
    }

    /// Eight bytes, of which 57 bits are good.
    fn next(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        let bytes = rest.first_chunk().copied().unwrap_or_else(|| {
            let mut last = [0xFF; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            last
        });
        u64::from_be_bytes(bytes) << (self.at % 8)
    }

    fn skip(&mut self, bits: u32) -> Option<()> {
        self.at += bits as usize;
        (self.at <= 8 * self.bytes.len()).then_some(())
    }
}

/// Writes bits, the highest first, kept apart from markers.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl Writer {
    /// Behind these bytes.
    pub(crate) fn behind(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    #[expect(clippy::cast_possible_truncation, reason = "eight bits of what is held")]
    /// So many bits, 56 at most, and no others in the value.
    pub(crate) fn put(&mut self, value: impl Into<u64>, bits: impl Into<u32>) {
        let bits = bits.into();
        self.held = self.held << bits | value.into();
        self.count += bits;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.held >> self.count) as u8;
            self.bytes.push(byte);
            if byte == 0xFF {
                self.bytes.push(0);
            }
        }
        self.held &= (1 << self.count) - 1;
    }

    /// These bits of some bytes.
    pub(crate) fn copy(&mut self, bytes: &[u8], bits: std::ops::Range<usize>) {
        let mut at = bits.start;
        while at < bits.end {
            let (begin, Some(byte)) = (at % 8, bytes.get(at / 8)) else { return };
            let count = (8 - begin).min(bits.end - at);
            let value = (byte << begin) >> (8 - count);
            self.put(value, u8::try_from(count).unwrap_or(8));
            at += count;
        }
    }

    /// How many bits there are of the last byte.
    pub(crate) fn phase(&self) -> u32 {
        self.count
    }

    /// To the end of the byte, with ones.
    pub(crate) fn pad(&mut self) {
        if self.count > 0 {
            let left = 8 - self.count;
            self.put((1_u64 << left) - 1, left);
        }
    }
}
