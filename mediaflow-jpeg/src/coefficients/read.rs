use super::order::Order;
use super::{Block, Coefficients};
use crate::Control;
use crate::codes::Shorts;
use crate::corners::value;
use crate::differences::Differences;
use crate::failure::{Damage, Failure, Unsupported};
use crate::feed::Data;
use crate::header::{Coding, Jpeg, Scan, Tables};
use crate::progressive::{differences, progress};

impl Jpeg<'_> {
    /// All coefficients of the picture.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn coefficients(&self, control: &Control<'_>) -> Result<Coefficients, Failure> {
        let needed = Coefficients::memory(self);
        if needed > control.memory {
            return Err(Failure::TooLarge { needed, limit: control.memory });
        }
        let mut all = Coefficients::new(self);
        let progressive = self.coding() == Coding::Progressive;
        let mut given = vec![[None; 64]; self.components()];
        let mut whole = vec![false; self.components()];
        let (mut tables, mut scan, mut at) = (self.tables.clone(), self.scan.clone(), self.data);
        loop {
            match progressive {
                true => progress(&scan, &mut given)?,
                false => scan.whole(&mut whole)?,
            }
            at = read(self, &mut all, (&scan, &tables), at, control)?;
            let Some((following, data)) = self.next(at, &mut tables)? else { break };
            (scan, at) = (following, data);
        }
        let is_there = match progressive {
            true => given.iter().flatten().all(|bit| *bit == Some(0)),
            false => whole.iter().all(|given| *given),
        };
        if !is_there {
            return Err(Unsupported::Scans.into());
        }
        Ok(all)
    }
}

/// Reads a scan. Gives where its data ends.
fn read(
    jpeg: &Jpeg<'_>,
    all: &mut Coefficients,
    (scan, tables): (&Scan, &Tables),
    at: usize,
    control: &Control<'_>,
) -> Result<usize, Failure> {
    let parts = scan.indices();
    let order = Order::new(&jpeg.frame, &parts, |index| all.components[index].stride);
    let (area, every) = (&order.area, order.area.every(tables));
    let data = Data::find(jpeg.bytes, at, area.units.div_ceil(every))?;
    area.check(&data, tables.restart)?;
    if scan.first == 0 && scan.high == 0 {
        for index in parts {
            let steps = tables.quant[jpeg.frame.components[index].quant];
            all.components[index].steps = steps.ok_or(Unsupported::Tables)?;
        }
    }
    let mut reader = Reader::new(jpeg, scan, tables)?;
    for (interval, first) in data.intervals.iter().zip((0..).step_by(every)) {
        let mut bits = Bits::new(&jpeg.bytes[interval.clone()]);
        reader.restart();
        for unit in first..area.units.min(first + every) {
            if unit.is_multiple_of(area.across.max(1)) || unit.is_multiple_of(LOOK) {
                control.check()?;
            }
            for (place, (index, block)) in order.unit(unit) {
                let read = reader.block(&mut bits, place, &mut all.components[index].blocks[block]);
                if read.is_none() || bits.is_over() {
                    let (blocks, of) = ((unit * area.blocks.len()) as u64, area.of());
                    let damage = match bits.is_at_end() {
                        true => Damage::Ended { blocks, of },
                        false => Damage::Code { blocks, of },
                    };
                    return Err(damage.into());
                }
            }
        }
        if !bits.is_at_end() {
            return Err(Unsupported::Stray.into());
        }
    }
    Ok(data.end)
}

/// So many units are read at most between two looks at whether to stop.
const LOOK: usize = 1024;

/// What it takes to read the blocks of a scan.
struct Reader<'a> {
    scan: &'a Scan,
    progressive: bool,
    dc: Vec<Differences>,
    ac: Vec<Shorts>,
    /// By part of the scan.
    last: [i16; 3],
    /// So many blocks more have nothing in this scan.
    ends: u32,
}

impl<'a> Reader<'a> {
    fn new(jpeg: &Jpeg<'_>, scan: &'a Scan, tables: &Tables) -> Result<Self, Unsupported> {
        let means = scan.first == 0 && scan.high == 0;
        let dc = if means { differences(scan, tables)? } else { Vec::new() };
        let codes = |(_, _, ac): &(usize, usize, usize)| tables.ac[*ac].as_ref().map(Shorts::new);
        let ac = match scan.last {
            0 => Vec::new(),
            _ => scan.parts.iter().map(codes).collect::<Option<_>>().ok_or(Unsupported::Tables)?,
        };
        let progressive = jpeg.coding() == Coding::Progressive;
        Ok(Self { scan, progressive, dc, ac, last: [0; 3], ends: 0 })
    }

    fn restart(&mut self) {
        (self.last, self.ends) = ([0; 3], 0);
    }

    /// Reads of a block what the scan has of it; nothing if there are no codes, or too many.
    fn block(&mut self, bits: &mut Bits<'_>, place: usize, block: &mut Block) -> Option<()> {
        match (self.progressive, self.scan.first, self.scan.high) {
            (false, ..) => {
                self.mean(bits, place, block)?;
                self.rest(bits, place, block)
            }
            (_, 0, 0) => self.mean(bits, place, block),
            (_, 0, _) => {
                block[0] |= i16::from(bits.bit()) << self.scan.low;
                Some(())
            }
            (_, _, 0) => self.band(bits, block),
            _ => self.refine(bits, block),
        }
    }

    fn mean(&mut self, bits: &mut Bits<'_>, place: usize, block: &mut Block) -> Option<()> {
        let (difference, length) = self.dc.get(place)?.first(bits.next())?;
        bits.skip(length);
        self.last[place] = self.last[place].wrapping_add(difference);
        block[0] = self.last[place] << self.scan.low;
        Some(())
    }

    /// The coefficients behind the mean.
    fn rest(&mut self, bits: &mut Bits<'_>, place: usize, block: &mut Block) -> Option<()> {
        let codes = self.ac.get(place)?;
        let mut at = 1;
        while at < 64 {
            let next = bits.next();
            let (symbol, length) = codes.first(next)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            bits.skip(length + size);
            match (run, size) {
                (15, 0) => at += 16,
                (_, 0) => return Some(()),
                _ => {
                    at += run;
                    *block.get_mut(at)? = value(next << length, size);
                    at += 1;
                }
            }
        }
        (at == 64).then_some(())
    }

    /// The highest bits of coefficients.
    fn band(&mut self, bits: &mut Bits<'_>, block: &mut Block) -> Option<()> {
        if self.ends > 0 {
            self.ends -= 1;
            return Some(());
        }
        let Scan { first, last, low, .. } = *self.scan;
        let codes = self.ac.first()?;
        let (mut at, end) = (usize::from(first), usize::from(last) + 1);
        while at < end {
            let next = bits.next();
            let (symbol, length) = codes.first(next)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (run, size) {
                (15, 0) => {
                    bits.skip(length);
                    at += 16;
                }
                (_, 0) => {
                    bits.skip(length);
                    self.ends = bits.run(run)? - 1;
                    return Some(());
                }
                _ => {
                    bits.skip(length + size);
                    at += run;
                    *block[..end].get_mut(at)? = value(next << length, size) << low;
                    at += 1;
                }
            }
        }
        (at == end).then_some(())
    }

    /// One more bit of coefficients, and those that have their first one here.
    fn refine(&mut self, bits: &mut Bits<'_>, block: &mut Block) -> Option<()> {
        let Scan { first, last, low, .. } = *self.scan;
        let (bit, codes) = (1_i16 << low, self.ac.first()?);
        let (mut at, end) = (usize::from(first), usize::from(last) + 1);
        while self.ends == 0 && at < end {
            let (symbol, length) = codes.first(bits.next())?;
            bits.skip(length);
            let (mut run, size) = (usize::from(symbol >> 4), symbol & 15);
            let new = match size {
                0 if run < 15 => {
                    self.ends = bits.run(run)?;
                    break;
                }
                0 => 0,
                1 if bits.bit() => bit,
                1 => -bit,
                _ => return None,
            };
            // So many zeros are passed over, and all between them that are none get their bit.
            loop {
                let coefficient = block[..end].get_mut(at)?;
                at += 1;
                match *coefficient {
                    0 if run == 0 => {
                        *coefficient = new;
                        break;
                    }
                    0 => run -= 1,
                    _ => more(bits, coefficient, bit),
                }
            }
        }
        if self.ends > 0 {
            let rest = block.get_mut(at..end)?.iter_mut();
            rest.filter(|coefficient| **coefficient != 0)
                .for_each(|coefficient| more(bits, coefficient, bit));
            self.ends -= 1;
        }
        Some(())
    }
}

/// The next bit of a coefficient that is there.
fn more(bits: &mut Bits<'_>, coefficient: &mut i16, bit: i16) {
    if bits.bit() {
        *coefficient = coefficient.wrapping_add(if *coefficient < 0 { -bit } else { bit });
    }
}

/// The data of an interval, bit by bit. Behind its end there are zeros.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, at the left, and how many of them count.
    held: u64,
    count: u32,
    /// How many of them are made up.
    over: u32,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, held: 0, count: 0, over: 0 }
    }

    /// The next bits, of which 57 are good.
    #[inline]
    fn next(&mut self) -> u64 {
        while self.count <= 56 {
            let byte = match self.data.get(self.at) {
                Some(byte) => {
                    // A zero follows that keeps it apart from markers.
                    self.at += if *byte == 0xFF { 2 } else { 1 };
                    *byte
                }
                None => {
                    self.over += 8;
                    0
                }
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        self.held
    }

    /// No more than are good.
    #[inline]
    fn skip(&mut self, bits: u32) {
        self.held <<= bits;
        self.count -= bits;
    }

    fn bit(&mut self) -> bool {
        let bit = self.next() >> 63 == 1;
        self.skip(1);
        bit
    }

    /// How many blocks end, by so many bits.
    fn run(&mut self, bits: usize) -> Option<u32> {
        let bits = u32::try_from(bits).ok()?;
        let more = (self.next() >> 1) >> (63 - bits);
        self.skip(bits);
        u32::try_from((1 << bits) + more).ok()
    }

    /// Whether more was read than is there.
    fn is_over(&self) -> bool {
        self.over > self.count
    }

    /// Whether nothing is left but what fills up the last byte.
    fn is_at_end(&self) -> bool {
        self.at >= self.data.len() && self.count.saturating_sub(self.over) < 8
    }
}
