//! How long a transport stream is, by the times at its begin and at its end: of what lies between only a little is read.

use std::io::{Read, Seek, SeekFrom};

use super::joints::Joints;
use super::packet::{Grid, Packet};

/// Bytes of either end that are read; of a file that is not much longer all is read elsewhere.
const END: u64 = 8 << 20;

/// Times have 33 bits, and go round.
pub(super) const ROUND: i64 = 1 << 33;
pub(super) const PER_SECOND: f64 = 90_000.0;

/// How far one group may be from the next, in ticks, over what was not sent. What is farther is another clock.
pub(super) const ON: i64 = 10 * 90_000;

/// A stream that is asked when it begins and ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) pid: u16,
    /// What sound it is, if it is sound.
    pub(super) sound: Option<u8>,
}

/// Reads both ends. Seconds from the first picture or sound to the last; nothing if the ends do not tell.
pub(super) fn read(
    grid: Grid,
    streams: &[Asked],
    joints: &Joints,
    reader: &mut (impl Read + Seek + ?Sized),
) -> std::io::Result<Option<f64>> {
    let size = reader.seek(SeekFrom::End(0))?;
    if size < 3 * END {
        return Ok(None);
    }
    let mut part = |from: u64, length: u64| {
        let mut bytes = Vec::new();
        reader.seek(SeekFrom::Start(grid.before(from)))?;
        (&mut *reader).take(length).read_to_end(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    let head = part(0, END)?;
    let tail = part(size - END, END)?;
    Ok(between(grid, streams, joints, &head, &tail))
}

fn between(
    grid: Grid,
    streams: &[Asked],
    joints: &Joints,
    head: &[u8],
    tail: &[u8],
) -> Option<f64> {
    let (mut begin, mut end) = (None::<i64>, None::<i64>);
    let mut start = None;
    for stream in streams {
        let packets = |bytes| grid.packets(bytes).filter(|packet| packet.pid == stream.pid);
        let first: Vec<_> = packets(head).filter_map(|packet| packet.time()).take(8).collect();
        let anchor = start.or_else(|| first.first().copied())?;
        start = Some(anchor);
        begin = first.iter().map(|time| since(anchor, *time)).chain(begin).min();
        // The end of a long recording may be more than half a round away from its begin.
        let later = joints.by(stream.pid, u64::MAX);
        let times = packets(tail).filter_map(|packet| Some(round(packet.time()?, later)));
        let mut last: Vec<i64> = times.map(|time| since(anchor, time).rem_euclid(ROUND)).collect();
        last.sort_unstable();
        let (latest, before) = (last.last()?, last.get(last.len().checked_sub(2)?)?);
        let step = match stream.sound {
            Some(kind) => sound_ticks(kind, &content_of_last(&packets(tail).collect::<Vec<_>>()))?,
            None => latest - before,
        };
        end = end.max(Some(latest + step));
    }
    let length = (end? - begin?) as f64 / PER_SECOND;
    (length > 0.0).then_some(length)
}

/// From one time to another, the shorter way round.
pub(super) fn since(from: u64, time: u64) -> i64 {
    let ahead = time.cast_signed().wrapping_sub(from.cast_signed()).rem_euclid(ROUND);
    if ahead > ROUND / 2 { ahead - ROUND } else { ahead }
}

/// A time that is so much later.
pub(super) fn round(time: u64, by: i64) -> u64 {
    time.cast_signed().wrapping_add(by).rem_euclid(ROUND).cast_unsigned()
}

/// What is coded in the last group of a stream.
fn content_of_last(packets: &[Packet<'_>]) -> Vec<u8> {
    let Some(first) = packets.iter().rposition(|packet| packet.time().is_some()) else {
        return Vec::new();
    };
    let group = packets.get(first..).unwrap_or_default();
    let first = group.first().and_then(|packet| packet.payload_of_pes()).unwrap_or_default();
    let rest = group.iter().skip(1).map(|packet| packet.content());
    std::iter::once(first).chain(rest).flatten().copied().collect()
}

/// How long the frames of sound are, in ticks; nothing if they are of a kind that is not known here.
pub(super) fn sound_ticks(kind: u8, mut bytes: &[u8]) -> Option<i64> {
    let mut ticks = 0.0;
    while bytes.len() > 7 {
        let (length, samples, rate) = match kind {
            0x0f => adts(bytes)?,
            0x03 | 0x04 => mpeg(bytes)?,
            0x81 => ac3(bytes)?,
            _ => return None,
        };
        ticks += f64::from(samples) * PER_SECOND / f64::from(rate);
        bytes = bytes.get(length.max(7)..).unwrap_or_default();
    }
    #[expect(clippy::cast_possible_truncation, reason = "a second or so")]
    let ticks = ticks.round() as i64;
    (ticks > 0).then_some(ticks)
}

fn adts(frame: &[u8]) -> Option<(usize, u32, u32)> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
        8000, 7350,
    ];
    let [0xff, second, third, fourth, fifth, sixth, seventh, ..] = *frame else { return None };
    let is_frame = second & 0xf6 == 0xf0;
    let length = usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
    let rate = *RATES.get(usize::from(third >> 2 & 15)).filter(|_| is_frame)?;
    Some((length, 1024 * (u32::from(seventh & 3) + 1), rate))
}

fn mpeg(frame: &[u8]) -> Option<(usize, u32, u32)> {
    const SECOND: [u32; 15] = [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
    const THIRD: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    let [0xff, second, third, ..] = *frame else { return None };
    let rate = *[44_100, 48_000, 32_000].get(usize::from(third >> 2 & 3))?;
    // MPEG-1, layers II and III.
    let table = match second & 0xfe {
        0xfc => SECOND,
        0xfa => THIRD,
        _ => return None,
    };
    let bits = *table.get(usize::from(third >> 4)).filter(|bits| **bits > 0)? * 1000;
    let padding = u32::from(third >> 1 & 1);
    Some((usize::try_from(144 * bits / rate + padding).ok()?, 1152, rate))
}

fn ac3(frame: &[u8]) -> Option<(usize, u32, u32)> {
    const KILOBITS: [u32; 19] =
        [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
    let [0x0b, 0x77, _, _, code, version, ..] = *frame else { return None };
    let rate = *[48_000, 44_100, 32_000].get(usize::from(code >> 6))?;
    let bits = KILOBITS.get(usize::from(code >> 1 & 31)).filter(|_| version >> 3 <= 10)? * 1000;
    let words = 96 * bits / rate + if rate == 44_100 { u32::from(code & 1) } else { 0 };
    Some((usize::try_from(words * 2).ok()?, 1536, rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_round() {
        assert_eq!(since(10, 100), 90);
        assert_eq!(since((1 << 33) - 10, 80), 90);
        assert_eq!(since(100, 10), -90);
    }

    #[test]
    fn frames_of_sound_say_how_long_they_are() {
        // Two frames of 9 bytes at 48 kHz.
        let aac = [0xff, 0xf1, 0x4c, 0x80, 0x01, 0x3f, 0xfc, 0, 0].repeat(2);
        assert_eq!(sound_ticks(0x0f, &aac), Some(3840));
        let mut layer2 = vec![0xff, 0xfd, 0x84, 0];
        layer2.resize(384, 0);
        assert_eq!(sound_ticks(0x03, &layer2), Some(2160));
        let mut ac3 = vec![0x0b, 0x77, 0, 0, 0x1e, 0x40];
        ac3.resize(896, 0);
        assert_eq!(sound_ticks(0x81, &ac3), Some(2880));
        assert_eq!(sound_ticks(0x0f, &[0; 64]), None);
    }
}
