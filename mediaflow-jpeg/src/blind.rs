//! One stream of codes read at four places at the same time. Nobody knows where a block begins in the middle of it, or which; but
//! whoever begins anywhere falls into step by himself, as codes are. So three of the places are guessed, and what is read from
//! there counts from where the one before comes to the same bit, at the beginning of a unit, that this one has come by: from there
//! on both would read the same.

use crate::Control;
use crate::failure::{Damage, Failure, Unsupported};
use crate::feed::{Feed, LANES};
use crate::lanes::{Lane, Machine, Piece};

/// Data that is shorter is read as one stream, and such of which a place does not fit into 32 bits.
const SHORTEST: usize = 1 << 16;
const LONGEST: usize = 1 << 28;

/// Takes what was read: the block of the scan with which it begins, and what is to be added to the means of each component.
pub(crate) type Sink<'a> = dyn FnMut(usize, Piece<'_>, [i16; 3]) + 'a;

/// Reads data without restarts, of so many blocks.
pub(crate) fn read(
    machine: &mut Machine,
    data: &[u8],
    blocks: usize,
    control: &Control<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), Failure> {
    let Known { mut lane, first, from, lack } =
        read_to(data.len(), machine, (data, blocks), control, sink)?;
    finish(machine, &mut lane, control, (first, from, blocks))?;
    sink(first, machine.piece(&lane.found, from, lane.found.means.len()), lack);
    Ok(())
}

/// A lane that is known to be right.
pub(crate) struct Known<'a> {
    pub(crate) lane: Lane<'a>,
    /// The block of the scan that its first known one is.
    pub(crate) first: usize,
    /// So many of its own come before that one.
    pub(crate) from: usize,
    /// What its means lack.
    pub(crate) lack: [i16; 3],
}

/// Reads data without restarts, of so many blocks, as far as about this byte. Gives the lane that has come furthest; what that one has
/// read is not in the sink yet.
pub(crate) fn read_to<'a>(
    end: usize,
    machine: &mut Machine,
    (data, blocks): (&'a [u8], usize),
    control: &Control<'_>,
    sink: &mut Sink<'_>,
) -> Result<Known<'a>, Failure> {
    let mut lanes = begun(machine, (data, end), blocks);
    loop {
        control.check()?;
        let mut going: Vec<_> = lanes.iter_mut().filter(|lane| lane.steps() > 0).collect();
        if !machine.round(&mut going) {
            break;
        }
        for lane in lanes.iter_mut().skip(1).filter(|lane| lane.failed) {
            lane.begin_anew(machine);
        }
    }
    let guessed = lanes.split_off(1);
    let mut known = Known { lane: lanes.remove(0), first: 0, from: 0, lack: [0; 3] };
    for mut next in guessed {
        let Known { lane, first, from, lack } = &mut known;
        let Some(Met { mine, theirs }) = meet(machine, lane, &next, control)? else { break };
        let at = *first + mine - *from;
        next.most = (blocks - at) + theirs;
        if next.found.means.len() > next.most {
            break;
        }
        sink(*first, machine.piece(&lane.found, *from, mine), *lack);
        let right = before(machine, &lane.found.means, mine);
        let guessed = before(machine, &next.found.means, theirs);
        for (lack, (right, guessed)) in lack.iter_mut().zip(right.into_iter().zip(guessed)) {
            *lack = lack.wrapping_add(right).wrapping_sub(guessed);
        }
        known = Known { lane: next, first: at, from: theirs, lack: *lack };
    }
    machine.go_on(&mut known.lane);
    Ok(known)
}

/// Lanes at their beginnings, before this byte: the first one knows where it is. There is always that one.
fn begun<'a>(
    machine: &mut Machine,
    (data, end): (&'a [u8], usize),
    blocks: usize,
) -> Vec<Lane<'a>> {
    let count = if (SHORTEST..LONGEST).contains(&end) { LANES } else { 1 };
    let mut places: Vec<_> = (0..count).map(|lane| end / count * lane).collect();
    places.push(end);
    for place in places.iter_mut().take(count).skip(1) {
        // Not between a byte and the zero that belongs to it.
        *place += usize::from(data.get(*place - 1) == Some(&0xFF));
    }
    // Where there is more detail there are fewer blocks.
    let room = blocks / count + if count > 1 { blocks / 16 } else { 0 };
    let room = if end < data.len() { room / 2 } else { room };
    let lane = |(number, ends): (usize, &[usize])| {
        let feed = Feed::new(data, ends[0]..ends[1], number);
        let mut lane = machine.lane(feed, number, (blocks, room));
        lane.blind = number > 0;
        lane.found.trail = lane.blind.then(Vec::new);
        lane
    };
    places.windows(2).enumerate().map(lane).collect()
}

/// Where two lanes are at the same place: how many blocks each has before it.
struct Met {
    mine: usize,
    theirs: usize,
}

/// Lets a lane go on until it stands where the next one has come by.
fn meet(
    machine: &mut Machine,
    lane: &mut Lane<'_>,
    next: &Lane<'_>,
    control: &Control<'_>,
) -> Result<Option<Met>, Failure> {
    let unit = machine.unit();
    let units = lane.found.means.len().div_ceil(unit);
    let before = machine.go_on(lane);
    let (mut mine, mut theirs) = (0, 0);
    loop {
        let passed_by = next.found.trail.as_deref().unwrap_or_default();
        while let Some(here) = lane.found.trail.as_ref().and_then(|trail| trail.get(mine)) {
            let here = u64::from(*here);
            while passed_by.get(theirs).is_some_and(|there| before + u64::from(*there) < here) {
                theirs += 1;
            }
            match passed_by.get(theirs) {
                Some(there) if before + u64::from(*there) == here => {
                    let (mine, theirs) = ((units + mine) * unit, theirs * unit);
                    return Ok(Some(Met { mine, theirs }));
                }
                Some(_) => mine += 1,
                None => return Ok(None),
            }
        }
        control.check()?;
        if mine == crate::lanes::TRAIL || !machine.round(&mut [&mut *lane]) {
            return Ok(None);
        }
    }
}

/// The last mean of each component before this block, which begins a unit.
fn before(machine: &Machine, means: &[i16], block: usize) -> [i16; 3] {
    let mut last = [0; 3];
    let unit = means.get(block.saturating_sub(machine.unit())..block).unwrap_or_default();
    for (mean, part) in unit.iter().zip(&machine.parts) {
        last[part.component] = *mean;
    }
    last
}

/// Lets a lane read the rest of its blocks, and looks whether they are all there, and nothing else. Of its blocks those from the
/// second number on are those from the first one on in the scan, which has as many as the third says.
pub(crate) fn finish(
    machine: &mut Machine,
    lane: &mut Lane<'_>,
    control: &Control<'_>,
    (first, from, of): (usize, usize, usize),
) -> Result<(), Failure> {
    while machine.round(&mut [&mut *lane]) {
        control.check()?;
    }
    ended(lane, (first, from, of))
}

/// Whether a lane has read its blocks, and nothing else is there.
pub(crate) fn ended(
    lane: &Lane<'_>,
    (first, from, of): (usize, usize, usize),
) -> Result<(), Failure> {
    let blocks = (first + lane.found.means.len()).saturating_sub(from) as u64;
    let of = of as u64;
    // A code that the end has cut is none either.
    if lane.failed && lane.bytes_left() > 3 {
        return Err(Damage::Code { blocks, of }.into());
    }
    if !lane.is_done() || lane.is_behind() {
        return Err(Damage::Ended { blocks, of }.into());
    }
    if !lane.is_at_end() || lane.bytes_left() > 0 {
        return Err(Unsupported::Stray.into());
    }
    Ok(())
}
