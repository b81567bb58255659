use super::shortest::{Counts, Shortest};

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

/// Writes them, kept apart from markers.
pub(super) struct Writing<'a> {
    to: &'a mut Vec<u8>,
    codes: [[(u16, u8); 256]; 4],
    /// The last bits are not written yet.
    held: u64,
    count: u32,
}

impl<'a> Writing<'a> {
    pub(super) fn new(to: &'a mut Vec<u8>, tables: &[Shortest; 4]) -> Self {
        let codes = std::array::from_fn(|table| tables[table].codes());
        Self { to, codes, held: 0, count: 0 }
    }

    fn put(&mut self, bits: u64, count: u32) {
        self.held = self.held << count | bits;
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            #[expect(clippy::cast_possible_truncation, reason = "eight bits of what is held")]
            let byte = (self.held >> self.count) as u8;
            self.to.push(byte);
            if byte == 0xFF {
                self.to.push(0);
            }
        }
    }

    /// Fills up the last byte with ones.
    pub(super) fn end(mut self) {
        let left = (8 - self.count % 8) % 8;
        self.put((1 << left) - 1, left);
    }
}

impl Tokens for Writing<'_> {
    fn symbol(&mut self, table: usize, symbol: u8, bits: u32, count: u32) {
        let (code, length) = self.codes[table][usize::from(symbol)];
        let bits = u64::from(bits) & ((1 << count) - 1);
        self.put(u64::from(code) << count | bits, u32::from(length) + count);
    }

    fn bits(&mut self, bits: u32, count: u32) {
        self.put(u64::from(bits) & ((1 << count) - 1), count);
    }
}
