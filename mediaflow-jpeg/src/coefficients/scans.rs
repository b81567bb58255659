use super::order::Order;
use super::tokens::Tokens;
use super::{Block, Coefficients};
use crate::Control;
use crate::failure::Failure;
use crate::header::Frame;

/// What of the coefficients one scan of a file has.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub(super) parts: Vec<usize>,
    pub(super) first: u8,
    pub(super) last: u8,
    pub(super) high: u8,
    pub(super) low: u8,
}

impl Scan {
    /// All of all.
    pub(super) fn whole(components: usize) -> Self {
        Self { parts: (0..components).collect(), first: 0, last: 63, high: 0, low: 0 }
    }

    /// Those of a progressive file, as libjpeg has them: a coarse picture soon, its details, and then bit by bit the rest.
    pub(super) fn progressive(components: usize) -> Vec<Self> {
        let means = |high, low| Self { first: 0, last: 0, high, low, ..Self::whole(components) };
        let of = |part, first, last, high, low| Self { parts: vec![part], first, last, high, low };
        match components {
            3 => vec![
                means(0, 1),
                of(0, 1, 5, 0, 2),
                of(2, 1, 63, 0, 1),
                of(1, 1, 63, 0, 1),
                of(0, 6, 63, 0, 2),
                of(0, 1, 63, 2, 1),
                means(1, 0),
                of(2, 1, 63, 1, 0),
                of(1, 1, 63, 1, 0),
                of(0, 1, 63, 1, 0),
            ],
            _ => vec![
                means(0, 1),
                of(0, 1, 5, 0, 2),
                of(0, 6, 63, 0, 2),
                of(0, 1, 63, 2, 1),
                means(1, 0),
                of(0, 1, 63, 1, 0),
            ],
        }
    }

    /// The tables of a component: of luma, and of the two others. Those of coefficients come behind those of means.
    pub(super) fn tables(part: usize) -> (usize, usize) {
        if part == 0 { (0, 2) } else { (1, 3) }
    }

    /// Tells all that it says.
    pub(super) fn tell(
        &self,
        all: &Coefficients,
        frame: &Frame,
        to: &mut impl Tokens,
        control: &Control<'_>,
    ) -> Result<(), Failure> {
        let order = Order::new(frame, &self.parts, |index| all.components[index].stride);
        let mut teller = Teller { scan: self, last: [0; 3], ends: 0, late: Vec::new() };
        for unit in 0..order.area.units {
            if unit.is_multiple_of(order.area.across.clamp(1, 1024)) {
                control.check()?;
            }
            for (place, (index, block)) in order.unit(unit) {
                teller.block(&all.components[index].blocks[block], place, index, to);
            }
        }
        teller.end(to);
        Ok(())
    }
}

/// What is kept from block to block.
struct Teller<'a> {
    scan: &'a Scan,
    /// By part of the scan.
    last: [i16; 3],
    /// So many blocks have nothing more, which is not told yet, and what follows that.
    ends: u32,
    late: Vec<bool>,
}

/// As libjpeg: so many bits wait at most.
const LATE: usize = 1000 - 64 + 1;

impl Teller<'_> {
    fn block(&mut self, block: &Block, place: usize, index: usize, to: &mut impl Tokens) {
        let Scan { first, last, high, low, .. } = *self.scan;
        match (first, last, high) {
            (0, 0, 0) => self.mean(block, place, index, to),
            (0, 0, _) => to.bits(u32::from(block[0] >> low & 1 == 1), 1),
            (0, ..) => {
                self.mean(block, place, index, to);
                rest(block, Scan::tables(index).1, to);
            }
            (_, _, 0) => self.band(block, index, to),
            _ => self.refine(block, index, to),
        }
    }

    fn mean(&mut self, block: &Block, place: usize, index: usize, to: &mut impl Tokens) {
        let mean = block[0] >> self.scan.low;
        let difference = i32::from(mean) - i32::from(self.last[place]);
        self.last[place] = mean;
        let (size, bits) = sized(difference);
        to.symbol(Scan::tables(index).0, nibble(size), bits, size);
    }

    /// The highest bits of coefficients.
    fn band(&mut self, block: &Block, index: usize, to: &mut impl Tokens) {
        let (table, mut run) = (Scan::tables(index).1, 0);
        let Scan { first, last, low, .. } = *self.scan;
        for coefficient in &block[usize::from(first)..=usize::from(last)] {
            // Towards zero.
            let value = i32::from(*coefficient) / (1 << low);
            if value == 0 {
                run += 1;
                continue;
            }
            self.tell_ends(table, to);
            while run > 15 {
                to.symbol(table, 0xF0, 0, 0);
                run -= 16;
            }
            let (size, bits) = sized(value);
            to.symbol(table, run << 4 | nibble(size), bits, size);
            run = 0;
        }
        if run > 0 {
            self.ends += 1;
            if self.ends == 0x7FFF {
                self.tell_ends(table, to);
            }
        }
    }

    /// One more bit of coefficients, and those that have their first one here.
    fn refine(&mut self, block: &Block, index: usize, to: &mut impl Tokens) {
        let table = Scan::tables(index).1;
        let Scan { first, last, low, .. } = *self.scan;
        let band = &block[usize::from(first)..=usize::from(last)];
        let size = |coefficient: &i16| coefficient.unsigned_abs() >> low;
        let end = band.iter().rposition(|coefficient| size(coefficient) == 1);
        let (mut run, mut late) = (0, Vec::new());
        for (at, coefficient) in band.iter().enumerate() {
            let value = size(coefficient);
            if value == 0 {
                run += 1;
                continue;
            }
            while run > 15 && end.is_some_and(|end| at <= end) {
                self.tell_ends(table, to);
                to.symbol(table, 0xF0, 0, 0);
                run -= 16;
                tell_late(&mut late, to);
            }
            if value > 1 {
                late.push(value & 1 == 1);
                continue;
            }
            self.tell_ends(table, to);
            to.symbol(table, run << 4 | 1, u32::from(*coefficient > 0), 1);
            tell_late(&mut late, to);
            run = 0;
        }
        if run > 0 || !late.is_empty() {
            self.ends += 1;
            self.late.append(&mut late);
            if self.ends == 0x7FFF || self.late.len() > LATE {
                self.tell_ends(table, to);
            }
        }
    }

    fn tell_ends(&mut self, table: usize, to: &mut impl Tokens) {
        if self.ends > 0 {
            let size = self.ends.ilog2();
            to.symbol(table, nibble(size) << 4, self.ends, size);
            self.ends = 0;
            tell_late(&mut self.late, to);
        }
    }

    fn end(&mut self, to: &mut impl Tokens) {
        let table = self.scan.parts.first().map_or(0, |part| Scan::tables(*part).1);
        self.tell_ends(table, to);
    }
}

/// The coefficients behind the mean.
fn rest(block: &Block, table: usize, to: &mut impl Tokens) {
    let mut run = 0;
    for coefficient in &block[1..] {
        if *coefficient == 0 {
            run += 1;
            continue;
        }
        while run > 15 {
            to.symbol(table, 0xF0, 0, 0);
            run -= 16;
        }
        let (size, bits) = sized(i32::from(*coefficient));
        to.symbol(table, run << 4 | nibble(size), bits, size);
        run = 0;
    }
    if run > 0 {
        to.symbol(table, 0, 0, 0);
    }
}

fn tell_late(late: &mut Vec<bool>, to: &mut impl Tokens) {
    late.drain(..).for_each(|bit| to.bits(u32::from(bit), 1));
}

/// How many bits a value has, and those: of negative ones the inverse.
fn sized(value: i32) -> (u32, u32) {
    let size = 32 - value.unsigned_abs().leading_zeros();
    let bits = if value < 0 { value - 1 } else { value };
    (size, bits.cast_unsigned())
}

/// Sizes are less than 16.
fn nibble(size: u32) -> u8 {
    u8::try_from(size & 15).unwrap_or(0)
}
