//! What the boxes of an MP4 or QuickTime file tell before anything is decoded.
//!
//! A demuxer takes a cut file for a short one, and waits for an index that never comes. The boxes say both at once and
//! for the price of a few reads: whether the index (`moov`) is there, whether the media data reaches as far as its box
//! claims, and how many samples each track has. That makes this the first check of a source, and the independent check
//! of a result.

use std::io::{Read, Seek, SeekFrom, Write};

use mediaflow_core::{Error, Result};

use crate::error;

/// The index is read into memory; one larger than this is refused.
const MAX_INDEX: u64 = 64 << 20;
/// Boxes at the top level that are looked at; a fragmented file of many hours has more, and needs no more checking.
const MAX_BOXES: usize = 100_000;
/// Samples of all tracks that are looked at to find where a cut file ends.
const MAX_SAMPLES: u32 = 20_000_000;

/// The structure of a file that has its index.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Structure {
    /// Tracks in the order of the file.
    pub(crate) tracks: Vec<Track>,
    /// The samples lie in fragments, so the tracks' tables are empty.
    pub(crate) fragmented: bool,
    /// The index stands before the media data.
    pub(crate) faststart: bool,
    /// Where the content of the index begins.
    index: u64,
    /// Bytes that boxes claim beyond the end of the file.
    pub(crate) missing_bytes: u64,
}

/// One track.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Track {
    /// `vide`, `soun`, `text`, ...
    pub(crate) handler: [u8; 4],
    /// Samples in the tables.
    pub(crate) samples: u64,
    /// Length of the media in seconds.
    pub(crate) duration: f64,
    /// When its last sample has been shown, in seconds: an edit list may shift it and leave parts out.
    pub(crate) shown: f64,
    /// Where the first sample begins that lies beyond the end of the file, in seconds.
    pub(crate) cut_at: Option<f64>,
}

impl Structure {
    /// The track of this handler with the most samples.
    pub(crate) fn track(&self, handler: [u8; 4]) -> Option<&Track> {
        self.tracks
            .iter()
            .filter(|track| track.handler == handler)
            .max_by_key(|track| track.samples)
    }

    /// When the last picture or sound has been played, in seconds: chapters and time codes may go on after it.
    pub(crate) fn seconds(&self) -> f64 {
        let played = self.tracks.iter().filter(|track| matches!(&track.handler, b"vide" | b"soun"));
        played.map(|track| track.shown).fold(0.0, f64::max)
    }

    /// Seconds of the longest track that can not be read, if the file is cut.
    pub(crate) fn missing_seconds(&self) -> f64 {
        let end = self.tracks.iter().map(|track| track.duration).fold(0.0, f64::max);
        let readable =
            self.tracks.iter().map(|t| t.cut_at.unwrap_or(t.duration)).fold(0.0, f64::max);
        (end - readable).max(0.0)
    }
}

/// Blanks the times at which a file was made, so that the same work gives the same bytes.
///
/// # Errors
/// `video.io`.
pub(crate) fn forget_times(
    file: &mut (impl Read + Write + Seek),
    structure: &Structure,
) -> Result<()> {
    let mut forget = || {
        file.seek(SeekFrom::Start(structure.index.saturating_sub(8)))?;
        let mut head = [0; 8];
        file.read_exact(&mut head)?;
        let len = be32(&head, 0).map_or(0, u64::from).saturating_sub(8);
        let mut moov = Vec::new();
        file.take(len.min(MAX_INDEX)).read_to_end(&mut moov)?;
        let mut open = vec![(0, moov.len())];
        while let Some((start, stop)) = open.pop() {
            let mut at = start;
            while let Some(size) =
                be32(&moov[..stop], at).and_then(|size| usize::try_from(size).ok())
            {
                let end = at.saturating_add(size);
                if size < 8 || end > stop {
                    break;
                }
                let body = at + 8;
                match &moov[at + 4..body] {
                    b"trak" | b"mdia" => open.push((body, end)),
                    b"mvhd" | b"tkhd" | b"mdhd" => {
                        let times = if moov.get(body) == Some(&1) { 16 } else { 8 };
                        if let Some(times) = moov.get_mut(body + 4..(body + 4 + times).min(end)) {
                            times.fill(0);
                        }
                    }
                    _ => {}
                }
                at = end;
            }
        }
        file.seek(SeekFrom::Start(structure.index))?;
        file.write_all(&moov)
    };
    forget().map_err(error::io)
}

/// Reads the structure; `None` if this is no ISO base media file.
///
/// # Errors
/// `video.no_moov`, `video.malformed`, `video.io`.
pub(crate) fn inspect(reader: &mut (impl Read + Seek + ?Sized)) -> Result<Option<Structure>> {
    let len = reader.seek(SeekFrom::End(0)).map_err(error::io)?;
    if len < 8 {
        return Ok(None);
    }
    let mut structure = Structure::default();
    let mut index = None;
    let mut media_seen = false;
    let mut at = 0;
    for number in 0..MAX_BOXES {
        if len.saturating_sub(at) < 8 {
            break;
        }
        reader.seek(SeekFrom::Start(at)).map_err(error::io)?;
        let Some(found) = BoxHeader::read(reader, len - at).map_err(error::io)? else {
            return if number == 0 {
                Ok(None)
            } else {
                Err(malformed("a box has an impossible size", at))
            };
        };
        if number == 0 && !is_first_box(found.kind) {
            return Ok(None);
        }
        let missing = at.saturating_add(found.size).saturating_sub(len);
        match &found.kind {
            b"moov" if missing > 0 => return Err(error::no_moov(at, "is cut off")),
            b"moov" => {
                if found.size > MAX_INDEX {
                    return Err(malformed("the index is larger than 64 MiB", at));
                }
                structure.faststart = !media_seen;
                index = Some((at + found.header, found.size - found.header));
            }
            b"mdat" | b"moof" => {
                media_seen = true;
                structure.missing_bytes = structure.missing_bytes.saturating_add(missing);
            }
            _ => {}
        }
        at = at.saturating_add(found.size);
    }
    let Some((start, size)) = index else {
        return Err(error::no_moov(len, "is missing"));
    };
    structure.index = start;
    reader.seek(SeekFrom::Start(start)).map_err(error::io)?;
    let mut moov = Vec::new();
    reader.take(size).read_to_end(&mut moov).map_err(error::io)?;
    structure.fragmented = find(&moov, *b"mvex").is_some();
    let mut end = (structure.missing_bytes > 0).then_some(End { len, samples: MAX_SAMPLES });
    let movie_scale = find(&moov, *b"mvhd")
        .and_then(|mvhd| be32(mvhd, if mvhd.first()? == &1 { 20 } else { 12 }))
        .unwrap_or(0);
    structure.tracks = boxes(&moov)
        .filter(|(kind, _)| kind == b"trak")
        .filter_map(|(_, trak)| read_track(trak, movie_scale, end.as_mut()))
        .collect();
    Ok(Some(structure))
}

fn malformed(what: &str, at: u64) -> Error {
    Error::input("video.malformed", what)
        .with("byte", at)
        .help("export the file again and upload it anew")
}

fn is_first_box(kind: [u8; 4]) -> bool {
    matches!(&kind, b"ftyp" | b"styp" | b"moov" | b"mdat" | b"free" | b"skip" | b"wide" | b"pnot")
}

struct BoxHeader {
    kind: [u8; 4],
    header: u64,
    size: u64,
}

impl BoxHeader {
    /// `None` if the size is smaller than the header that states it.
    fn read(reader: &mut (impl Read + ?Sized), rest: u64) -> std::io::Result<Option<Self>> {
        let mut head = [0; 8];
        reader.read_exact(&mut head)?;
        let (size, kind) = head.split_at(4);
        let kind = [kind[0], kind[1], kind[2], kind[3]];
        let (header, size) = match be32(size, 0) {
            Some(1) if rest >= 16 => {
                let mut large = [0; 8];
                reader.read_exact(&mut large)?;
                (16, u64::from_be_bytes(large))
            }
            Some(0) => (8, rest),
            Some(size) => (8, u64::from(size)),
            None => return Ok(None),
        };
        Ok((size >= header).then_some(Self { kind, header, size }))
    }
}

/// The boxes inside a box, as far as they are whole.
fn boxes(data: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let mut head = rest;
        let found = BoxHeader::read(&mut head, rest.len() as u64).ok()??;
        let size = usize::try_from(found.size).ok()?;
        let body = rest.get(usize::try_from(found.header).ok()?..size)?;
        rest = &rest[size..];
        Some((found.kind, body))
    })
}

fn find(data: &[u8], kind: [u8; 4]) -> Option<&[u8]> {
    boxes(data).find(|(k, _)| *k == kind).map(|(_, body)| body)
}

fn be32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn be64(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(data.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// The end of a cut file, and how many more samples may be looked at to find the first beyond it.
struct End {
    len: u64,
    samples: u32,
}

fn read_track(trak: &[u8], movie_scale: u32, end: Option<&mut End>) -> Option<Track> {
    let mdia = find(trak, *b"mdia")?;
    let mdhd = find(mdia, *b"mdhd")?;
    let (timescale, duration) = match mdhd.first()? {
        1 => (be32(mdhd, 20)?, be64(mdhd, 24)?),
        _ => (be32(mdhd, 12)?, u64::from(be32(mdhd, 16)?)),
    };
    let handler = find(mdia, *b"hdlr")?.get(8..12)?.try_into().ok()?;
    let stbl = find(mdia, *b"minf").and_then(|minf| find(minf, *b"stbl"))?;
    let sizes = Sizes::read(stbl);
    let seconds = |ticks: u64| ticks as f64 / f64::from(timescale.max(1));
    let cut_at = match (&sizes, end) {
        (Some(sizes), Some(end)) => {
            first_sample_beyond(stbl, sizes, end).map(|sample| seconds(start_of(stbl, sample)))
        }
        _ => None,
    };
    let samples = sizes.map_or(0, |sizes| u64::from(sizes.count));
    let duration = seconds(duration);
    let shown = edited(trak, movie_scale).unwrap_or(duration);
    Some(Track { handler, samples, duration, shown, cut_at })
}

/// The sum of the edit list, in seconds; none if there is none, or if it leaves the end open.
fn edited(trak: &[u8], movie_scale: u32) -> Option<f64> {
    let elst = find(find(trak, *b"edts")?, *b"elst")?;
    let wide = elst.first()? == &1;
    let mut ticks = 0_u64;
    for entry in 0..usize::try_from(be32(elst, 4)?).ok()? {
        let length = match wide {
            true => be64(elst, 8 + entry * 20)?,
            false => u64::from(be32(elst, 8 + entry * 12)?),
        };
        ticks = ticks.saturating_add(length);
    }
    (ticks > 0 && movie_scale > 0).then(|| ticks as f64 / f64::from(movie_scale))
}

/// The table of sample sizes: one for all, or one each.
struct Sizes<'a> {
    all: u32,
    count: u32,
    each: &'a [u8],
}

impl<'a> Sizes<'a> {
    fn read(stbl: &'a [u8]) -> Option<Self> {
        let stsz = find(stbl, *b"stsz")?;
        Some(Self { all: be32(stsz, 4)?, count: be32(stsz, 8)?, each: stsz.get(12..)? })
    }

    fn of(&self, sample: u32) -> Option<u64> {
        match self.all {
            0 => be32(self.each, usize::try_from(sample).ok()?.checked_mul(4)?).map(u64::from),
            size => Some(u64::from(size)),
        }
    }
}

/// Walks the chunks: `stsc` says how many samples each has, `stco` or `co64` where it begins.
fn first_sample_beyond(stbl: &[u8], sizes: &Sizes<'_>, end: &mut End) -> Option<u32> {
    let stsc = find(stbl, *b"stsc")?;
    let (offsets, wide) = match find(stbl, *b"stco") {
        Some(table) => (table, false),
        None => (find(stbl, *b"co64")?, true),
    };
    let mut run = 0;
    let mut sample = 0;
    for chunk in 0..usize::try_from(be32(offsets, 4)?).ok()? {
        while usize::try_from(be32(stsc, 8 + (run + 1) * 12).unwrap_or(u32::MAX)).ok()? <= chunk + 1
        {
            run += 1;
        }
        let mut at = match wide {
            true => be64(offsets, 8 + chunk * 8)?,
            false => u64::from(be32(offsets, 8 + chunk * 4)?),
        };
        for _ in 0..be32(stsc, 8 + run * 12 + 4)? {
            if sample >= sizes.count {
                return None;
            }
            end.samples = end.samples.checked_sub(1)?;
            at = at.checked_add(sizes.of(sample)?)?;
            if at > end.len {
                return Some(sample);
            }
            sample += 1;
        }
    }
    None
}

/// Ticks before a sample, by the run lengths of `stts`.
fn start_of(stbl: &[u8], sample: u32) -> u64 {
    let Some(stts) = find(stbl, *b"stts") else { return 0 };
    let (mut left, mut ticks) = (u64::from(sample), 0_u64);
    for run in 0.. {
        let (Some(count), Some(delta)) = (be32(stts, 8 + run * 8), be32(stts, 12 + run * 8)) else {
            break;
        };
        let taken = left.min(u64::from(count));
        ticks = ticks.saturating_add(taken * u64::from(delta));
        left -= taken;
        if left == 0 {
            break;
        }
    }
    ticks
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const CLIP: &[u8] = include_bytes!("../../examples/media/bunny.mp4");

    fn look(bytes: &[u8]) -> Result<Option<Structure>> {
        inspect(&mut Cursor::new(bytes))
    }

    #[test]
    fn the_tables_of_the_clip_are_read() {
        let structure = look(CLIP).unwrap().unwrap();
        assert!(!structure.fragmented && !structure.faststart && structure.missing_bytes == 0);
        let video = structure.track(*b"vide").unwrap();
        assert_eq!((video.samples, video.cut_at), (132, None));
        assert!((video.duration - 5.28).abs() < 0.001, "{}", video.duration);
    }

    #[test]
    fn what_is_no_mp4_is_none() {
        for bytes in [&b""[..], b"short", b"RIFF....AVI LIST", b"\x1aE\xdf\xa3 matroska"] {
            assert_eq!(look(bytes).unwrap(), None);
        }
    }

    #[test]
    fn a_64_bit_size_that_overflows_is_a_cut_file() {
        let bytes = [&CLIP[..40], &[0, 0, 0, 1], b"mdat", &[0xff; 8], &[0; 64]].concat();
        assert_eq!(look(&bytes).unwrap_err().code(), "video.no_moov");
    }

    /// Every byte of the index in turn takes hostile values: no panic, no endless walk.
    #[test]
    fn a_damaged_index_is_survived() {
        let moov = CLIP.windows(4).rposition(|window| window == b"moov").unwrap() - 4;
        let mut bytes = [&CLIP[..40], &CLIP[moov..], &[0, 0, 0x10, 0], b"mdat"].concat();
        for at in 40..bytes.len() - 8 {
            let whole = bytes[at];
            for value in [0, 1, 0x7f, 0xff] {
                bytes[at] = value;
                let _survived = look(&bytes);
            }
            bytes[at] = whole;
        }
    }
}
