use crate::Control;
use crate::blind::{self, Sink, ended};
use crate::failure::{Damage, Failure, Unsupported};
use crate::feed::{Data, Feed, LANES};
use crate::header::{EOI, Jpeg, Scan, Tables};
use crate::lanes::{Machine, Part, Piece};
use crate::planes::{Means, Planes};

/// Above so many bytes of data, tables that hold more are worth the time that it takes to make them.
const LARGE: usize = 100_000;

/// So many short rounds are made between two looks at whether to stop.
const ROUNDS: u32 = 16;

/// Decodes a picture whose coefficients are all in one scan.
pub(crate) fn decode(jpeg: &Jpeg<'_>, control: &Control<'_>) -> Result<Planes, Failure> {
    let (across, down) = jpeg.frame.units();
    let units = across as usize * down as usize;
    let every = if jpeg.tables.restart == 0 { units } else { jpeg.tables.restart as usize };
    let count = units.div_ceil(every);
    let data = Data::find(jpeg.bytes, jpeg.data, count)?;
    let mut means = Means::new(&jpeg.frame, control.coarse);
    for index in 0..jpeg.components() {
        means.step(index, &jpeg.frame, &jpeg.tables)?;
    }
    let corners = |index| means.has_corners(index);
    let mut machine = machine(jpeg, &jpeg.scan, &jpeg.tables, corners, data.end - jpeg.data)?;
    let unit = machine.unit();
    let mut sink = |first: usize, found: Piece<'_>, lack: [i16; 3]| {
        means.place(&jpeg.frame, first / unit, found, lack);
    };
    if let (0, [whole, ..]) = (jpeg.tables.restart, &*data.intervals) {
        let whole = &jpeg.bytes[whole.clone()];
        blind::read(&mut machine, whole, units * unit, control, &mut sink)?;
    } else if data.in_order {
        intervals(&mut machine, jpeg.bytes, &data, (every, units), control, &mut sink)?;
    } else {
        return Err(Damage::Restarts.into());
    }
    if data.count > count || data.marker != EOI {
        return Err(Unsupported::Stray.into());
    }
    Ok(means.planes(&jpeg.frame))
}

/// What reads the units of a scan with so many bytes of data, and of these components the corners.
pub(crate) fn machine(
    jpeg: &Jpeg<'_>,
    scan: &Scan,
    tables: &Tables,
    corners: impl Fn(usize) -> bool,
    len: usize,
) -> Result<Machine, Unsupported> {
    let mut pairs = Vec::new();
    let mut parts = Vec::new();
    for &(index, dc, ac) in &scan.parts {
        let pair = pairs.iter().position(|known| *known == (dc, ac)).unwrap_or_else(|| {
            pairs.push((dc, ac));
            pairs.len() - 1
        });
        let part = jpeg.frame.components[index];
        let block = Part { component: index, pair, corner: corners(index) };
        parts.extend((0..part.across * part.down).map(|_| block));
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
