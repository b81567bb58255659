//! LZW, as GIF has it, and TIFF.

use mediaflow_core::Result;

/// The most codes there are.
const CODES: usize = 1 << 12;

/// How many codes are read between two looks whether to stop.
const LOOK: u32 = 1 << 16;

/// How codes lie in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// The lowest bit first, as in GIF.
    Low,
    /// The highest bit first, and codes grow one code early, as in TIFF.
    High,
}

/// Unpacks numbers into `to`, and says how many there were before the data ended, was no code, or was enough.
/// `bits` is the size of a number as the file gives it.
///
/// # Errors
/// What `check` gives, which says now and then whether to stop.
pub(crate) fn unpack(
    packed: &[u8],
    bits: u8,
    lie: Lie,
    to: &mut [u8],
    check: impl Fn() -> Result<()>,
) -> Result<usize> {
    if !(1..=11).contains(&bits) {
        return Ok(0);
    }
    let (clear, end) = (1_u16 << bits, (1_u16 << bits) + 1);
    let mut codes = Codes { packed: packed.iter(), lie, held: 0, count: 0, size: bits + 1 };
    let early = u32::from(lie == Lie::High);
    let mut table = Table::new(clear);
    let (mut next, mut before, mut made, mut left) = (end + 1, None, 0, LOOK);
    while made < to.len()
        && let Some(code) = codes.next()
    {
        left -= 1;
        if left == 0 {
            check()?;
            left = LOOK;
        }
        if code == clear {
            (next, before, codes.size) = (end + 1, None, bits + 1);
            continue;
        }
        // A code that comes next is the one before and its own first number.
        let new = match before {
            _ if code == end => break,
            _ if code < clear || (code > end && code < next) => table.first(code),
            Some(before) if code == next => table.first(before),
            _ => break,
        };
        if let Some(before) = before
            && usize::from(next) < CODES
        {
            table.add(next, before, new);
            next += 1;
            if u32::from(next) + early == 1 << codes.size && codes.size < 12 {
                codes.size += 1;
            }
        }
        made = table.write(code, to, made);
        before = Some(code);
    }
    Ok(made)
}

/// Packs numbers of so many bits, 2 to 8, as GIF wants them: the lowest bit first, with codes that clear and end.
///
/// # Errors
/// What `check` gives, which says now and then whether to stop.
pub(crate) fn pack(numbers: &[u8], bits: u8, check: impl Fn() -> Result<()>) -> Result<Vec<u8>> {
    let (clear, end) = (1_u16 << bits, (1_u16 << bits) + 1);
    let mut packer = Packer { packed: Vec::new(), held: 0, count: 0, size: bits + 1 };
    packer.put(clear);
    let Some((first, rest)) = numbers.split_first() else {
        packer.put(end);
        return Ok(packer.end());
    };
    // For each code and the number behind it the code of both; which of them there are, to be forgotten.
    let mut table = vec![0_u16; CODES << 8];
    let mut known = Vec::with_capacity(CODES);
    let (mut next, mut before) = (end + 1, u16::from(*first));
    for (index, number) in rest.iter().enumerate() {
        if index % LOOK as usize == 0 {
            check()?;
        }
        let place = usize::from(before) << 8 | usize::from(*number);
        if table[place] != 0 {
            before = table[place];
            continue;
        }
        packer.put(before);
        before = u16::from(*number);
        if usize::from(next) == CODES {
            packer.put(clear);
            packer.size = bits + 1;
            known.drain(..).for_each(|place: usize| table[place] = 0);
            next = end + 1;
            continue;
        }
        // Whoever unpacks it is one code behind.
        if next == 1 << packer.size {
            packer.size += 1;
        }
        table[place] = next;
        known.push(place);
        next += 1;
    }
    packer.put(before);
    // So that the last one is not read in a size of its own.
    if next == 1 << packer.size && packer.size < 12 {
        packer.size += 1;
    }
    packer.put(end);
    Ok(packer.end())
}

/// Bits on their way into bytes.
struct Packer {
    packed: Vec<u8>,
    held: u32,
    count: u8,
    size: u8,
}

impl Packer {
    fn put(&mut self, code: u16) {
        self.held |= u32::from(code) << self.count;
        self.count += self.size;
        while self.count >= 8 {
            self.packed.push(self.held.to_le_bytes()[0]);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    fn end(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.packed.push(self.held.to_le_bytes()[0]);
        }
        self.packed
    }
}

/// Codes of a size that changes.
struct Codes<'a> {
    packed: std::slice::Iter<'a, u8>,
    lie: Lie,
    held: u32,
    count: u8,
    size: u8,
}

impl Codes<'_> {
    #[expect(clippy::cast_possible_truncation, reason = "a code has at most 12 bits")]
    fn next(&mut self) -> Option<u16> {
        while self.count < self.size {
            let byte = u32::from(*self.packed.next()?);
            self.held = match self.lie {
                Lie::Low => self.held | byte << self.count,
                Lie::High => self.held << 8 | byte,
            };
            self.count += 8;
        }
        self.count -= self.size;
        let mask = (1 << self.size) - 1;
        let code = match self.lie {
            Lie::Low => {
                let code = self.held & mask;
                self.held >>= self.size;
                code
            }
            Lie::High => self.held >> self.count & mask,
        };
        Some(code as u16)
    }
}

/// What each code stands for: that of another one, and one number more.
struct Table {
    before: Vec<u16>,
    last: Vec<u8>,
    first: Vec<u8>,
    len: Vec<u16>,
}

impl Table {
    fn new(clear: u16) -> Self {
        let numbers: Vec<u8> =
            (0..CODES).map(|code| u8::try_from(code).unwrap_or_default()).collect();
        let len = (0..CODES).map(|code| u16::from(code < usize::from(clear))).collect();
        Self { before: vec![0; CODES], first: numbers.clone(), last: numbers, len }
    }

    fn first(&self, code: u16) -> u8 {
        self.first[usize::from(code)]
    }

    fn add(&mut self, code: u16, before: u16, last: u8) {
        let (at, from) = (usize::from(code), usize::from(before));
        (self.before[at], self.last[at]) = (before, last);
        (self.first[at], self.len[at]) = (self.first[from], self.len[from] + 1);
    }

    /// Writes what a code stands for from its end, as far as there is room; gives the place behind it.
    fn write(&self, mut code: u16, to: &mut [u8], start: usize) -> usize {
        let end = start + usize::from(self.len[usize::from(code)]);
        for at in (start..end).rev() {
            if let Some(to) = to.get_mut(at) {
                *to = self.last[usize::from(code)];
            }
            code = self.before[usize::from(code)];
        }
        end.min(to.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes as a file has them, all of this size.
    fn packed(codes: &[u32], size: u32) -> Vec<u8> {
        let (mut bytes, mut held, mut count) = (Vec::new(), 0_u64, 0);
        for code in codes {
            held |= u64::from(*code) << count;
            count += size;
            while count >= 8 {
                bytes.push(held.to_le_bytes()[0]);
                held >>= 8;
                count -= 8;
            }
        }
        bytes.push(held.to_le_bytes()[0]);
        bytes
    }

    fn unpacked(codes: &[u32], size: u32, pixels: usize) -> Vec<u8> {
        let mut to = vec![9; pixels];
        let bits = u8::try_from(size - 1).unwrap();
        let made = unpack(&packed(codes, size), bits, Lie::Low, &mut to, || Ok(())).unwrap();
        to.truncate(made);
        to
    }

    #[test]
    fn codes_stand_for_what_came_before() {
        // 4 clears, 5 ends; 6 becomes 1 1, and comes before it is there.
        assert_eq!(unpacked(&[4, 1, 6, 5], 3, 9), [1, 1, 1]);
    }

    #[test]
    fn codes_that_clear_can_come_several_times() {
        assert_eq!(unpacked(&[4, 4, 4, 1, 4, 4, 2, 3, 5], 3, 9), [1, 2, 3]);
        assert_eq!(unpacked(&[1, 2, 4, 3, 5], 3, 9), [1, 2, 3], "and need not come at all");
    }

    #[test]
    fn what_is_packed_comes_back() {
        let mut seed = 7_u32;
        let mut noise = |bits: u8| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0] >> (8 - bits)
        };
        for bits in 2..=8 {
            for len in (0..80).chain([5_000, 70_000]) {
                let plain = vec![1; len];
                let wild: Vec<_> = (0..len).map(|_| noise(bits)).collect();
                for numbers in [plain, wild] {
                    let packed = pack(&numbers, bits, || Ok(())).unwrap();
                    let mut to = vec![0; len];
                    let made = unpack(&packed, bits, Lie::Low, &mut to, || Ok(())).unwrap();
                    assert!(made == len && to == numbers, "{bits} bits, {len} numbers");
                }
            }
        }
    }

    #[test]
    fn what_is_no_code_ends_it() {
        assert_eq!(unpacked(&[4, 1, 7], 3, 9), [1]);
        assert_eq!(unpacked(&[4, 6], 3, 9), [0; 0]);
        assert_eq!(unpacked(&[4, 1, 2], 3, 1), [1], "and so does a full picture");
    }
}
