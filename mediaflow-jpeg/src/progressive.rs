use crate::Control;
use crate::differences::Differences;
use crate::failure::{Damage, Failure, Unsupported};
use crate::feed::{Data, Feed, WINDOWS};
use crate::header::{EOI, Jpeg, SOS, Scan, Tables, segment};
use crate::lanes::eight;
use crate::planes::{Means, Planes};

/// So many bits a unit takes at most: ten blocks, each of a code of 16 bits and a value of 11.
const UNIT: u32 = 270;

/// Decodes a picture in many scans, of which those are read that hold means.
pub(crate) fn decode(jpeg: &Jpeg<'_>, control: &Control<'_>) -> Result<Planes, Failure> {
    let mut means = Means::new(&jpeg.frame, true);
    let mut given = vec![[None; 64]; jpeg.components()];
    let (mut tables, mut scan, mut at) = (jpeg.tables.clone(), jpeg.scan.clone(), jpeg.data);
    let mut windows = vec![0; WINDOWS];
    loop {
        control.check()?;
        progress(&scan, &mut given)?;
        let data = Data::find(jpeg.bytes, at)?;
        let area = Area::new(jpeg, &scan);
        area.check(&data, tables.restart)?;
        if scan.first == 0 {
            let mut reader = Reader { area, scan: &scan, windows: &mut windows };
            let pieces = (data.intervals.iter()).zip((0..).step_by(reader.area.every(&tables)));
            if scan.high == 0 {
                for (index, ..) in &scan.parts {
                    means.step(*index, &jpeg.frame, &tables)?;
                }
                let codes = differences(&scan, &tables)?;
                for (part, from) in pieces {
                    let feed = Feed::new(&jpeg.bytes[..part.end], part.clone(), 0);
                    reader.first(
                        feed,
                        from..reader.area.to(from, &tables),
                        &codes,
                        &mut means,
                        control,
                    )?;
                }
            } else {
                for (part, from) in pieces {
                    let feed = Feed::new(&jpeg.bytes[..part.end], part.clone(), 0);
                    reader.more(feed, from..reader.area.to(from, &tables), &mut means, control)?;
                }
            }
        } else if scan.parts.iter().any(|(_, _, ac)| tables.ac[*ac].is_none()) {
            return Err(Unsupported::Tables.into());
        }
        at = data.end;
        let Some((next, data)) = next(jpeg, at, &mut tables)? else { break };
        (scan, at) = (next, data);
    }
    if given.iter().flatten().any(|bit| *bit != Some(0)) {
        return Err(Unsupported::Scans.into());
    }
    Ok(means.planes(&jpeg.frame))
}

/// The next scan, and where its data begins; none at the end.
fn next(
    jpeg: &Jpeg<'_>,
    mut at: usize,
    tables: &mut Tables,
) -> Result<Option<(Scan, usize)>, Failure> {
    loop {
        let rest = jpeg.bytes.get(at..).unwrap_or_default();
        let fill = rest.iter().take_while(|byte| **byte == 0xFF).count();
        match rest.get(fill) {
            Some(&EOI) if fill > 0 => return Ok(None),
            Some(_) => {}
            None => return Err(Damage::Cut.into()),
        }
        let (marker, content, end) = segment(jpeg.bytes, at)?;
        match marker {
            SOS => return Ok(Some((Scan::read(content, &jpeg.frame)?, end))),
            0xC0..=0xC2 => return Err(Unsupported::Structure.into()),
            _ => tables.take(marker, content)?,
        }
        at = end;
    }
}

/// Notes which bits of which coefficients a scan gives, each the lowest one, by component.
fn progress(scan: &Scan, given: &mut [[Option<u8>; 64]]) -> Result<(), Unsupported> {
    let Scan { ref parts, first, last, high, low } = *scan;
    let means = (first, last) == (0, 0);
    let others = first > 0 && first <= last && last < 64 && parts.len() == 1;
    if !(means || others) || low > 13 || (high > 0 && high != low + 1) {
        return Err(Unsupported::Scans);
    }
    for (index, ..) in parts {
        let given = &mut given[*index];
        if !means && given[0].is_none() {
            return Err(Unsupported::Scans);
        }
        for bit in &mut given[usize::from(first)..=usize::from(last)] {
            if *bit != (high > 0).then_some(high) {
                return Err(Unsupported::Scans);
            }
            *bit = Some(low);
        }
    }
    Ok(())
}

/// How the differences of each component of a scan are coded.
fn differences(scan: &Scan, tables: &Tables) -> Result<Vec<Differences>, Unsupported> {
    let codes = |(_, dc, _): &(usize, usize, usize)| tables.dc[*dc].as_ref().map(Differences::new);
    scan.parts.iter().map(codes).collect::<Option<_>>().ok_or(Unsupported::Tables)
}

/// The units of a scan, and the blocks of one: place in the scan, component, and where in the unit.
struct Area {
    across: usize,
    units: usize,
    blocks: Vec<(usize, usize, usize, usize)>,
    /// Of each component of the picture how many blocks of a unit are in a row, and in a column.
    wide: Vec<(usize, usize)>,
}

impl Area {
    fn new(jpeg: &Jpeg<'_>, scan: &Scan) -> Self {
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
    fn every(&self, tables: &Tables) -> usize {
        if tables.restart == 0 { self.units } else { tables.restart as usize }
    }

    /// Where the interval ends that begins here.
    fn to(&self, from: usize, tables: &Tables) -> usize {
        self.units.min(from + self.every(tables))
    }

    fn of(&self) -> u64 {
        (self.units * self.blocks.len()) as u64
    }

    /// Whether there are as many restarts as should be.
    fn check(&self, data: &Data, restart: u32) -> Result<(), Failure> {
        let every = if restart == 0 { self.units } else { restart as usize };
        let count = data.intervals.len();
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

struct Reader<'a> {
    area: Area,
    scan: &'a Scan,
    windows: &'a mut [u8],
}

impl Reader<'_> {
    /// Reads the first bits of means.
    fn first(
        &mut self,
        mut feed: Feed<'_>,
        units: std::ops::Range<usize>,
        codes: &[Differences],
        means: &mut Means,
        control: &Control<'_>,
    ) -> Result<(), Failure> {
        let (mut last, mut bit, low) = ([0_i16; 3], feed.first(), self.scan.low);
        let across = self.area.across;
        let (mut row, mut column) = (units.start / across, units.start % across);
        for unit in units {
            bit = self.ready(&mut feed, bit, control)?;
            for &(place, index, x, y) in &self.area.blocks {
                let Some((value, length)) = codes[place].first(eight(self.windows, bit)) else {
                    return Err(self.damage(unit, &feed, bit, Damage::Code { blocks: 0, of: 0 }));
                };
                bit += length;
                last[index] = last[index].wrapping_add(value);
                let (wide, tall) = self.area.wide[index];
                let (to, stride) = means.of(index);
                to[(row * tall + y) * stride + column * wide + x] = last[index] << low;
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

    /// Reads one more bit of each.
    fn more(
        &mut self,
        mut feed: Feed<'_>,
        units: std::ops::Range<usize>,
        means: &mut Means,
        control: &Control<'_>,
    ) -> Result<(), Failure> {
        let (mut bit, low) = (feed.first(), self.scan.low);
        let across = self.area.across;
        let (mut row, mut column) = (units.start / across, units.start % across);
        for unit in units {
            bit = self.ready(&mut feed, bit, control)?;
            let mut bits = eight(self.windows, bit);
            for &(_, index, x, y) in &self.area.blocks {
                let (wide, tall) = self.area.wide[index];
                let (to, stride) = means.of(index);
                to[(row * tall + y) * stride + column * wide + x] |=
                    i16::from(bits >> 63 == 1) << low;
                bits <<= 1;
                bit += 1;
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

    /// Sees to it that the next unit is in the window.
    fn ready(
        &mut self,
        feed: &mut Feed<'_>,
        bit: u32,
        control: &Control<'_>,
    ) -> Result<u32, Failure> {
        if feed.is_at_stop() || feed.last() - bit >= UNIT {
            return Ok(bit);
        }
        control.check()?;
        Ok(bit - feed.fill(self.windows, bit))
    }

    fn damage(&self, unit: usize, feed: &Feed<'_>, bit: u32, found: Damage) -> Failure {
        let (blocks, of) = ((unit * self.area.blocks.len()) as u64, self.area.of());
        match found {
            Damage::Code { .. } if bit <= feed.last() => Damage::Code { blocks, of }.into(),
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
