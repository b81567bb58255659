use crate::failure::Unsupported;

/// Huffman codes, as a segment defines them.
#[derive(Clone, Debug)]
pub struct Codes {
    /// By length less one: the first code behind those of this length, at the left of 16 bits, and what gives the index of a symbol.
    ends: [(u32, i32); 16],
    symbols: Box<[u8]>,
    /// How many codes each length has.
    counts: [u8; 16],
}

impl Codes {
    /// By the count of codes of each length from 1 to 16, and the symbols, which are at most 256, in their order.
    ///
    /// # Errors
    /// [`Unsupported::Tables`] if there are more codes than a length has room for, or other than so many symbols.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self, Unsupported> {
        let broken = Unsupported::Tables;
        let count: usize = counts.iter().map(|count| usize::from(*count)).sum();
        if count > 256 || count != symbols.len() {
            return Err(broken);
        }
        let (mut ends, mut code, mut index) = ([(0, 0); 16], 0_u32, 0_i32);
        for (length, (end, count)) in (1_u32..=16).zip(ends.iter_mut().zip(counts)) {
            let first = index - i32::try_from(code).map_err(|_| broken)?;
            code += u32::from(*count);
            index += i32::from(*count);
            // Ones alone are no code.
            if code >= 1 << length {
                return Err(broken);
            }
            *end = (code << (16 - length), first);
            code <<= 1;
        }
        Ok(Self { ends, symbols: symbols.into(), counts: *counts })
    }

    /// Reads one table, and gives what follows it.
    pub(crate) fn read(content: &[u8]) -> Result<(Self, &[u8]), Unsupported> {
        let broken = Unsupported::Tables;
        let (counts, rest) = content.split_first_chunk::<16>().ok_or(broken)?;
        let count = counts.iter().map(|count| usize::from(*count)).sum();
        let (symbols, rest) = rest.split_at_checked(count).ok_or(broken)?;
        Ok((Self::new(counts, symbols)?, rest))
    }

    /// Whether all symbols are sizes.
    pub(crate) fn are_sizes(&self) -> bool {
        self.symbols.iter().all(|symbol| *symbol < 16)
    }

    /// The symbol that these 16 bits begin with, and the length of its code, by comparing: for codes that no table has room for.
    pub(crate) fn symbol(&self, next: u32) -> Option<(u8, u32)> {
        let length = self.ends.iter().position(|(end, _)| next < *end)?;
        let code = i32::try_from(next >> (15 - length)).ok()?;
        let index = usize::try_from(code + self.ends[length].1).ok()?;
        Some((*self.symbols.get(index)?, u32::try_from(length + 1).ok()?))
    }

    /// The code of a symbol, and its length.
    pub(crate) fn code(&self, symbol: u8) -> Option<(u16, u8)> {
        let index = self.symbols.iter().position(|known| *known == symbol)?;
        let (mut code, mut before) = (0_u16, 0);
        for (length, count) in (1_u8..).zip(self.counts) {
            let count = usize::from(count);
            if index < before + count {
                return Some((code + u16::try_from(index - before).ok()?, length));
            }
            (code, before) = ((code + u16::try_from(count).ok()?) << 1, before + count);
        }
        None
    }

    /// By the next bits, so many: symbol and length; 0 for a length that is greater, or for no code.
    pub(crate) fn table(&self, bits: u32) -> Vec<(u8, u8)> {
        let mut table = vec![(0, 0); 1 << bits];
        let (mut at, mut symbols) = (0, self.symbols.iter());
        for (length, count) in (1_u8..).zip(self.counts).take(bits as usize) {
            let span = 1 << (bits - u32::from(length));
            for symbol in symbols.by_ref().take(usize::from(count)) {
                if let Some(part) = table.get_mut(at..at + span) {
                    part.fill((*symbol, length));
                }
                at += span;
            }
        }
        table
    }
}

/// Codes with a table of the short ones.
#[derive(Debug)]
pub(crate) struct Shorts {
    table: Vec<(u8, u8)>,
    codes: Codes,
}

/// The bits that are looked up: most codes are shorter.
const SHORT: u32 = 9;

impl Shorts {
    pub(crate) fn new(codes: &Codes) -> Self {
        Self { table: codes.table(SHORT), codes: codes.clone() }
    }

    /// The symbol that these bits begin with, and the length of its code; nothing if they are none.
    #[inline]
    pub(crate) fn first(&self, bits: u64) -> Option<(u8, u32)> {
        match self.table.get((bits >> (64 - SHORT)) as usize) {
            Some(&(symbol, length @ 1..)) => Some((symbol, u32::from(length))),
            _ => self.codes.symbol(u32::try_from(bits >> 48).unwrap_or(0)),
        }
    }
}
