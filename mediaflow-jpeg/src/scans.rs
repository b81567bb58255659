use crate::Control;
use crate::area::Area;
use crate::codes::Shorts;
use crate::corners::{Corner, PLACES, value};
use crate::differences::Differences;
use crate::failure::{Damage, Failure, Unsupported};
use crate::feed::Feed;
use crate::header::Scan;
use crate::lanes::eight;
use crate::planes::Means;

/// So many bits a unit takes at most: ten blocks, each of a code of 16 bits and a value of 11.
const UNIT: u32 = 270;

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
                let (_, wide, tall) = self.area.parts[place];
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
        let (slopes, stride) = means.slopes_of(index);
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
                let block = unit / across * stride + unit % across;
                if let Some(known) = slopes.known.get_mut(block) {
                    *known |= 1 << (at - 1);
                }
                if let Some(place) = PLACES.iter().position(|place| *place + 1 == at as usize) {
                    let value = value(bits << length, size);
                    // At the middle of what it may be, if no more than the first bits are read.
                    let middle = ((1 << low) - 1) / 2 * value.signum();
                    let middle = if slopes.known.is_empty() { middle } else { 0 };
                    slopes.corners[block][place] = (value << low).wrapping_add(middle);
                }
            }
        }
        if bit > feed.last() {
            return Err(self.damage(ahead, &feed, bit, Damage::Cut));
        }
        self.ended(&mut feed, bit)
    }

    /// Reads one more bit of the slopes of blocks of which is known which coefficients are not zero: these have one each, between
    /// the codes of those that become something.
    pub(crate) fn finer(
        &mut self,
        mut feed: Feed<'_>,
        units: std::ops::Range<usize>,
        codes: &Shorts,
        means: &mut Means,
    ) -> Result<(), Failure> {
        let Scan { first, last, low, .. } = *self.scan;
        let all = (u64::MAX << first) & (u64::MAX >> (63 - last));
        let across = self.area.across;
        let (mut bit, mut ends) = (feed.first(), 0_u32);
        let Some(&(_, index, ..)) = self.area.blocks.first() else { return Ok(()) };
        let (slopes, stride) = means.slopes_of(index);
        for unit in units {
            let block = unit / across * stride + unit % across;
            let (corner, known) = (&mut slopes.corners[block], &mut slopes.known[block]);
            // Places of the block that are not passed yet, as bits.
            let mut left = all;
            bit = self.ready(&mut feed, bit)?;
            while ends == 0 && left != 0 {
                bit = self.ready(&mut feed, bit)?;
                let bits = eight(self.windows, bit);
                let code = codes.first(bits).filter(|(symbol, _)| symbol & 15 < 2);
                let Some((symbol, length)) = code.filter(|_| bit <= feed.last()) else {
                    return Err(self.damage(unit, &feed, bit, Damage::Code { blocks: 0, of: 0 }));
                };
                let (run, size, bits) = (u32::from(symbol >> 4), symbol & 15, bits << length);
                bit += length;
                if size == 0 && run < 15 {
                    ends = (1 << run) + u32::try_from((bits >> 1) >> (63 - run)).unwrap_or(0);
                    bit += run;
                    break;
                }
                bit += u32::from(size);
                let mut zeros = left & !*known;
                (0..run).for_each(|_| zeros &= zeros.wrapping_sub(1));
                let place = zeros & zeros.wrapping_neg();
                let passed = left & *known & place.wrapping_sub(1);
                correct(corner, passed, eight(self.windows, bit), low);
                bit += passed.count_ones();
                left &= !(place | place.wrapping_sub(1));
                if size == 1 && place == 0 {
                    return Err(self.damage(unit, &feed, bit, Damage::Code { blocks: 0, of: 0 }));
                }
                if size == 1 {
                    *known |= place;
                    let at = place.trailing_zeros() as usize;
                    if let Some(slope) = PLACES.iter().position(|place| *place == at) {
                        corner[slope] = value(bits, 1) << low;
                    }
                }
            }
            if ends > 0 {
                ends -= 1;
                let passed = left & *known;
                correct(corner, passed, eight(self.windows, bit), low);
                bit += passed.count_ones();
            }
            if bit > feed.last() {
                return Err(self.damage(unit, &feed, bit, Damage::Cut));
            }
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

/// Takes the next bits, one for each of these places, as far as they are those of slopes.
#[inline]
fn correct(corner: &mut Corner, places: u64, bits: u64, low: u8) {
    if places & 0b1_1111 == 0 {
        return;
    }
    for (slope, place) in corner.iter_mut().zip(PLACES) {
        let before = (places & ((1 << place) - 1)).count_ones();
        if places & (1 << place) != 0 && (bits << before) >> 63 == 1 {
            *slope = slope.wrapping_add(slope.signum() << low);
        }
    }
}
