use mediaflow_core::Result;
use mediaflow_core::RunContext;

use super::frame::{Frame, Scan, Tables};

/// The data of a scan with all of its units: those that can not be read go on as flat.
pub(super) struct Rebuilt {
    pub(super) data: Vec<u8>,
    /// Rows of the picture, and how many of them are not there.
    pub(super) rows: u64,
    pub(super) lost: u64,
}

/// Reads the codes of a scan that gives whole blocks, or the first bits of them, and writes it anew with all that is missing.
/// `None` if its tables do not do for that.
///
/// # Errors
/// What [`RunContext::check`] gives.
pub(super) fn rebuilt(
    data: &[u8],
    frame: &Frame,
    scan: &Scan,
    tables: &Tables,
    cx: &RunContext,
) -> Result<Option<Rebuilt>> {
    let Some((unit, (across, down))) = unit(frame, scan, tables) else { return Ok(None) };
    let (units, every) = (across * down, tables.restart);
    let (mut from, mut done, mut lost, mut to) = (data, 0, 0, Writer::default());
    let mut restarts = 0_u8;
    while done < units {
        let count = if every == 0 { units - done } else { every.min(units - done) };
        let interval = Interval::next(&mut from);
        let read = interval.read(&unit, count, across, cx)?;
        if read.units == count {
            to.bytes.extend_from_slice(interval.raw);
        } else {
            to.copy(&interval.plain, read.bits);
            let flat = count - read.units;
            (0..flat).for_each(|_| to.flat(&unit));
            to.pad();
            lost += flat;
        }
        done += count;
        // Whole intervals may be lost: their numbers tell, of up to seven.
        let skipped = interval.restart.map_or(0, |found| found.wrapping_sub(restarts) & 7);
        for _ in 0..skipped {
            if every > 0 && done < units {
                to.restart(&mut restarts);
                let count = every.min(units - done);
                (0..count).for_each(|_| to.flat(&unit));
                to.pad();
                (done, lost) = (done + count, lost + count);
            }
        }
        if done < units {
            to.restart(&mut restarts);
        }
    }
    let rows = u64::from(frame.height);
    let lost = (lost * rows).div_ceil(units.max(1));
    Ok(Some(Rebuilt { data: to.bytes, rows, lost }))
}

/// The blocks of a unit by the codes that they take, and how many units there are, across and down.
fn unit(frame: &Frame, scan: &Scan, tables: &Tables) -> Option<(Vec<Block>, (u64, u64))> {
    let blocks = scan.parts.iter().map(|(part, dc, ac)| {
        let dc = Codes::of(tables, *dc)?;
        let ac = if scan.last > 0 { Some(Codes::of(tables, 0x10 | *ac)?) } else { None };
        let count = if scan.parts.len() > 1 { part.across * part.down } else { 1 };
        Some(std::iter::repeat_n(Block { dc, ac }, count as usize))
    });
    let blocks: Vec<Block> = blocks.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
    let size = match &*scan.parts {
        [(part, ..)] => frame.blocks(*part),
        _ => frame.units(),
    };
    Some((blocks, size))
}

/// The codes of one block; of AC only where a scan has all coefficients.
#[derive(Clone)]
struct Block {
    dc: Codes,
    ac: Option<Codes>,
}

/// Huffman codes, by the next 16 bits: the symbol and the length, which is zero for no code.
#[derive(Clone)]
pub(super) struct Codes {
    symbols: std::sync::Arc<[(u8, u8)]>,
    /// The code of symbol 0: no difference, or the end of the block.
    nothing: (u16, u8),
}

impl Codes {
    /// Those of this class and number; `None` if there is none for nothing.
    pub(super) fn of(tables: &Tables, kind: u8) -> Option<Self> {
        let (_, lengths, symbols) = tables.huffman.iter().find(|(known, ..)| *known == kind)?;
        let mut table = vec![(0, 0); 1 << 16];
        let (mut code, mut symbols, mut nothing) = (0_u32, symbols.iter(), None);
        for (length, count) in (1_u8..=16).zip(lengths) {
            for _ in 0..*count {
                let symbol = *symbols.next()?;
                let (first, span) = ((code << (16 - length)) as usize, 1_usize << (16 - length));
                table.get_mut(first..first + span)?.fill((symbol, length));
                if symbol == 0 {
                    nothing = u16::try_from(code).ok().map(|code| (code, length));
                }
                code += 1;
            }
            code <<= 1;
        }
        Some(Self { symbols: table.into(), nothing: nothing? })
    }

    /// What these 16 bits begin with: the symbol, and its length, which is zero for no code.
    #[cfg(feature = "turbo")]
    #[inline]
    pub(super) fn symbol(&self, next: usize) -> (u8, u8) {
        self.symbols.get(next).copied().unwrap_or((0, 0))
    }

    /// The code of a symbol, and its length.
    #[cfg(feature = "turbo")]
    pub(super) fn code(&self, wanted: u8) -> Option<(u16, u8)> {
        let mut at = 0;
        loop {
            let (symbol, length) = *self.symbols.get(at).filter(|(_, length)| *length > 0)?;
            if symbol == wanted {
                return Some((u16::try_from(at >> (16 - length)).ok()?, length));
            }
            at += 1 << (16 - length);
        }
    }

    /// Whether both are one table.
    #[cfg(feature = "turbo")]
    pub(super) fn is(&self, other: &Self) -> bool {
        self.symbols == other.symbols
    }
}

/// Data up to a restart, or to the end.
struct Interval<'a> {
    raw: &'a [u8],
    /// Without the zeros that keep it apart from markers.
    plain: Vec<u8>,
    /// The number of the restart behind it.
    restart: Option<u8>,
}

/// How much of an interval can be read: whole units, and their bits.
struct Legible {
    units: u64,
    bits: usize,
}

impl<'a> Interval<'a> {
    fn next(from: &mut &'a [u8]) -> Self {
        let (all, mut plain, mut at) = (*from, Vec::new(), 0);
        loop {
            let rest = all.get(at..).unwrap_or_default();
            let Some(next) = rest.iter().position(|byte| *byte == 0xFF) else {
                plain.extend_from_slice(rest);
                *from = &[];
                return Self { raw: all, plain, restart: None };
            };
            plain.extend_from_slice(&rest[..next]);
            match rest.get(next + 1) {
                Some(0) => {
                    plain.push(0xFF);
                    at += next + 2;
                }
                Some(0xFF) => at += next + 1,
                Some(name) => {
                    *from = &rest[next + 2..];
                    let restart = matches!(name, 0xD0..=0xD7).then_some(name & 7);
                    return Self { raw: &all[..at + next], plain, restart };
                }
                None => {
                    *from = &[];
                    return Self { raw: &all[..at + next], plain, restart: None };
                }
            }
        }
    }

    fn read(&self, unit: &[Block], count: u64, across: u64, cx: &RunContext) -> Result<Legible> {
        let mut bits = Bits { bytes: &self.plain, at: 0 };
        let mut legible = Legible { units: 0, bits: 0 };
        while legible.units < count {
            if legible.units.is_multiple_of(across.max(1)) {
                cx.check()?;
            }
            if unit.iter().any(|block| bits.block(block).is_none()) {
                break;
            }
            legible = Legible { units: legible.units + 1, bits: bits.at };
        }
        Ok(legible)
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// Goes over a block; `None` if it is none, or ends too early.
    fn block(&mut self, block: &Block) -> Option<()> {
        let size = self.symbol(&block.dc)?;
        if size > 11 {
            return None;
        }
        self.skip(size)?;
        let Some(ac) = &block.ac else { return Some(()) };
        let mut coefficient = 1;
        while coefficient < 64 {
            let symbol = self.symbol(ac)?;
            let (run, size) = (symbol >> 4, symbol & 15);
            match (run, size) {
                (15, 0) => coefficient += 16,
                (_, 0) => return Some(()),
                _ => {
                    coefficient += u32::from(run) + 1;
                    self.skip(size)?;
                }
            }
        }
        (coefficient == 64).then_some(())
    }

    fn symbol(&mut self, codes: &Codes) -> Option<u8> {
        let byte = |index: usize| u32::from(*self.bytes.get(index).unwrap_or(&0xFF));
        let first = self.at / 8;
        let three = byte(first) << 16 | byte(first + 1) << 8 | byte(first + 2);
        let next = (three >> (8 - self.at % 8)) & 0xFFFF;
        let (symbol, length) = codes.symbols[next as usize];
        self.skip(length).filter(|()| length > 0).map(|()| symbol)
    }

    fn skip(&mut self, bits: u8) -> Option<()> {
        self.at += usize::from(bits);
        (self.at <= 8 * self.bytes.len()).then_some(())
    }
}

/// Writes bits, the highest first, kept apart from markers.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    held: u32,
    count: u8,
}

impl Writer {
    #[expect(clippy::cast_possible_truncation, reason = "eight bits of what is held")]
    pub(super) fn put(&mut self, value: u16, bits: u8) {
        self.held = self.held << bits | u32::from(value);
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

    /// How many bits there are of the last byte.
    #[cfg(feature = "turbo")]
    pub(super) fn phase(&self) -> u8 {
        self.count
    }

    /// Puts it before the rest of some data, from this byte and bit on: it ends with as many bits.
    #[cfg(feature = "turbo")]
    pub(super) fn joined(
        mut self,
        data: &[u8],
        (at, bit): (usize, u8),
        to: &mut Vec<u8>,
    ) -> Option<()> {
        let mut next = at;
        if bit > 0 {
            let byte = *data.get(at)?;
            self.put(u16::from(byte & 0xFF >> bit), 8 - bit);
            next += if byte == 0xFF { 2 } else { 1 };
        }
        to.extend_from_slice(&self.bytes);
        to.extend_from_slice(data.get(next..)?);
        Some(())
    }

    /// The first bits of these bytes.
    fn copy(&mut self, bytes: &[u8], bits: usize) {
        let (whole, left) = (bits / 8, bits % 8);
        bytes.iter().take(whole).for_each(|byte| self.put(u16::from(*byte), 8));
        if let (Some(byte), Ok(left @ 1..)) = (bytes.get(whole), u8::try_from(left)) {
            self.put(u16::from(byte >> (8 - left)), left);
        }
    }

    /// A unit that is like the one before.
    fn flat(&mut self, unit: &[Block]) {
        for block in unit {
            let (code, length) = block.dc.nothing;
            self.put(code, length);
            if let Some(ac) = &block.ac {
                let (code, length) = ac.nothing;
                self.put(code, length);
            }
        }
    }

    /// To the end of the byte, with ones.
    fn pad(&mut self) {
        if self.count > 0 {
            let left = 8 - self.count;
            self.put((1 << left) - 1, left);
        }
    }

    fn restart(&mut self, number: &mut u8) {
        self.bytes.extend([0xFF, 0xD0 + *number]);
        *number = (*number + 1) & 7;
    }
}
