//! Packets that are not there: those of a stream count to 16, again and again (ISO/IEC 13818-1, 2.4.3.3). A demuxer drops the
//! frame that misses one, without a word.

use std::io::{Read, Seek};
use std::ops::RangeInclusive;

use super::clock::{ON, PER_SECOND, since};
use super::packet::{Asked, Grid, PACKET, Packet};

/// How far one group may be from the next, in ticks: back from a picture to one that is shown before it, and on.
const STEPS: RangeInclusive<i64> = -2 * 90_000..=ON;

/// Where packets of a stream are missing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gap {
    pub(crate) is_sound: bool,
    /// At least so many.
    pub(crate) packets: u64,
    /// Seconds from the first picture or sound.
    pub(crate) from: f64,
    /// Until when it is seen: pictures that are made of others suffer up to the next that is not.
    pub(crate) until: f64,
}

/// A stream that is looked at.
#[derive(Clone, Debug)]
struct Watched {
    pid: u16,
    is_sound: bool,
    /// The packet before.
    last: Option<[u8; PACKET]>,
    /// The time of its latest group, in ticks from the begin.
    time: i64,
    stamp: Option<u64>,
    /// Bytes of its group that are still to come, where it says how long it is.
    rest: Option<usize>,
    /// The tables stood between the packet before and this one.
    is_fresh: bool,
    has_keys: bool,
    gaps: Vec<Gap>,
}

/// Reads all of a file, as long as `goes_on`.
pub(super) fn read(
    grid: Grid,
    streams: &[Asked],
    reader: &mut (impl Read + Seek + ?Sized),
    goes_on: impl FnMut() -> bool,
) -> std::io::Result<Vec<Gap>> {
    let mut streams: Vec<Watched> =
        streams.iter().map(|asked| Watched::new(asked.pid, asked.sound.is_some())).collect();
    let mut anchor = None;
    grid.walk(reader, grid.first, u64::MAX, goes_on, |_, packet| {
        take(packet, &mut streams, &mut anchor);
    })?;
    Ok(streams.into_iter().flat_map(Watched::ended).collect())
}

fn take(packet: &[u8; PACKET], streams: &mut [Watched], anchor: &mut Option<u64>) {
    const TABLES: u16 = 0;
    let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
    // Who has sent it knows that it is damaged.
    if packet[1] & 0x80 != 0 {
        return;
    }
    if pid == TABLES {
        streams.iter_mut().for_each(|stream| stream.is_fresh = true);
    } else if let Some(stream) = streams.iter_mut().find(|stream| stream.pid == pid) {
        stream.take(packet, anchor);
    }
}

impl Watched {
    fn new(pid: u16, is_sound: bool) -> Self {
        Self {
            pid,
            is_sound,
            last: None,
            time: 0,
            stamp: None,
            rest: None,
            is_fresh: false,
            has_keys: false,
            gaps: Vec::new(),
        }
    }

    fn take(&mut self, packet: &[u8; PACKET], anchor: &mut Option<u64>) {
        let flags = if packet[3] & 0x20 != 0 && packet[4] > 0 { packet[5] } else { 0 };
        // It says itself that it does not follow.
        if flags & 0x80 != 0 {
            self.last = None;
        }
        if packet[3] & 0x10 == 0 {
            return;
        }
        let begins = packet[1] & 0x40 != 0;
        if self.last.as_ref().is_some_and(|last| is_twice(last, packet)) {
            return;
        }
        let missing = |last: &[u8; PACKET]| packet[3].wrapping_sub(last[3]).wrapping_sub(1) & 15;
        let missing = self.last.as_ref().map_or(0, missing);
        // Where two recordings are joined, both are whole, and the second begins with its tables.
        let is_join = begins && self.is_fresh && self.rest.is_none_or(|rest| rest == 0);
        if missing > 0 && !is_join {
            let from = self.seconds();
            let until = if self.is_sound { from } else { f64::INFINITY };
            self.gaps.push(Gap { is_sound: self.is_sound, packets: missing.into(), from, until });
        }
        self.last = Some(*packet);
        self.is_fresh = false;
        if let Some(read) = Packet::read(packet) {
            self.follow(&read, flags & 0x40 != 0, anchor);
        }
    }

    /// Keeps count of time, and of what a group still lacks.
    fn follow(&mut self, packet: &Packet<'_>, is_key: bool, anchor: &mut Option<u64>) {
        if let Some(stamp) = packet.time() {
            let before = self.stamp.or(*anchor).unwrap_or(stamp);
            // A clock that begins again, or leaves out what nobody recorded, is no time that passes.
            let step = Some(since(before, stamp)).filter(|step| STEPS.contains(step));
            anchor.get_or_insert(stamp);
            (self.time, self.stamp) = (self.time + step.unwrap_or(0), Some(stamp));
        }
        if is_key && packet.begins {
            self.has_keys = true;
            let now = self.seconds();
            self.gaps.iter_mut().for_each(|gap| gap.until = gap.until.min(now));
        }
        let size = packet.content().len();
        self.rest = match packet.length_of_pes() {
            Some(0) => None,
            Some(length) => Some((length + 6).saturating_sub(size)),
            None => self.rest.map(|rest| rest.saturating_sub(size)),
        };
    }

    fn seconds(&self) -> f64 {
        self.time as f64 / PER_SECOND
    }

    /// Of a stream that does not tell which pictures stand alone nobody knows how long damage is seen.
    fn ended(self) -> Vec<Gap> {
        let until = |gap: Gap| if self.has_keys { gap.until } else { gap.from };
        self.gaps.iter().map(|gap| Gap { until: until(*gap), ..*gap }).collect()
    }
}

/// A packet may be sent a second time, with another clock in it.
fn is_twice(last: &[u8; PACKET], packet: &[u8; PACKET]) -> bool {
    const CLOCK: usize = 12;
    last[..4] == packet[..4] && last[CLOCK..] == packet[CLOCK..]
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::mpegts::packet::packet;

    const PICTURE: Asked = Asked { pid: 0x100, sound: None };

    /// Ten groups of three packets, one a second, behind a table.
    fn stream() -> Vec<[u8; PACKET]> {
        let group = |n: u8| {
            let begin = move |part: u8| (part == 0).then_some(u64::from(n) * 90_000);
            (0..3).map(move |part| packet(PICTURE.pid, n * 3 + part, begin(part)))
        };
        std::iter::once(packet(0, 0, None)).chain((0..10).flat_map(group)).collect()
    }

    fn gaps(packets: &[[u8; PACKET]]) -> Vec<Gap> {
        let grid = Grid { first: 0, step: PACKET as u64 };
        read(grid, &[PICTURE], &mut Cursor::new(packets.concat()), || true).unwrap()
    }

    #[test]
    fn a_packet_that_is_not_there_is_missed() {
        assert_eq!(gaps(&stream()), []);
        let mut cut = stream();
        cut.remove(9);
        let gap = Gap { is_sound: false, packets: 1, from: 2.0, until: 2.0 };
        assert_eq!(gaps(&cut), [gap]);
        // Up to the next that stands alone: a packet of group 7 says so.
        let mut told = [0xff; PACKET];
        told.copy_from_slice(&cut[21]);
        told[3] |= 0x20;
        told.copy_within(4..PACKET - 2, 6);
        (told[4], told[5]) = (1, 0x40);
        cut[21] = told;
        assert_eq!(gaps(&cut), [Gap { until: 7.0, ..gap }]);
    }

    #[test]
    fn what_is_sent_twice_or_joined_is_whole() {
        let mut twice = stream();
        twice.insert(9, twice[9]);
        assert_eq!(gaps(&twice), []);
        let joined = [stream(), stream()].concat();
        assert_eq!(gaps(&joined), []);
        // The first of them ends early, and the second begins without tables.
        assert_eq!(gaps(&[&stream()[..25], &stream()[2..]].concat()).len(), 1);
    }

    /// Bytes are gone, or are others.
    #[test]
    fn the_grid_is_found_again() {
        let whole = stream().concat();
        let grid = Grid { first: 0, step: PACKET as u64 };
        let read =
            |bytes: Vec<u8>| read(grid, &[PICTURE], &mut Cursor::new(bytes), || true).unwrap();
        let lost = [&whole[..1000], &whole[1100..]].concat();
        assert_eq!(read(lost).iter().map(|gap| gap.packets).sum::<u64>(), 1);
        let mut other = whole.clone();
        other[1000..1500].fill(0);
        assert!(read(other).iter().map(|gap| gap.packets).sum::<u64>() >= 2);
    }
}
