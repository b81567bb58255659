use std::sync::LazyLock;

use mediaflow_core::Result;

/// How rows of black and white are written: by the lengths of runs, or by where they end below those of the row before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fax {
    /// Lengths, each row from a byte on.
    Runs,
    /// Group 3: each row begins with a mark, behind which a bit may say which way it is written.
    Three { both: bool },
    /// Group 4: each row hangs on the one before.
    Four,
}

/// Rows that are read between two looks whether to stop.
const LOOK: usize = 64;

/// Unpacks rows of so many pixels, of which ones are black; says how many bytes there were before the data ended, or were no code.
pub(super) fn unpack(
    packed: &[u8],
    how: Fax,
    width: usize,
    to: &mut [u8],
    check: impl Fn() -> Result<()>,
) -> Result<usize> {
    let mut bits = Bits { packed, at: 0 };
    let (mut above, mut ends) = (Vec::new(), Vec::new());
    let row = width.div_ceil(8);
    for (index, to) in to.chunks_exact_mut(row).enumerate() {
        if index.is_multiple_of(LOOK) {
            check()?;
        }
        let along = match how {
            Fax::Runs => {
                bits.at = bits.at.next_multiple_of(8);
                true
            }
            Fax::Three { both } => {
                bits.mark();
                !both || bits.take(1) == 1
            }
            Fax::Four => false,
        };
        ends.clear();
        let read =
            if along { bits.runs(width, &mut ends) } else { bits.below(width, &above, &mut ends) };
        if read.is_none() {
            return Ok(index * row);
        }
        draw(&ends, width, to);
        std::mem::swap(&mut above, &mut ends);
    }
    Ok(to.len())
}

/// Sets the bits of the black runs: those from each second end on.
fn draw(ends: &[usize], width: usize, to: &mut [u8]) {
    to.fill(0);
    for black in ends.chunks(2) {
        let start = black[0];
        let end = black.get(1).copied().unwrap_or(width);
        for at in start..end {
            to[at / 8] |= 0x80 >> (at % 8);
        }
    }
}

struct Bits<'a> {
    packed: &'a [u8],
    /// In bits.
    at: usize,
}

impl Bits<'_> {
    /// The next bits, up to 16; zeros behind the end.
    fn look(&self, count: usize) -> usize {
        let byte = |at: usize| self.packed.get(at).copied().map_or(0, usize::from);
        let at = self.at / 8;
        let three = byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2);
        three >> (24 - self.at % 8 - count) & ((1 << count) - 1)
    }

    fn take(&mut self, count: usize) -> usize {
        let bits = self.look(count);
        self.at += count;
        bits
    }

    fn is_over(&self) -> bool {
        self.at > 8 * self.packed.len()
    }

    /// Passes over the mark of a row, eleven zeros or more and a one, if it is there.
    fn mark(&mut self) {
        if self.look(11) != 0 {
            return;
        }
        let start = self.at;
        while self.look(1) == 0 {
            self.at += 1;
            if self.is_over() {
                self.at = start;
                return;
            }
        }
        self.at += 1;
    }

    /// The length of a run of one colour.
    fn run(&mut self, black: bool) -> Option<usize> {
        let table = if black { &CODES.1 } else { &CODES.0 };
        let mut all = 0_usize;
        loop {
            let (len, run) = table[self.look(LONGEST)];
            self.at += usize::from(len);
            if len == 0 || self.is_over() {
                return None;
            }
            all += usize::from(run);
            if run < 64 {
                return Some(all);
            }
        }
    }

    /// A row of lengths: where each run ends.
    fn runs(&mut self, width: usize, ends: &mut Vec<usize>) -> Option<()> {
        let (mut at, mut black) = (0, false);
        while at < width {
            at = (at + self.run(black)?).min(width);
            ends.push(at);
            black = !black;
        }
        Some(())
    }

    /// A row that hangs on the one above: where each run ends.
    fn below(&mut self, width: usize, above: &[usize], ends: &mut Vec<usize>) -> Option<()> {
        let (mut at, mut black, mut near) = (0, false, 0);
        while at < width {
            // The first end above that lies behind, and changes to the other colour. At the start one may lie there.
            let is_behind = |end: usize| end > at || (at == 0 && ends.is_empty());
            while near > 0 && is_behind(above[near - 1]) {
                near -= 1;
            }
            while above.get(near).is_some_and(|end| !is_behind(*end)) {
                near += 1;
            }
            let first = near + usize::from((near % 2 == 1) != black);
            let end = |index: usize| above.get(index).copied().unwrap_or(width);
            let (first, second) = (end(first), end(first + 1));
            let (len, step) = match self.look(7) {
                0b100_0000.. => (1, 0),
                0b011_0000.. => (3, 1),
                0b010_0000.. => (3, -1),
                0b001_0000.. => {
                    self.at += 3;
                    for colour in [black, !black] {
                        at = (at + self.run(colour)?).min(width);
                        ends.push(at);
                    }
                    continue;
                }
                0b000_1000.. => {
                    self.at += 4;
                    at = second;
                    continue;
                }
                0b000_0110.. => (6, 2),
                0b000_0100.. => (6, -2),
                3 => (7, 3),
                2 => (7, -3),
                _ => return None,
            };
            self.at += len;
            let end = first.checked_add_signed(step).filter(|end| *end >= at && !self.is_over())?;
            at = end.min(width);
            ends.push(at);
            black = !black;
        }
        Some(())
    }
}

/// Bits of the longest code.
const LONGEST: usize = 13;

/// By the next bits: how many of them are a code, and for a run of which length. White, and black.
type Codes = (Vec<(u8, u16)>, Vec<(u8, u16)>);

static CODES: LazyLock<Codes> = LazyLock::new(|| (table(WHITE), table(BLACK)));

/// Runs of 0 to 63, then multiples of 64.
fn table(codes: &str) -> Vec<(u8, u16)> {
    let mut table = vec![(0, 0); 1 << LONGEST];
    let runs = (0..64).chain((1..).map(|count| 64 * count));
    for (code, run) in codes.split_whitespace().chain(LONG.split_whitespace()).zip(runs) {
        let bits = code.bytes().fold(0, |bits, byte| bits << 1 | usize::from(byte == b'1'));
        let rest = LONGEST - code.len();
        let len = u8::try_from(code.len()).unwrap_or_default();
        table[bits << rest..(bits + 1) << rest].fill((len, run));
    }
    table
}

const WHITE: &str = "00110101 000111 0111 1000 1011 1100 1110 1111 10011 10100 00111 01000 001000 000011 110100 110101 \
    101010 101011 0100111 0001100 0001000 0010111 0000011 0000100 0101000 0101011 0010011 0100100 0011000 00000010 \
    00000011 00011010 00011011 00010010 00010011 00010100 00010101 00010110 00010111 00101000 00101001 00101010 \
    00101011 00101100 00101101 00000100 00000101 00001010 00001011 01010010 01010011 01010100 01010101 00100100 \
    00100101 01011000 01011001 01011010 01011011 01001010 01001011 00110010 00110011 00110100 \
    11011 10010 010111 0110111 00110110 00110111 01100100 01100101 01101000 01100111 011001100 011001101 011010010 \
    011010011 011010100 011010101 011010110 011010111 011011000 011011001 011011010 011011011 010011000 010011001 \
    010011010 011000 010011011";

const BLACK: &str = "0000110111 010 11 10 011 0011 0010 00011 000101 000100 0000100 0000101 0000111 00000100 00000111 \
    000011000 0000010111 0000011000 0000001000 00001100111 00001101000 00001101100 00000110111 00000101000 00000010111 \
    00000011000 000011001010 000011001011 000011001100 000011001101 000001101000 000001101001 000001101010 000001101011 \
    000011010010 000011010011 000011010100 000011010101 000011010110 000011010111 000001101100 000001101101 000011011010 \
    000011011011 000001010100 000001010101 000001010110 000001010111 000001100100 000001100101 000001010010 000001010011 \
    000000100100 000000110111 000000111000 000000100111 000000101000 000001011000 000001011001 000000101011 000000101100 \
    000001011010 000001100110 000001100111 \
    0000001111 000011001000 000011001001 000001011011 000000110011 000000110100 000000110101 0000001101100 0000001101101 \
    0000001001010 0000001001011 0000001001100 0000001001101 0000001110010 0000001110011 0000001110100 0000001110101 \
    0000001110110 0000001110111 0000001010010 0000001010011 0000001010100 0000001010101 0000001011010 0000001011011 \
    0000001100100 0000001100101";

/// Of both colours, from 1,792 on.
const LONG: &str = "00000001000 00000001100 00000001101 000000010010 000000010011 000000010100 000000010101 000000010110 \
    000000010111 000000011100 000000011101 000000011110 000000011111";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_the_beginning_of_another() {
        for codes in [WHITE, BLACK] {
            let all: Vec<_> = codes.split_whitespace().chain(LONG.split_whitespace()).collect();
            assert_eq!(all.len(), 64 + 27 + 13);
            let taken: usize = all.iter().map(|code| 1 << (LONGEST - code.len())).sum();
            let free = table(codes).iter().filter(|(len, _)| *len == 0).count();
            assert_eq!(taken + free, 1 << LONGEST);
        }
    }
}
