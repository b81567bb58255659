//! The last pass over a result: from what a muxer wrote, media data first, to a file that plays at once.
//!
//! The index goes in front, and is written anew on the way: without the times at which the file was made, without tags but
//! those that are to be there, and with edit lists that leave out what an encoder of sound puts before the first sample.

use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use mediaflow_core::{Error, Result, codes};

use super::about;
use super::boxes::{BoxHeader, be32, be64, boxes};
use super::tables::Presented;
use super::timeline::entries;
use super::{MAX_BOXES, MAX_INDEX};
use crate::error;
use crate::tags::Tags;

/// What is known of the sound of a result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sound {
    /// Samples that the encoder puts before the first one.
    pub(crate) priming: u32,
    /// Samples that it was given.
    pub(crate) samples: u64,
    /// In a second.
    pub(crate) rate: u32,
}

/// What a muxer can not know.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timing {
    /// How late the picture begins.
    pub(crate) picture: Duration,
    /// How late the sound begins; one of both is not.
    pub(crate) sound: Duration,
    /// How long the picture is shown, from its first frame to the end of its last; as long as the muxer says without.
    pub(crate) shown: Option<Duration>,
}

/// Copies a file with its index in front.
///
/// # Errors
/// `video.io`; `video.pipeline` if this is not what a muxer writes.
pub(crate) fn finish(
    from: &mut (impl Read + Seek),
    to: &mut impl Write,
    sound: Option<Sound>,
    timing: Timing,
    tags: &Tags,
) -> Result<()> {
    let parts = Parts::find(from)?;
    let mut moov = Node::read(*b"moov", &parts.moov).ok_or_else(not_whole)?;
    moov.clean();
    if let (Body::Boxes(inner), false) = (&mut moov.body, tags.is_empty()) {
        inner.push(Node { kind: *b"udta", body: Body::Bytes(about::write(tags)) });
    }
    let movie_scale = moov.scale(*b"mvhd").ok_or_else(not_whole)?;
    moov.place(sound, timing, movie_scale).ok_or_else(not_whole)?;
    // An index with wide offsets is longer, and moves what the offsets point to.
    let old = parts.media_at;
    let mut new = (parts.ftyp.len() + moov.len()) as u64;
    if !moov.fits(new.saturating_sub(old)) {
        moov.widen();
        new = (parts.ftyp.len() + moov.len()) as u64;
    }
    moov.shift(new.wrapping_sub(old));
    let mut index = parts.ftyp;
    moov.write(&mut index);
    let mut copy = || {
        to.write_all(&index)?;
        from.seek(SeekFrom::Start(old))?;
        let copied = std::io::copy(&mut from.take(parts.media), to)?;
        if copied < parts.media {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(packet) = &tags.packet {
            to.write_all(&about::write_packet(packet))?;
        }
        to.flush()
    };
    copy().map_err(error::io)
}

fn not_whole() -> Error {
    Error::backend(codes::VIDEO_PIPELINE, "the muxer wrote an index that can not be read")
}

/// Where things lie in the file of a muxer.
struct Parts {
    /// With its header.
    ftyp: Vec<u8>,
    /// Without its header.
    moov: Vec<u8>,
    media_at: u64,
    media: u64,
}

impl Parts {
    fn find(file: &mut (impl Read + Seek)) -> Result<Self> {
        let len = file.seek(SeekFrom::End(0)).map_err(error::io)?;
        let (mut ftyp, mut moov, mut media) = (None, None, None);
        let mut at = 0;
        for _ in 0..MAX_BOXES {
            if len.saturating_sub(at) < 8 {
                break;
            }
            file.seek(SeekFrom::Start(at)).map_err(error::io)?;
            let header = BoxHeader::read(file, len - at).map_err(error::io)?;
            let found = header.filter(|found| found.size <= len - at).ok_or_else(not_whole)?;
            let mut read = |skip: u64| {
                let mut body = Vec::new();
                file.seek(SeekFrom::Start(at + skip))?;
                file.take((found.size - skip).min(MAX_INDEX)).read_to_end(&mut body)?;
                Ok(body)
            };
            match &found.kind {
                b"ftyp" => ftyp = Some(read(0).map_err(error::io)?),
                b"moov" => moov = Some(read(found.header).map_err(error::io)?),
                b"mdat" => media = Some((at, found.size)),
                _ => {}
            }
            at += found.size;
        }
        let (ftyp, moov) = ftyp.zip(moov).ok_or_else(not_whole)?;
        let (media_at, media) = media.ok_or_else(not_whole)?;
        Ok(Self { ftyp, moov, media_at, media })
    }
}

/// A box of the index.
struct Node {
    kind: [u8; 4],
    body: Body,
}

enum Body {
    Boxes(Vec<Node>),
    Bytes(Vec<u8>),
}

impl Node {
    fn read(kind: [u8; 4], body: &[u8]) -> Option<Self> {
        const AROUND: [[u8; 4]; 6] = [*b"moov", *b"trak", *b"edts", *b"mdia", *b"minf", *b"stbl"];
        if !AROUND.contains(&kind) {
            return Some(Self { kind, body: Body::Bytes(body.to_vec()) });
        }
        let inner = boxes(body).map(|inner| Self::read(inner.kind, inner.body));
        let node = Self { kind, body: Body::Boxes(inner.collect::<Option<_>>()?) };
        // What is left over is no whole box.
        (node.len() == body.len() + 8).then_some(node)
    }

    fn len(&self) -> usize {
        8 + match &self.body {
            Body::Boxes(inner) => inner.iter().map(Self::len).sum(),
            Body::Bytes(bytes) => bytes.len(),
        }
    }

    fn write(&self, to: &mut Vec<u8>) {
        to.extend(u32::try_from(self.len()).unwrap_or(u32::MAX).to_be_bytes());
        to.extend(self.kind);
        match &self.body {
            Body::Boxes(inner) => inner.iter().for_each(|inner| inner.write(to)),
            Body::Bytes(bytes) => to.extend(bytes),
        }
    }

    fn inner(&self) -> &[Self] {
        match &self.body {
            Body::Boxes(inner) => inner,
            Body::Bytes(_) => &[],
        }
    }

    fn inner_mut(&mut self) -> &mut [Self] {
        match &mut self.body {
            Body::Boxes(inner) => inner,
            Body::Bytes(_) => &mut [],
        }
    }

    fn child(&self, kind: [u8; 4]) -> Option<&Self> {
        self.inner().iter().find(|inner| inner.kind == kind)
    }

    fn child_mut(&mut self, kind: [u8; 4]) -> Option<&mut Self> {
        self.inner_mut().iter_mut().find(|inner| inner.kind == kind)
    }

    fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Bytes(bytes) => bytes,
            Body::Boxes(_) => &[],
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.body {
            Body::Bytes(bytes) => bytes,
            Body::Boxes(_) => &mut [],
        }
    }

    /// Takes away tags, and blanks times.
    fn clean(&mut self) {
        if let Body::Boxes(inner) = &mut self.body {
            inner.retain(|inner| !matches!(&inner.kind, b"udta" | b"meta"));
            inner.iter_mut().for_each(Self::clean);
        } else if matches!(&self.kind, b"mvhd" | b"tkhd" | b"mdhd") {
            let times = if self.bytes().first() == Some(&1) { 16 } else { 8 };
            if let Some(times) = self.bytes_mut().get_mut(4..4 + times) {
                times.fill(0);
            }
        }
    }

    /// Ticks of a second, in an `mvhd` or `mdhd`.
    fn scale(&self, kind: [u8; 4]) -> Option<u32> {
        let header = self.child(kind)?.bytes();
        be32(header, if header.first()? == &1 { 20 } else { 12 })
    }

    /// Says when each stream begins, and leaves out what an encoder put before and behind the sound.
    fn place(&mut self, sound: Option<Sound>, timing: Timing, movie_scale: u32) -> Option<()> {
        let mut longest = 0;
        for trak in self.inner_mut().iter_mut().filter(|inner| inner.kind == *b"trak") {
            let mdia = trak.child(*b"mdia")?;
            let handler: [u8; 4] = mdia.child(*b"hdlr")?.bytes().get(8..12)?.try_into().ok()?;
            let media_scale = mdia.scale(*b"mdhd")?;
            let (length, start, late) = match (&handler, sound) {
                (b"soun", Some(sound)) => {
                    let scaled = |samples: u64, scale: u32| {
                        let rate = u64::from(sound.rate.max(1));
                        (samples * u64::from(scale) + rate / 2) / rate
                    };
                    let length = scaled(sound.samples, movie_scale);
                    (
                        length,
                        scaled(sound.priming.into(), media_scale),
                        ticks(timing.sound, movie_scale),
                    )
                }
                _ => {
                    let (length, start) = trak.shown().unwrap_or((trak.duration()?, 0));
                    let length = match timing.shown {
                        Some(shown) => {
                            trak.hold_last(start.saturating_add(ticks(shown, media_scale)))?;
                            ticks(shown, movie_scale)
                        }
                        None => length,
                    };
                    (length, start, ticks(timing.picture, movie_scale))
                }
            };
            trak.edit(late, length, start);
            trak.set_duration(late + length)?;
            longest = longest.max(late + length);
        }
        write_duration(self.child_mut(*b"mvhd")?.bytes_mut(), 24, 16, longest)
    }

    /// Shows the last sample of a track until so many ticks of its media.
    fn hold_last(&mut self, until: u64) -> Option<()> {
        let mdia = self.child_mut(*b"mdia")?;
        let stbl = mdia.child_mut(*b"minf")?.child_mut(*b"stbl")?;
        let ctts = stbl.child(*b"ctts").map_or(Vec::new(), |ctts| ctts.bytes().to_vec());
        let Body::Bytes(stts) = &mut stbl.child_mut(*b"stts")?.body else { return None };
        let shown = Presented::read(stts, &ctts)?;
        let until = i64::try_from(until).ok()?;
        // Readers take the sum of all for the end, whatever the list says; the list cuts off what is too long.
        let sum = until - shown.decoded;
        let more = if shown.in_order {
            sum.max(until.max(shown.last.saturating_add(1)) - shown.end())
        } else {
            sum.max(0)
        };
        let last = stts.len().checked_sub(8).filter(|last| *last >= 8)?;
        let (count, delta) = (be32(stts, last)?, be32(stts, last + 4)?);
        if more == 0 {
            return Some(());
        }
        let delta = u32::try_from(i64::from(delta) + more).ok()?.to_be_bytes();
        if count > 1 {
            stts.get_mut(last..last + 4)?.copy_from_slice(&(count - 1).to_be_bytes());
            stts.extend([1_u32.to_be_bytes(), delta].concat());
            let runs = be32(stts, 4)? + 1;
            stts.get_mut(4..8)?.copy_from_slice(&runs.to_be_bytes());
        } else {
            stts.get_mut(last + 4..last + 8)?.copy_from_slice(&delta);
        }
        let length = u64::try_from(shown.decoded.saturating_add(more)).ok()?;
        write_duration(mdia.child_mut(*b"mdhd")?.bytes_mut(), 24, 16, length)
    }

    /// How much of its media a track shows, in ticks of the film, and from where, in ticks of the media.
    fn shown(&self) -> Option<(u64, u64)> {
        let elst = self.child(*b"edts")?.child(*b"elst")?.bytes();
        entries(elst)
            .filter_map(|(length, start)| Some((length, u64::try_from(start).ok()?)))
            .last()
    }

    /// Writes a new edit list.
    fn edit(&mut self, late: u64, length: u64, start: u64) {
        let mut elst = vec![1, 0, 0, 0];
        let entries = [(late, u64::MAX), (length, start)];
        let entries = entries.iter().filter(|(length, start)| *start != u64::MAX || *length > 0);
        elst.extend(u32::try_from(entries.clone().count()).unwrap_or(0).to_be_bytes());
        for (length, start) in entries {
            elst.extend(length.to_be_bytes());
            elst.extend(start.to_be_bytes());
            elst.extend([0, 1, 0, 0]);
        }
        let elst = Self { kind: *b"elst", body: Body::Bytes(elst) };
        let edts = Self { kind: *b"edts", body: Body::Boxes(vec![elst]) };
        if let Body::Boxes(inner) = &mut self.body {
            inner.retain(|inner| inner.kind != *b"edts");
            let behind =
                inner.iter().position(|inner| inner.kind == *b"tkhd").map_or(0, |at| at + 1);
            inner.insert(behind, edts);
        }
    }

    fn duration(&self) -> Option<u64> {
        let tkhd = self.child(*b"tkhd")?.bytes();
        if tkhd.first()? == &1 { be64(tkhd, 28) } else { be32(tkhd, 20).map(u64::from) }
    }

    fn set_duration(&mut self, ticks: u64) -> Option<()> {
        write_duration(self.child_mut(*b"tkhd")?.bytes_mut(), 28, 20, ticks)
    }

    /// Whether all offsets stay short when so much is added.
    fn fits(&self, more: u64) -> bool {
        let here = self.kind != *b"stco"
            || offsets(self.bytes()).all(|at| at.saturating_add(more) <= u64::from(u32::MAX));
        here && self.inner().iter().all(|inner| inner.fits(more))
    }

    fn widen(&mut self) {
        if self.kind == *b"stco" {
            let mut wide = self.bytes().get(..8).unwrap_or_default().to_vec();
            wide.extend(offsets(self.bytes()).flat_map(u64::to_be_bytes));
            *self = Self { kind: *b"co64", body: Body::Bytes(wide) };
        }
        self.inner_mut().iter_mut().for_each(Self::widen);
    }

    /// Moves what the offsets of chunks point to.
    fn shift(&mut self, by: u64) {
        match &self.kind {
            b"stco" => {
                for at in self.bytes_mut().get_mut(8..).unwrap_or_default().chunks_exact_mut(4) {
                    let old = be32(at, 0).map_or(0, u64::from);
                    let new = u32::try_from(old.wrapping_add(by)).unwrap_or(u32::MAX);
                    at.copy_from_slice(&new.to_be_bytes());
                }
            }
            b"co64" => {
                for at in self.bytes_mut().get_mut(8..).unwrap_or_default().chunks_exact_mut(8) {
                    let new = be64(at, 0).unwrap_or(0).wrapping_add(by);
                    at.copy_from_slice(&new.to_be_bytes());
                }
            }
            _ => self.inner_mut().iter_mut().for_each(|inner| inner.shift(by)),
        }
    }
}

fn ticks(time: Duration, scale: u32) -> u64 {
    let exact = time.as_nanos() * u128::from(scale) + 500_000_000;
    u64::try_from(exact / 1_000_000_000).unwrap_or(u64::MAX)
}

/// The short offsets of a table.
fn offsets(stco: &[u8]) -> impl Iterator<Item = u64> + '_ {
    stco.get(8..).unwrap_or_default().chunks_exact(4).filter_map(|at| be32(at, 0).map(u64::from))
}

/// Writes a duration at one of these places of a header, by its version.
fn write_duration(header: &mut [u8], wide: usize, narrow: usize, ticks: u64) -> Option<()> {
    if header.first()? == &1 {
        header.get_mut(wide..wide + 8)?.copy_from_slice(&ticks.to_be_bytes());
    } else {
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
        header.get_mut(narrow..narrow + 4)?.copy_from_slice(&ticks.to_be_bytes());
    }
    Some(())
}
