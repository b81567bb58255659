use super::shortest::{Counts, Shortest};
use crate::bits::Writer;

/// Takes what a scan says: symbols of a table, each with bits behind it.
pub(super) trait Tokens {
    /// A symbol by this table, and so many bits.
    fn symbol(&mut self, table: usize, symbol: u8, bits: u32, count: u32);
    /// Bits alone, up to 16.
    fn bits(&mut self, bits: u32, count: u32);
}

/// How often each symbol comes, by table.
pub(super) struct Counting(pub(super) [Counts; 4]);

impl Tokens for Counting {
    fn symbol(&mut self, table: usize, symbol: u8, _bits: u32, _count: u32) {
        self.0[table][usize::from(symbol)] += 1;
    }

    fn bits(&mut self, _bits: u32, _count: u32) {}
}

/// Writes them.
pub(super) struct Writing {
    to: Writer,
    codes: [[(u16, u8); 256]; 4],
}

impl Writing {
    /// Behind what is there.
    pub(super) fn new(bytes: Vec<u8>, tables: &[Shortest; 4]) -> Self {
        let codes = std::array::from_fn(|table| tables[table].codes());
        Self { to: Writer::behind(bytes), codes }
    }

    /// Fills up the last byte, and gives all.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.to.pad();
        self.to.bytes
    }
}

impl Tokens for Writing {
    fn symbol(&mut self, table: usize, symbol: u8, bits: u32, count: u32) {
        let (code, length) = self.codes[table][usize::from(symbol)];
        let bits = u64::from(bits) & ((1 << count) - 1);
        self.to.put(u64::from(code) << count | bits, u32::from(length) + count);
    }

    fn bits(&mut self, bits: u32, count: u32) {
        self.to.put(u64::from(bits) & ((1 << count) - 1), count);
    }
}
