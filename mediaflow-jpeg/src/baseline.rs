use crate::Control;
use crate::blind::{self, Sink, ended};
use crate::failure::{Damage, Failure, Unsupported};
use crate::feed::{Data, Feed, LANES};
use crate::header::{EOI, Jpeg};
use crate::lanes::{Lane, Machine, Part, Piece};
use crate::planes::{Means, Planes};

/// Above so many bytes of data, tables that hold more are worth the time that it takes to make them.
const LARGE: usize = 100_000;

/// Decodes a picture whose coefficients are all in one scan.
pub(crate) fn decode(jpeg: &Jpeg<'_>, control: &Control<'_>) -> Result<Planes, Failure> {
    let data = Data::find(jpeg.bytes, jpeg.data)?;
    let mut means = Means::new(&jpeg.frame, control.coarse);
    for index in 0..jpeg.components() {
        means.step(index, &jpeg.frame, &jpeg.tables)?;
    }
    let mut machine = machine(jpeg, &means, data.end - jpeg.data)?;
    let (across, down) = jpeg.frame.units();
    let units = across as usize * down as usize;
    let unit = machine.unit();
    let every = jpeg.tables.restart as usize;
    let mut sink = |first: usize, found: Piece<'_>, lack: [i16; 3]| {
        means.place(&jpeg.frame, first / unit, found, lack);
    };
    let mut more = data.intervals.len();
    if every == 0 {
        let whole = data.intervals[0].clone();
        blind::read(&mut machine, &jpeg.bytes[whole], units * unit, control, &mut sink)?;
        more -= 1;
    } else {
        let count = units.div_ceil(every);
        if !data.in_order {
            return Err(Damage::Restarts.into());
        }
        intervals(&mut machine, jpeg.bytes, &data, (every, units), control, &mut sink)?;
        more = more.saturating_sub(count);
    }
    if more > 0 || data.marker != EOI {
        return Err(Unsupported::Stray.into());
    }
    Ok(means.planes(&jpeg.frame))
}

fn machine(jpeg: &Jpeg<'_>, means: &Means, len: usize) -> Result<Machine, Unsupported> {
    let mut pairs = Vec::new();
    let mut parts = Vec::new();
    for &(index, dc, ac) in &jpeg.scan.parts {
        let pair = pairs.iter().position(|known| *known == (dc, ac)).unwrap_or_else(|| {
            pairs.push((dc, ac));
            pairs.len() - 1
        });
        let part = jpeg.frame.components[index];
        let block = Part { component: index, pair, corner: means.has_corners(index) };
        parts.extend((0..part.across * part.down).map(|_| block));
    }
    let codes = |(dc, ac): &(usize, usize)| {
        Some((jpeg.tables.dc[*dc].as_ref()?, jpeg.tables.ac[*ac].as_ref()?))
    };
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
    let mut waiting = (0..units.div_ceil(every)).zip(&data.intervals);
    let mut lanes: [Option<(usize, Lane<'_>)>; LANES] = [const { None }; LANES];
    loop {
        for (number, place) in lanes.iter_mut().enumerate().filter(|(_, place)| place.is_none()) {
            let Some((index, part)) = waiting.next() else { break };
            let first = index * every;
            let feed = Feed::new(&bytes[..part.end], part.clone(), number);
            let blocks = unit * every.min(units - first);
            let lane = machine.lane(feed, number, (blocks, blocks));
            *place = Some((first * unit, lane));
        }
        let mut going: Vec<_> = lanes.iter_mut().flatten().map(|(_, lane)| lane).collect();
        if going.is_empty() {
            break;
        }
        control.check()?;
        machine.round(&mut going);
        for place in &mut lanes {
            if let Some((first, lane)) = place
                && lane.steps() == 0
            {
                ended(lane, (*first, 0, of))?;
                sink(*first, machine.piece(&lane.found, 0, lane.found.means.len()), [0; 3]);
                *place = None;
            }
        }
    }
    let there = data.intervals.len() * every;
    if there < units {
        return Err(Damage::Ended { blocks: (there * unit) as u64, of: of as u64 }.into());
    }
    Ok(())
}
