//! How long a transport stream is, by the times at its begin and at its end: of what lies between only a little is read.

use std::io::{Read, Seek, SeekFrom};

use super::clock::{PER_SECOND, ROUND, round, since};
use super::joints::Joints;
use super::packet::{Asked, Grid, Packet};
use super::sound::sound_ticks;

/// Bytes of either end that are read; of a file that is not much longer all is read elsewhere.
const END: u64 = 8 << 20;

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
