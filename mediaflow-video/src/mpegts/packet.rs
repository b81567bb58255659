//! Packets, and where they lie in a file.

use std::io::{Read, Seek, SeekFrom};

use super::clock::round;

/// Bytes of a packet.
pub(crate) const PACKET: usize = 188;

pub(super) const SYNC: u8 = 0x47;

/// Bytes that are read at a time.
const PART: u64 = 256 << 10;

/// A stream that is asked when it begins and ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) pid: u16,
    /// What sound it is, if it is sound.
    pub(super) sound: Option<u8>,
}

/// Where packets begin: one after the other, or with four bytes of time before each, as cameras and discs have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(super) first: u64,
    pub(super) step: u64,
}

impl Grid {
    /// The grid of a file that begins with these bytes.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let fits = |first: usize, step: usize| {
            head.get(first) == Some(&SYNC) && head.get(first + step) == Some(&SYNC)
        };
        let grid = |first: u64, step: u64| Some(Self { first, step });
        if fits(0, PACKET) {
            grid(0, PACKET as u64)
        } else if fits(4, PACKET + 4) {
            grid(4, PACKET as u64 + 4)
        } else {
            None
        }
    }

    /// The whole packets of a file that begins with these bytes.
    pub(super) fn packets(self, head: &[u8]) -> impl Iterator<Item = Packet<'_>> {
        self.starts(0, head.len() as u64).filter_map(|at| {
            let at = usize::try_from(at).ok()?;
            Packet::read(head.get(at..at + PACKET)?)
        })
    }

    /// The last place of the file that is not behind this one from which on it is like a file of its own.
    pub(super) fn before(self, at: u64) -> u64 {
        at / self.step * self.step
    }

    /// The begins of all packets of which something lies between these places of the file.
    pub(super) fn starts(self, from: u64, until: u64) -> impl Iterator<Item = u64> + use<> {
        let before = (from + 1).saturating_sub(self.first + PACKET as u64);
        let first = self.first + before.div_ceil(self.step) * self.step;
        (0..).map(move |number| first + number * self.step).take_while(move |at| *at < until)
    }

    /// Shows each packet that begins between these places of a file, and where that is, as long as `goes_on`.
    pub(super) fn walk(
        self,
        reader: &mut (impl Read + Seek + ?Sized),
        from: u64,
        until: u64,
        mut goes_on: impl FnMut() -> bool,
        mut show: impl FnMut(u64, &[u8; PACKET]),
    ) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        let mut at = reader.seek(SeekFrom::Start(from))?;
        while at < until && goes_on() {
            let more = (&mut *reader).take(PART).read_to_end(&mut bytes)?;
            let used = self.show(&bytes, |place, packet| {
                let place = at + place as u64;
                if place < until {
                    show(place, packet);
                }
            });
            bytes.drain(..used);
            at += used as u64;
            if more == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Shows each packet that is there, and finds the next one where the grid breaks. Returns how many bytes are done with.
    fn show(self, bytes: &[u8], mut show: impl FnMut(usize, &[u8; PACKET])) -> usize {
        let step = usize::try_from(self.step).unwrap_or(PACKET);
        let is_sync = |at: usize| bytes.get(at) == Some(&SYNC);
        let mut at = 0;
        while let Some(packet) = bytes.get(at..).and_then(|rest| rest.first_chunk::<PACKET>()) {
            if packet[0] == SYNC {
                show(at, packet);
                at += step;
                continue;
            }
            let last = bytes.len().saturating_sub(2 * step);
            match (at..last).find(|at| is_sync(*at) && is_sync(at + step) && is_sync(at + 2 * step))
            {
                Some(next) => at = next,
                None => return at.max(last),
            }
        }
        at.min(bytes.len())
    }
}

/// One packet.
#[derive(Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) pid: u16,
    pub(super) begins: bool,
    /// Where its content begins.
    payload: usize,
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let head: [u8; 5] = bytes.get(..5)?.try_into().ok()?;
        let pid = u16::from_be_bytes([head[1] & 0x1f, head[2]]);
        let payload = match head[3] >> 4 & 3 {
            1 => 4,
            // Nothing but what time it is.
            2 => PACKET,
            3 => 5 + usize::from(head[4]),
            _ => return None,
        };
        let is_whole = head[0] == SYNC && head[1] & 0x80 == 0 && head[3] & 0xc0 == 0;
        is_whole.then_some(Self { pid, begins: head[1] & 0x40 != 0, payload, bytes })
    }

    /// Where a section begins that begins in this packet.
    pub(super) fn section_at(&self) -> Option<usize> {
        let pointer = self.bytes.get(self.payload).filter(|_| self.begins)?;
        Some(self.payload + 1 + usize::from(*pointer))
    }

    /// The section that begins in this packet, as far as it lies in it.
    pub(super) fn section(&self) -> Option<&'a [u8]> {
        self.bytes.get(self.section_at()?..)
    }

    /// When what begins in this packet is shown.
    pub(super) fn time(&self) -> Option<u64> {
        self.stamps().next().map(|place| place.time())
    }

    /// When what begins in this packet is shown and, if that is another time, when it is decoded.
    pub(super) fn stamps(&self) -> impl Iterator<Item = Place<'a>> + use<'a> {
        let pes = self.bytes.get(self.payload..).filter(|_| self.begins).unwrap_or_default();
        let is_pes = pes.starts_with(&[0, 0, 1]) && pes.get(6).is_some_and(|flags| flags >> 6 == 2);
        let count = match pes.get(7).filter(|_| is_pes).map(|flags| flags >> 6) {
            Some(2) => 1,
            Some(3) => 2,
            _ => 0,
        };
        let (bytes, from) = (self.bytes, self.payload + 9);
        let places = (0..count).map(move |number| from + 5 * number..from + 5 * (number + 1));
        places.filter_map(|at| Some(Place { at: at.start, bytes: bytes.get(at)?, is_clock: false }))
    }

    /// What time it is.
    pub(super) fn clock(&self) -> Option<Place<'a>> {
        const CLOCK: std::ops::Range<usize> = 6..11;
        let has_clock = self.payload > CLOCK.end && self.bytes.get(5)? & 0x10 != 0;
        let bytes = self.bytes.get(CLOCK).filter(|_| has_clock)?;
        Some(Place { at: CLOCK.start, bytes, is_clock: true })
    }

    /// How long the group is that begins in this packet, behind its length; zero if it does not say.
    pub(super) fn length_of_pes(&self) -> Option<usize> {
        let pes = self.bytes.get(self.payload..).filter(|_| self.begins)?;
        Some(usize::from(u16::from_be_bytes(pes.get(4..6)?.try_into().ok()?)))
    }

    /// What it holds.
    pub(super) fn content(&self) -> &'a [u8] {
        self.bytes.get(self.payload..).unwrap_or_default()
    }

    /// The first bytes of the frames that begin in this packet, behind the header of their group.
    pub(super) fn payload_of_pes(&self) -> Option<&'a [u8]> {
        let pes = self.bytes.get(self.payload..).filter(|_| self.begins)?;
        let header = usize::from(*pes.get(8)?);
        let is_pes = pes.starts_with(&[0, 0, 1]) && pes.get(6)? >> 6 == 2;
        pes.get(9 + header..).filter(|_| is_pes)
    }
}

/// A time of 33 bits in a packet.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    at: usize,
    bytes: &'a [u8],
    /// All of its bits follow one another.
    is_clock: bool,
}

/// For each byte of a time: how far its bits are from the end, which of the byte they are, and how far from its end.
const CLOCK: [(u32, u8, u32); 5] =
    [(25, 0xff, 0), (17, 0xff, 0), (9, 0xff, 0), (1, 0xff, 0), (0, 0x80, 7)];
const STAMP: [(u32, u8, u32); 5] =
    [(30, 0x0e, 1), (22, 0xff, 0), (15, 0xfe, 1), (7, 0xff, 0), (0, 0xfe, 1)];

impl Place<'_> {
    fn bits(&self) -> [(u32, u8, u32); 5] {
        if self.is_clock { CLOCK } else { STAMP }
    }

    pub(super) fn time(&self) -> u64 {
        let bits = self.bytes.iter().zip(self.bits());
        bits.map(|(byte, (from, mask, low))| u64::from((byte & mask) >> low) << from).sum()
    }

    /// Writes a time that is so much later into a copy of the packet.
    pub(super) fn later(&self, packet: &mut [u8], by: i64) {
        let time = round(self.time(), by);
        let bytes = packet.iter_mut().skip(self.at);
        for (byte, (from, mask, low)) in bytes.zip(self.bits()) {
            let [bits, ..] = (time >> from).to_le_bytes();
            *byte = *byte & !mask | bits << low & mask;
        }
    }
}

/// A packet with a count; the first of a group says its time in ticks.
#[cfg(test)]
pub(super) fn packet(pid: u16, count: u8, begin: Option<u64>) -> [u8; PACKET] {
    let mut packet = [0xff; PACKET];
    let pid = pid.to_be_bytes();
    packet[..4].copy_from_slice(&[SYNC, pid[0], pid[1], 0x10 | count & 15]);
    if let Some(time) = begin {
        packet[1] |= 0x40;
        packet[4..13].copy_from_slice(&[0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5]);
        let stamp = [1 | time >> 29 & 0xe, time >> 22, 1 | time >> 14, time >> 7, 1 | time << 1];
        packet[13..18].copy_from_slice(&stamp.map(|bits| (bits & 0xff).to_le_bytes()[0]));
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_that_lies_in_two_parts_of_a_file_is_in_both() {
        let grid = Grid { first: 4, step: 192 };
        assert_eq!(grid.starts(0, 200).collect::<Vec<_>>(), [4, 196]);
        assert_eq!(grid.starts(191, 196).collect::<Vec<_>>(), [4]);
        assert_eq!(grid.starts(192, 197).collect::<Vec<_>>(), [196]);
        assert_eq!(grid.starts(400, 1000).collect::<Vec<_>>(), [388, 580, 772, 964]);
    }
}
