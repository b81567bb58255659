use crate::Control;
use crate::codes::Shorts;
use crate::corners::{PLACES, value};
use crate::differences::Differences;
use crate::failure::{Damage, Failure, Unsupported};
use crate::feed::{Data, Feed};
use crate::header::{Jpeg, Scan, Tables};
use crate::lanes::eight;
use crate::planes::Means;

/// So many bits a unit takes at most: ten blocks, each of a code of 16 bits and a value of 11.
const UNIT: u32 = 270;

/// The units of a scan, and the blocks of one: place in the scan, component, and where in the unit.
pub(crate) struct Area {
    across: usize,
    pub(crate) units: usize,
    blocks: Vec<(usize, usize, usize, usize)>,
    /// Of each component of the picture how many blocks of a unit are in a row, and in a column.
    wide: Vec<(usize, usize)>,
}

impl Area {
    pub(crate) fn new(jpeg: &Jpeg<'_>, scan: &Scan) -> Self {
        let alone = scan.parts.len() == 1;
        let (mut blocks, mut wide) = (Vec::new(), vec![(1, 1); jpeg.components()]);
        for (place, (index, ..)) in scan.parts.iter().enumerate() {
            let part = &jpeg.frame.components[*index];
            let (across, down) =
                if alone { (1, 1) } else { (part.across as usize, part.down as usize) };
            wide[*index] = (across, down);
            blocks.extend((0..down).flat_map(|y| (0..across).map(move |x| (place, *index, x, y))));
        }
        let (across, down) = match &*scan.parts {
            [(index, ..)] => jpeg.frame.blocks(&jpeg.frame.components[*index]),
            _ => jpeg.frame.units(),
        };
        Self { across: across as usize, units: across as usize * down as usize, blocks, wide }
    }

    /// Units between two restarts.
    pub(crate) fn every(&self, tables: &Tables) -> usize {
        if tables.restart == 0 { self.units } else { tables.restart as usize }
    }

    fn of(&self) -> u64 {
        (self.units * self.blocks.len()) as u64
    }

    /// Whether there are as many restarts as should be.
    pub(crate) fn check(&self, data: &Data, restart: u32) -> Result<(), Failure> {
        let every = if restart == 0 { self.units } else { restart as usize };
        let count = data.count;
        if count < self.units.div_ceil(every) {
            let blocks = (count * every * self.blocks.len()) as u64;
            return Err(Damage::Ended { blocks, of: self.of() }.into());
        }
        match data.in_order && count == self.units.div_ceil(every) {
            true => Ok(()),
            false => Err(Damage::Restarts.into()),
        }
    }
}

pub(crate) struct Reader<'a> {
    pub(crate) area: Area,
    pub(crate) scan: &'a Scan,
    pub(crate) windows: &'a mut [u8],
    pub(crate) control: &'a Control<'a>,
}

impl Reader<'_> {
    /// Reads the first bits of means.
    pub(crate) fn first(
        &mut self,
        feed: Feed<'_>,
        units: std::ops::Range<usize>,
        codes: &[Differences],
        means: &mut Means,
    ) -> Result<(), Failure> {
        let mut last = [0_i16; 3];
        self.means(feed, units, means, |place, index, bits| {
            let (value, length) = codes[place].first(bits)?;
            last[index] = last[index].wrapping_add(value);
            Some((last[index], length))
        })
    }

    /// Reads one more bit of each.
    pub(crate) fn more(
        &mut self,
        feed: Feed<'_>,
        units: std::ops::Range<usize>,
        means: &mut Means,
    ) -> Result<(), Failure> {
        self.means(feed, units, means, |_, _, bits| Some((i16::from(bits >> 63 == 1), 1)))
    }

    /// Adds bits to means, which lack them yet: those of each block, by its place in the scan, its component and the bits that
    /// come next, and how many they take; nothing if these are no code.
    #[inline]
    fn means(
        &mut self,
        mut feed: Feed<'_>,
        units: std::ops::Range<usize>,
        means: &mut Means,
        mut next: impl FnMut(usize, usize, u64) -> Option<(i16, u32)>,
    ) -> Result<(), Failure> {
        let (mut bit, low) = (feed.first(), self.scan.low);
        let across = self.area.across;
        let (mut row, mut column) = (units.start / across, units.start % across);
        for unit in units {
            bit = self.ready(&mut feed, bit)?;
            for &(place, index, x, y) in &self.area.blocks {
                let Some((value, length)) = next(place, index, eight(self.windows, bit)) else {
                    return Err(self.damage(unit, &feed, bit, Damage::Code { blocks: 0, of: 0 }));
                };
                bit += length;
                let (wide, tall) = self.area.wide[index];
                let (to, stride) = means.of(index);
                to[(row * tall + y) * stride + column * wide + x] |= value << low;
            }
            if bit > feed.last() {
                return Err(self.damage(unit, &feed, bit, Damage::Cut));
            }
            column += 1;
            if column == across {
                (row, column) = (row + 1, 0);
            }
        }
        self.ended(&mut feed, bit)
    }

    /// Reads the slopes of blocks, as far as the scan has them; their last bits are nothing that one sees.
    pub(crate) fn slopes(
        &mut self,
        mut feed: Feed<'_>,
        units: std::ops::Range<usize>,
        codes: &Shorts,
        means: &mut Means,
    ) -> Result<(), Failure> {
        let Scan { first, last, low, .. } = *self.scan;
        let across = self.area.across;
        let (mut bit, mut ends, mut ahead) = (feed.first(), 0, units.start);
        let Some(&(_, index, ..)) = self.area.blocks.first() else { return Ok(()) };
        for unit in units {
            // So many blocks have nothing more in this scan.
            if ends > 0 {
                ends -= 1;
                continue;
            }
            ahead = unit;
            let mut at = u32::from(first);
            while at <= u32::from(last) {
                bit = self.ready(&mut feed, bit)?;
                let bits = eight(self.windows, bit);
                let code = codes.first(bits);
                let Some((symbol, length)) = code.filter(|_| bit <= feed.last()) else {
                    return Err(self.damage(unit, &feed, bit, Damage::Code { blocks: 0, of: 0 }));
                };
                let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
                bit += length + if size > 0 { size } else { run % 15 };
                at += run + 1;
                match (run, size) {
                    (15, 0) => continue,
                    (_, 0) => {
                        let more = ((bits << length) >> 1) >> (63 - run);
                        ends = (1 << run) - 1 + u32::try_from(more).unwrap_or(0);
                        break;
                    }
                    _ if at > u32::from(last) + 1 => {
                        let code = Damage::Code { blocks: 0, of: 0 };
                        return Err(self.damage(unit, &feed, bit, code));
                    }
                    _ => {}
                }
                if let Some(place) = PLACES.iter().position(|place| *place + 1 == at as usize) {
                    let (corners, stride) = means.corners_of(index);
                    let (row, column) = (unit / across, unit % across);
                    corners[row * stride + column][place] = value(bits << length, size) << low;
                }
            }
        }
        if bit > feed.last() {
            return Err(self.damage(ahead, &feed, bit, Damage::Cut));
        }
        self.ended(&mut feed, bit)
    }

    /// Sees to it that the next unit is in the window.
    fn ready(&mut self, feed: &mut Feed<'_>, bit: u32) -> Result<u32, Failure> {
        if feed.is_at_stop() || feed.last().saturating_sub(bit) >= UNIT {
            return Ok(bit);
        }
        self.control.check()?;
        Ok(bit - feed.fill(self.windows, bit))
    }

    fn damage(&self, unit: usize, feed: &Feed<'_>, bit: u32, found: Damage) -> Failure {
        let (blocks, of) = ((unit * self.area.blocks.len()) as u64, self.area.of());
        match found {
            // A code that the end has cut is none either.
            Damage::Code { .. } if bit + 32 <= feed.last() => Damage::Code { blocks, of }.into(),
            _ => Damage::Ended { blocks, of }.into(),
        }
    }

    fn ended(&mut self, feed: &mut Feed<'_>, bit: u32) -> Result<(), Failure> {
        match feed.is_at_stop() && feed.last() - bit < 8 {
            true => Ok(()),
            false => Err(Unsupported::Stray.into()),
        }
    }
}
