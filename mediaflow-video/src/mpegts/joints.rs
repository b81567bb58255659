//! Where one recording follows another whose clock is a different one. A demuxer that comes upon another clock guesses by the
//! bytes that it has read how much time has passed; so it is shown a clock that goes on.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use super::clock::{ON, PER_SECOND, round, since};
use super::packet::{Asked, Grid, PACKET, Packet};
use super::sound::sound_ticks;

/// Of a file that is no longer all is read. Of others it is looked at so many places whether time goes on as bytes do.
const WHOLE: u64 = 32 << 20;
const LOOKS: u64 = 64;

/// Where more time passes than that, in ticks, it is looked closer, down to so many bytes, but so many times at most.
const ODD: f64 = 5.0 * PER_SECOND;
const CLOSE: u64 = 4 << 20;
const MOST: usize = 2000;

/// Bytes around such a place in which all streams change their clock.
const AROUND: u64 = 1 << 20;

/// So far the time by which groups are coded goes back by mistake, in ticks.
const BACK: i64 = -22_500;

/// So far the streams of one recording may be apart, in ticks.
const APART: i64 = 2 * 90_000;

/// From one time of the clock to the next: what a demuxer takes as one, and what it is shown where it would not.
const TICKS: i64 = 40_500;
const NEXT: i64 = 1800;

/// From where on which times are to be others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Joints {
    stamps: Vec<Move>,
    clocks: Vec<Move>,
}

/// From this packet of the file on, times of a stream are so much later, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Move {
    pid: u16,
    at: u64,
    by: i64,
}

impl Joints {
    pub(super) fn is_none(&self) -> bool {
        self.stamps.is_empty() && self.clocks.is_empty()
    }

    /// How much later the times of a stream are at a place of the file.
    pub(super) fn by(&self, pid: u16, at: u64) -> i64 {
        by(&self.stamps, pid, at)
    }

    /// A packet as a demuxer is to be shown it, if that is another one.
    pub(super) fn amended(&self, at: u64, packet: &[u8]) -> Option<Vec<u8>> {
        let read = Packet::read(packet)?;
        let (stamps, clock) = (self.by(read.pid, at), by(&self.clocks, read.pid, at));
        let mut amended = packet.to_vec();
        read.stamps().filter(|_| stamps != 0).for_each(|place| place.later(&mut amended, stamps));
        read.clock().filter(|_| clock != 0).iter().for_each(|place| {
            place.later(&mut amended, clock);
        });
        (amended != packet).then_some(amended)
    }
}

fn by(moves: &[Move], pid: u16, at: u64) -> i64 {
    moves.iter().rev().find(|m| m.pid == pid && m.at <= at).map_or(0, |m| m.by)
}

/// Looks for them.
pub(super) fn find(
    grid: Grid,
    streams: &[Asked],
    reader: &mut (impl Read + Seek + ?Sized),
) -> std::io::Result<Joints> {
    let size = reader.seek(SeekFrom::End(0))?;
    let parts = match streams.first() {
        None => Vec::new(),
        Some(_) if size <= WHOLE => std::iter::once(0..size).collect(),
        Some(first) => odd(grid, first.pid, reader, size)?,
    };
    let mut walked = Walked::new(streams);
    for part in parts {
        walked.forget();
        let from = grid.before(part.start) + grid.first;
        grid.walk(reader, from, part.end, || true, |at, packet| walked.take(at, packet))?;
    }
    Ok(walked.joints())
}

/// A place of a file, and what time it is there.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: u64,
    time: u64,
}

impl Mark {
    fn find(
        grid: Grid,
        pid: u16,
        reader: &mut (impl Read + Seek + ?Sized),
        within: Range<u64>,
    ) -> std::io::Result<Option<Self>> {
        let found = std::cell::Cell::new(None);
        let from = grid.before(within.start) + grid.first;
        let goes_on = || found.get().is_none();
        grid.walk(reader, from, within.end, goes_on, |at, packet| {
            let read = Packet::read(packet).filter(|read| read.pid == pid && found.get().is_none());
            if let Some(time) = read.and_then(|read| read.time()) {
                found.set(Some(Self { at, time }));
            }
        })?;
        Ok(found.get())
    }

    fn ticks(self, to: Self) -> f64 {
        since(self.time, to.time) as f64
    }

    fn bytes(self, to: Self) -> u64 {
        to.at.saturating_sub(self.at)
    }
}

/// The parts of a large file in which time does not go on as in most others.
fn odd(
    grid: Grid,
    pid: u16,
    reader: &mut (impl Read + Seek + ?Sized),
    size: u64,
) -> std::io::Result<Vec<Range<u64>>> {
    let mut marks: Vec<Mark> = Vec::new();
    for look in 0..LOOKS {
        let within = size / LOOKS * look..size / LOOKS * (look + 1);
        marks.extend(Mark::find(grid, pid, reader, within)?);
    }
    let pairs = || marks.windows(2).map(|pair| (pair[0], pair[1]));
    let mut rates: Vec<f64> =
        pairs().map(|(from, to)| from.ticks(to) / from.bytes(to).max(1) as f64).collect();
    rates.sort_unstable_by(f64::total_cmp);
    let Some(usual) = rates.get(rates.len() / 2).copied() else { return Ok(Vec::new()) };
    let mut open: Vec<(Mark, Mark)> = pairs().collect();
    let (mut parts, mut looks) = (Vec::new(), 0);
    while let Some((from, to)) = open.pop() {
        let more = from.ticks(to) - usual.max(0.0) * from.bytes(to) as f64;
        if from.ticks(to) >= -PER_SECOND && more < ODD {
            continue;
        }
        looks += 1;
        let middle = from.at.midpoint(to.at);
        let found = match from.bytes(to) > CLOSE && looks < MOST {
            true => Mark::find(grid, pid, reader, middle..to.at)?,
            false => None,
        };
        match found {
            Some(found) => open.extend([(from, found), (found, to)]),
            None => parts.push(from.at.saturating_sub(AROUND)..to.at.saturating_add(AROUND)),
        }
    }
    parts.sort_unstable_by_key(|part| part.start);
    let mut apart: Vec<Range<u64>> = Vec::new();
    for part in parts {
        match apart.last_mut().filter(|before| before.end >= part.start) {
            Some(before) => before.end = before.end.max(part.end),
            None => apart.push(part),
        }
    }
    Ok(apart)
}

/// What has been seen on the way through a file.
struct Walked {
    streams: Vec<Stream>,
    clocks: Vec<Clock>,
    found: Vec<Found>,
    moved: Vec<Move>,
}

/// A stream, since its clock is what it is.
struct Stream {
    asked: Asked,
    /// The time by which its groups are coded, and the latest at which one is shown.
    coded: Option<u64>,
    latest: u64,
    /// From one group to the next.
    step: i64,
    /// What is coded in the last group of sound.
    content: Vec<u8>,
    by: i64,
}

struct Clock {
    pid: u16,
    time: Option<u64>,
    step: Option<i64>,
    by: i64,
}

/// A place where streams change their clock, each from a packet on, and what that asks for.
struct Found {
    by: i64,
    from: Vec<(u16, u64)>,
}

impl Walked {
    fn new(streams: &[Asked]) -> Self {
        let stream = |asked: &Asked| Stream {
            asked: *asked,
            coded: None,
            latest: 0,
            step: 0,
            content: Vec::new(),
            by: 0,
        };
        let streams = streams.iter().map(stream).collect();
        Self { streams, clocks: Vec::new(), found: Vec::new(), moved: Vec::new() }
    }

    /// What comes next is another part of the file.
    fn forget(&mut self) {
        self.streams.iter_mut().for_each(|stream| stream.coded = None);
        self.clocks.iter_mut().for_each(|clock| (clock.time, clock.step) = (None, None));
    }

    fn take(&mut self, at: u64, packet: &[u8; PACKET]) {
        let Some(read) = Packet::read(packet) else { return };
        if let Some(time) = read.clock().map(|place| place.time()) {
            self.tick(at, read.pid, time);
        }
        let Some(index) = self.streams.iter().position(|s| s.asked.pid == read.pid) else { return };
        let stream = &mut self.streams[index];
        let mut stamps = read.stamps().map(|place| place.time());
        let Some(shown) = stamps.next() else {
            if stream.asked.sound.is_some() {
                stream.content.extend_from_slice(read.content());
            }
            return;
        };
        let coded = stamps.next().unwrap_or(shown);
        let step = stream.coded.replace(coded).map(|before| since(before, coded));
        match step {
            Some(step) if (BACK..=ON).contains(&step) => {
                stream.step = if step > 0 { step } else { stream.step };
                let later = since(stream.latest, shown).max(0);
                stream.latest = round(stream.latest, later);
            }
            Some(_) => {
                let by = since(0, round(0, stream.by + since(shown, stream.end())));
                stream.latest = shown;
                self.joined(index, at, by);
            }
            None => stream.latest = shown,
        }
        let stream = &mut self.streams[index];
        if stream.asked.sound.is_some() {
            stream.content = read.payload_of_pes().unwrap_or_default().to_vec();
        }
    }

    /// All streams of a recording are as much later as the one that needs it most.
    fn joined(&mut self, index: usize, at: u64, by: i64) {
        let pid = self.streams[index].asked.pid;
        let is_open = |found: &&mut Found| {
            (found.by - by).abs() <= APART && found.from.iter().all(|(known, _)| *known != pid)
        };
        match self.found.last_mut().filter(is_open) {
            Some(found) => {
                found.by = found.by.max(by);
                found.from.push((pid, at));
            }
            None => self.found.push(Found { by, from: vec![(pid, at)] }),
        }
        let Some(Found { by, from }) = self.found.last() else { return };
        for stream in &mut self.streams {
            if from.iter().any(|(pid, _)| *pid == stream.asked.pid) {
                stream.by = *by;
            }
        }
    }

    fn tick(&mut self, at: u64, pid: u16, time: u64) {
        let known = self.clocks.iter().position(|clock| clock.pid == pid);
        let index = known.unwrap_or_else(|| {
            self.clocks.push(Clock { pid, time: None, step: None, by: 0 });
            self.clocks.len() - 1
        });
        let clock = &mut self.clocks[index];
        let Some(before) = clock.time.replace(time) else { return };
        let step = since(before, time);
        let most = clock.step.map_or(ON, |step| TICKS.max(3 * step));
        if (0..=most).contains(&step) {
            clock.step = Some(step);
            return;
        }
        clock.by += NEXT - step;
        self.moved.push(Move { pid, at, by: clock.by });
    }

    fn joints(self) -> Joints {
        let moves = |found: Found| {
            found.from.into_iter().map(move |(pid, at)| Move { pid, at, by: found.by })
        };
        Joints { stamps: self.found.into_iter().flat_map(moves).collect(), clocks: self.moved }
    }
}

impl Stream {
    /// When the last group ends.
    fn end(&self) -> u64 {
        let sound = self.asked.sound.and_then(|kind| sound_ticks(kind, &self.content));
        round(self.latest, sound.unwrap_or(self.step))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::mpegts::packet::packet;

    const GRID: Grid = Grid { first: 0, step: PACKET as u64 };
    const PICTURE: Asked = Asked { pid: 0x100, sound: None };

    fn stream(seconds: impl IntoIterator<Item = u64>) -> Vec<u8> {
        let one = |second: u64| packet(PICTURE.pid, 0, Some(second * 90_000));
        seconds.into_iter().flat_map(one).collect()
    }

    fn found(bytes: &[u8]) -> Vec<(u64, i64)> {
        let joints = find(GRID, &[PICTURE], &mut Cursor::new(bytes)).unwrap();
        joints.stamps.iter().map(|m| (m.at / PACKET as u64, m.by / 90_000)).collect()
    }

    #[test]
    fn a_clock_that_jumps_is_shown_as_one_that_goes_on() {
        assert_eq!(found(&stream([0, 1, 2, 3])), []);
        assert_eq!(found(&stream([95_442, 95_443, 0, 1])), [], "it goes round");
        assert_eq!(found(&stream([0, 1, 9, 10])), [], "so much may not have been sent");
        assert_eq!(found(&stream([0, 1, 100, 101])), [(2, -98)]);
        assert_eq!(found(&stream([50, 51, 0, 1, 100])), [(2, 52), (4, -46)]);
        let bytes = stream([0, 1, 100, 101]);
        let joints = find(GRID, &[PICTURE], &mut Cursor::new(&bytes)).unwrap();
        let shown = bytes.chunks(PACKET).zip(0..).map(|(packet, at)| {
            let amended = joints.amended(at * PACKET as u64, packet);
            Packet::read(amended.as_deref().unwrap_or(packet)).unwrap().time().unwrap() / 90_000
        });
        assert_eq!(shown.collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    /// Of a large file only a little is read.
    #[test]
    fn a_jump_is_found_in_a_large_file() {
        let filling = packet(0x1fff, 0, None).repeat(400);
        let large = |seconds: &mut dyn Iterator<Item = u64>| {
            let with =
                |second| [&packet(PICTURE.pid, 0, Some(second * 90_000))[..], &filling].concat();
            seconds.flat_map(with).collect::<Vec<u8>>()
        };
        assert_eq!(found(&large(&mut (0..600))), []);
        let joined = large(&mut (0..250).chain(1000..1200).chain(3..200));
        let places = found(&joined).into_iter().map(|(at, by)| (at / 401, by));
        assert_eq!(places.collect::<Vec<_>>(), [(250, -750), (450, 447)]);
    }
}
