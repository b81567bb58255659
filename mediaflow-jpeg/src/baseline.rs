use crate::Control;
use crate::area::Area;
use crate::blind::{self, Sink, ended};
use crate::failure::{Damage, Failure, Unsupported};
use crate::feed::{Data, Feed, LANES};
use crate::header::{EOI, Jpeg, Scan, Tables};
use crate::lanes::{Machine, Part, Piece};
use crate::planes::{Means, Planes, Size};

/// Above so many bytes of data, tables that hold more are worth the time that it takes to make them.
const LARGE: usize = 100_000;

/// So many short rounds are made between two looks at whether to stop.
const ROUNDS: u32 = 16;

/// Decodes a picture that is not progressive: each of its components is in one scan, all of them or some in the same.
pub(crate) fn decode(
    jpeg: &Jpeg<'_>,
    size: Size,
    control: &Control<'_>,
) -> Result<Planes, Failure> {
    let mut means = Means::new(&jpeg.frame, size);
    let mut given = vec![false; jpeg.components()];
    let (mut tables, mut scan, mut at) = (jpeg.tables.clone(), jpeg.scan.clone(), jpeg.data);
    loop {
        scan.whole(&mut given)?;
        if tables.restart != jpeg.tables.restart {
            return Err(Unsupported::Scans.into());
        }
        for (index, ..) in &scan.parts {
            means.step(*index, &jpeg.frame, &tables)?;
        }
        let data = read(jpeg, (&scan, &tables), at, &mut means, control)?;
        if given.iter().all(|given| *given) {
            return match data.marker {
                EOI => Ok(means.planes(&jpeg.frame)),
                _ => Err(Unsupported::Stray.into()),
            };
        }
        let Some(next) = jpeg.next(data.end, &mut tables)? else {
            return Err(Unsupported::Scans.into());
        };
        (scan, at) = next;
    }
}

/// Reads a scan whose data begins here. Gives what was found of that.
fn read(
    jpeg: &Jpeg<'_>,
    (scan, tables): (&Scan, &Tables),
    at: usize,
    means: &mut Means,
    control: &Control<'_>,
) -> Result<Data, Failure> {
    let area = Area::new(&jpeg.frame, &scan.indices());
    let (units, every) = (area.units, area.every(tables));
    let count = units.div_ceil(every);
    let data = Data::find(jpeg.bytes, at, count)?;
    let mut machine =
        machine(&area, (scan, tables), |index| means.has_corners(index), data.end - at)?;
    let unit = machine.unit();
    let mut sink = |first: usize, found: Piece<'_>, lack: [i16; 3]| {
        means.place(&area, first / unit, found, lack);
    };
    if let (0, [whole, ..]) = (tables.restart, &*data.intervals) {
        let whole = &jpeg.bytes[whole.clone()];
        blind::read(&mut machine, whole, units * unit, control, &mut sink)?;
    } else if data.in_order {
        intervals(&mut machine, jpeg.bytes, &data, (every, units), control, &mut sink)?;
    } else {
        return Err(Damage::Restarts.into());
    }
    if data.count > count {
        return Err(Unsupported::Stray.into());
    }
    Ok(data)
}

/// What reads the units of a scan with so many bytes of data, and of these components the corners.
pub(crate) fn machine(
    area: &Area,
    (scan, tables): (&Scan, &Tables),
    corners: impl Fn(usize) -> bool,
    len: usize,
) -> Result<Machine, Unsupported> {
    let mut pairs = Vec::new();
    let mut parts = Vec::new();
    for (&(index, dc, ac), (_, wide, tall)) in scan.parts.iter().zip(&area.parts) {
        let pair = pairs.iter().position(|known| *known == (dc, ac)).unwrap_or_else(|| {
            pairs.push((dc, ac));
            pairs.len() - 1
        });
        let block = Part { component: index, pair, corner: corners(index) };
        parts.extend((0..wide * tall).map(|_| block));
    }
    let codes =
        |(dc, ac): &(usize, usize)| Some((tables.dc[*dc].as_ref()?, tables.ac[*ac].as_ref()?));
    let pairs = pairs.iter().map(codes).collect::<Option<Vec<_>>>().ok_or(Unsupported::Tables)?;
    Ok(Machine::new(&pairs, parts, len > LARGE))
}

/// Reads the data between restarts, four parts at a time.
fn intervals(
    machine: &mut Machine,
    bytes: &[u8],
    data: &Data,
    (every, units): (usize, usize),
    control: &Control<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), Failure> {
    let unit = machine.unit();
    let of = units * unit;
    let mut waiting = (0..units).step_by(every).zip(&data.intervals).map(|(first, part)| {
        let feed = |number| Feed::new(&bytes[..part.end], part.clone(), number);
        (first * unit, feed, unit * every.min(units - first))
    });
    // Where each lane begins, and the lane.
    let (mut begins, mut lanes) = (Vec::new(), Vec::new());
    for (number, (first, feed, blocks)) in waiting.by_ref().take(LANES).enumerate() {
        begins.push(first);
        lanes.push(machine.lane(feed(number), number, (blocks, blocks)));
    }
    let mut rounds = 0_u32;
    while !lanes.is_empty() {
        if rounds.is_multiple_of(ROUNDS) {
            control.check()?;
        }
        rounds = rounds.wrapping_add(1);
        machine.round(&mut lanes);
        for index in (0..lanes.len()).rev() {
            if lanes[index].steps() > 0 {
                continue;
            }
            let (begin, lane) = (&mut begins[index], &mut lanes[index]);
            ended(lane, (*begin, 0, of))?;
            sink(*begin, machine.piece(&lane.found, 0, lane.found.means.len()), [0; 3]);
            if let Some((first, feed, blocks)) = waiting.next() {
                *begin = first;
                machine.reuse(lane, feed(lane.number), blocks);
            } else {
                begins.swap_remove(index);
                lanes.swap_remove(index);
            }
        }
    }
    let there = data.intervals.len() * every;
    if there < units {
        return Err(Damage::Ended { blocks: (there * unit) as u64, of: of as u64 }.into());
    }
    Ok(())
}
