//! What the tables of an MPEG transport stream say of its streams (ISO/IEC 13818-1, 2.4).
//!
//! Cameras, discs and converters say of sound only that it is private, and leave it to the player to look. Demuxers that go by
//! the tables alone lose it without a word; so its first bytes are looked at here, and the tables are shown to the demuxer as
//! they should be; and so is the clock where two recordings are joined.
//!
//! Uses: nothing.

mod clock;
mod gaps;
mod joints;
mod length;
mod packet;
mod sound;
mod table;

use std::io::{Read, Seek, SeekFrom};

pub(crate) use gaps::Gap;
use joints::Joints;
pub(crate) use packet::PACKET;
use packet::{Asked, Grid, Packet};
use table::{Program, pmt_pids, read_program, retype};

/// Bytes at the begin of a file in which the tables and the first packets of all streams are looked for.
const HEAD: u64 = 4 << 20;

/// A transport stream.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    grid: Grid,
    /// The packets that hold the tables of programs.
    tables: Vec<u16>,
    /// The streams of the first program, in the order of its table.
    pub(crate) streams: Vec<Elementary>,
    joints: Joints,
}

/// A stream of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elementary {
    pub(crate) pid: u16,
    /// What the table says it is.
    said: u8,
    /// What it is, where the table does not say.
    found: Option<u8>,
    /// Nothing that is known here: data, or something newer.
    pub(crate) is_strange: bool,
}

impl Elementary {
    /// The type that counts.
    fn kind(&self) -> u8 {
        self.found.unwrap_or(self.said)
    }

    fn is_picture(&self) -> bool {
        matches!(self.kind(), 0x01 | 0x02 | 0x10 | 0x1b | 0x20 | 0x24 | 0x42 | 0xd1 | 0xea)
    }

    fn is_sound(&self) -> bool {
        matches!(self.kind(), 0x03 | 0x04 | 0x0f | 0x11 | 0x80..=0x87 | 0x8a | 0x06)
    }

    /// How it is called in a message.
    pub(crate) fn name(&self) -> String {
        format!("data of type {:#04x}", self.said)
    }
}

/// Reads the tables, and where recordings are joined; `None` if there are no tables.
pub(crate) fn inspect(
    reader: &mut (impl Read + Seek + ?Sized),
) -> std::io::Result<Option<Transport>> {
    reader.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    (&mut *reader).take(2 * 192).read_to_end(&mut head)?;
    let Some(grid) = Grid::of(&head) else { return Ok(None) };
    (&mut *reader).take(HEAD).read_to_end(&mut head)?;
    let Some(mut transport) = read(grid, &head) else { return Ok(None) };
    transport.joints = joints::find(grid, &transport.asked(), reader)?;
    Ok(Some(transport))
}

fn read(grid: Grid, head: &[u8]) -> Option<Transport> {
    let packets = || grid.packets(head);
    let tables = packets().filter(|packet| packet.pid == 0).find_map(|p| pmt_pids(p.section()?))?;
    let of_table = |packet: &Packet<'_>| tables.first() == Some(&packet.pid);
    let program: Program =
        packets().filter(of_table).find_map(|packet| read_program(packet.section()?))?;
    let streams = program.streams.iter().map(|stream| {
        let first = || {
            let of_stream = packets().filter(|packet| packet.pid == stream.pid);
            of_stream.filter_map(|packet| packet.payload_of_pes()).find_map(sniff)
        };
        let is_known = stream.is_known(program.is_disc);
        let found = if is_known { None } else { first() };
        Elementary {
            pid: stream.pid,
            said: stream.kind,
            found,
            is_strange: !is_known && found.is_none(),
        }
    });
    let streams = streams.collect();
    Some(Transport { grid, tables, streams, joints: Joints::default() })
}

/// The type of sound, by the bytes that it begins with.
fn sniff(bytes: &[u8]) -> Option<u8> {
    const MPEG: u8 = 0x03;
    const AAC: u8 = 0x0f;
    const LATM: u8 = 0x11;
    const AC3: u8 = 0x81;
    const EAC3: u8 = 0x87;
    const DTS: u8 = 0x8a;
    match *bytes {
        [0x0b, 0x77, _, _, _, version, ..] => Some(if version >> 3 > 10 { EAC3 } else { AC3 }),
        [0x7f, 0xfe, 0x80, 0x01, ..] | [0x64, 0x58, 0x20, 0x25, ..] => Some(DTS),
        [0x56, size, ..] if size & 0xe0 == 0xe0 => Some(LATM),
        [0xff, second, third, ..] if second & 0xe0 == 0xe0 && third & 0xf0 != 0xf0 => {
            match second & 0x06 {
                0 if second & 0xf0 == 0xf0 => Some(AAC),
                0 => None,
                _ => Some(MPEG),
            }
        }
        _ => None,
    }
}

impl Transport {
    /// Whether a demuxer has to be shown something else than what is there.
    pub(crate) fn is_amended(&self) -> bool {
        !self.joints.is_none() || self.streams.iter().any(|stream| stream.found.is_some())
    }

    /// Its streams, pictures first.
    fn asked(&self) -> Vec<Asked> {
        let known = || self.streams.iter().filter(|stream| !stream.is_strange);
        let pictures = known().filter(|stream| stream.is_picture());
        let pictures = pictures.map(|stream| Asked { pid: stream.pid, sound: None });
        let sounds = known().filter(|stream| stream.is_sound());
        let sounds = sounds.map(|stream| Asked { pid: stream.pid, sound: Some(stream.kind()) });
        pictures.chain(sounds).collect()
    }

    /// The first picture and the first sound.
    fn first(&self) -> Vec<Asked> {
        let asked = self.asked();
        let first = |is_sound: bool| asked.iter().find(|asked| asked.sound.is_some() == is_sound);
        [first(false), first(true)].into_iter().flatten().copied().collect()
    }

    /// How long a large file is, by its two ends, in seconds; nothing if it is better read as a whole.
    pub(crate) fn length(
        &self,
        reader: &mut (impl Read + Seek + ?Sized),
    ) -> std::io::Result<Option<f64>> {
        length::read(self.grid, &self.first(), &self.joints, reader)
    }

    /// Where packets of the first picture and the first sound are missing. All of the file is read, as long as `goes_on`.
    pub(crate) fn gaps(
        &self,
        reader: &mut (impl Read + Seek + ?Sized),
        goes_on: impl FnMut() -> bool,
    ) -> std::io::Result<Vec<Gap>> {
        gaps::read(self.grid, &self.first(), reader, goes_on)
    }

    /// Where packets lie that are wholly or partly in these bytes of the file.
    pub(crate) fn packets(&self, from: u64, until: u64) -> impl Iterator<Item = u64> + use<> {
        self.grid.starts(from, until)
    }

    /// A packet that begins at a place of the file as a demuxer is to be shown it, if that is another one.
    pub(crate) fn amended(&self, at: u64, packet: &[u8]) -> Option<Vec<u8>> {
        self.retyped(packet).or_else(|| self.joints.amended(at, packet))
    }

    fn retyped(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let read = Packet::read(packet).filter(|read| self.tables.contains(&read.pid))?;
        let at = read.section_at()?;
        let found = |pid: u16| self.streams.iter().find(|stream| stream.pid == pid)?.found;
        let mut amended = packet.to_vec();
        retype(amended.get_mut(at..)?, found).then_some(amended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_known_by_its_first_bytes() {
        for (bytes, kind) in [
            (&[0xff, 0xf1, 0x50, 0x80, 0, 0][..], Some(0x0f)),
            (&[0xff, 0xfd, 0x90, 0x64, 0, 0], Some(0x03)),
            (&[0x0b, 0x77, 0, 0, 0, 0x40], Some(0x81)),
            (&[0x0b, 0x77, 0, 0, 0, 0x80], Some(0x87)),
            (&[0x7f, 0xfe, 0x80, 0x01, 0, 0], Some(0x8a)),
            (&[0x56, 0xe0, 0, 0, 0, 0], Some(0x11)),
            (&[0, 0, 1, 0xb3, 0, 0], None),
            (&[0xff], None),
        ] {
            assert_eq!(sniff(bytes), kind, "{bytes:x?}");
        }
    }
}
