//! What the boxes of an MP4 or QuickTime file tell before anything is decoded.
//!
//! A demuxer takes a cut file for a short one, and waits for an index that never comes. The boxes say both at once and
//! for the price of a few reads: whether the index (`moov`) is there, whether the media data reaches as far as its box
//! claims, and how many samples each track has. That makes this the first check of a source, and the independent check
//! of a result.
//!
//! Uses: error, tags.

pub(crate) mod about;
mod boxes;
pub(crate) mod finish;
pub(crate) mod pcm;
mod tables;
pub(crate) mod timeline;
mod track;

use std::io::{Read, Seek, SeekFrom};

use boxes::{BoxHeader, XMP, be32, boxes, find};
use mediaflow_core::{Error, Result, codes};
use tables::End;
pub(crate) use track::{Colour, Track};

use crate::error;
use crate::tags::Tags;

/// The index is read into memory; one larger than this is refused.
const MAX_INDEX: u64 = 64 << 20;
/// Boxes at the top level that are looked at; a fragmented file of many hours has more, and needs no more checking.
const MAX_BOXES: usize = 100_000;
/// Packets of XMP that are looked at.
const MAX_PACKETS: usize = 64;
/// Samples of all tracks that are looked at to find where a cut file ends.
const MAX_SAMPLES: u32 = 20_000_000;

/// The structure of a file that has its index.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Structure {
    /// Tracks in the order of the file.
    pub(crate) tracks: Vec<Track>,
    /// The samples lie in fragments, so the tracks' tables are empty.
    pub(crate) fragmented: bool,
    /// Where the content of the index begins.
    index: u64,
    /// Boxes of the index that say something about the film, but nothing that it is decoded by: where they begin.
    about: Vec<u64>,
    /// Packets of XMP beside the index: where their boxes begin in the file.
    packets: Vec<u64>,
    /// Where the index says how long the film is, and in how many bytes.
    length: (u64, usize),
    /// What the index says of the film.
    pub(crate) tags: Tags,
    /// Bytes that boxes claim beyond the end of the file.
    pub(crate) missing_bytes: u64,
}

impl Structure {
    /// The track of this handler that is played.
    pub(crate) fn track(&self, handler: [u8; 4]) -> Option<&Track> {
        self.tracks.get(*self.played(handler).first()?)
    }

    /// The tracks of this handler, the one that is played first: those that are enabled, and stills last.
    pub(crate) fn played(&self, handler: [u8; 4]) -> Vec<usize> {
        let tracks = self.tracks.iter().enumerate().filter(|(_, track)| track.handler == handler);
        let mut tracks: Vec<_> = tracks.collect();
        tracks.sort_by_key(|(number, track)| (track.is_still(), !track.enabled, *number));
        tracks.into_iter().map(|(number, _)| number).collect()
    }

    /// What to put in place of bytes of the file, so that a demuxer sees these tracks only, without their edit lists, without
    /// an end before their last sample is shown, and without what is said about the film, of which some believe how pictures are
    /// turned: where, and which bytes.
    pub(crate) fn hidden(&self, shown: impl Fn(usize) -> bool) -> Vec<(u64, Vec<u8>)> {
        const KIND: u64 = 4;
        let free = |at: u64| (self.index + at + KIND, b"free".to_vec());
        let mut hidden: Vec<_> = self.about.iter().copied().map(free).collect();
        hidden.extend(self.packets.iter().map(|at| (at + KIND, b"free".to_vec())));
        for (number, track) in self.tracks.iter().enumerate() {
            if !shown(number) {
                hidden.push(free(track.at));
                continue;
            }
            hidden.extend(track.edits.map(free));
            // Without the list that counts them from zero, pictures are shown behind the end of the media.
            hidden.extend(track.longer.iter().map(|(at, bytes)| (self.index + at, bytes.clone())));
        }
        // Zero is not known: a track that is longer is not cut off, and one that is much shorter is not left out.
        let (at, bytes) = self.length;
        hidden.push((self.index + at, vec![0; bytes]));
        hidden
    }

    /// A packet of XMP that says something about the film, if it has no more than so many bytes; and whether it has more.
    ///
    /// # Errors
    /// `video.io`.
    pub(crate) fn packet(
        &self,
        reader: &mut (impl Read + Seek + ?Sized),
        most: u64,
    ) -> Result<(Option<Vec<u8>>, bool)> {
        let mut read = || {
            let Some(at) = self.packets.first() else { return Ok(self.tags.packet.clone()) };
            let size = reader.seek(SeekFrom::End(0))?;
            reader.seek(SeekFrom::Start(*at))?;
            let Some(found) = BoxHeader::read(reader, size - at)? else { return Ok(None) };
            let mut body = Vec::new();
            reader.take((found.size - found.header).min(most + 32)).read_to_end(&mut body)?;
            Ok(body.strip_prefix(&XMP).map(<[u8]>::to_vec))
        };
        let packet: Option<Vec<u8>> = read().map_err(error::io)?;
        let is_long = packet.as_ref().is_some_and(|packet| packet.len() as u64 > most);
        Ok((packet.filter(|_| !is_long), is_long))
    }

    fn picture_and_sound(&self) -> impl Iterator<Item = &Track> {
        [*b"vide", *b"soun"].into_iter().filter_map(|handler| self.track(handler))
    }

    /// When the first picture or sound is played, in nanoseconds.
    pub(crate) fn begin(&self) -> i64 {
        self.picture_and_sound().map(|track| track.timeline.begin()).min().unwrap_or(0)
    }

    /// From the first picture or sound to the last, in seconds: chapters and time codes may go on after it.
    pub(crate) fn seconds(&self) -> f64 {
        let end = self.picture_and_sound().map(|track| track.shown).fold(0.0, f64::max);
        (end - self.begin() as f64 / 1e9).max(0.0)
    }

    /// Seconds of the longest track that can not be read, if the file is cut.
    pub(crate) fn missing_seconds(&self) -> f64 {
        let end = self.tracks.iter().map(|track| track.duration).fold(0.0, f64::max);
        let readable =
            self.tracks.iter().map(|t| t.cut_at.unwrap_or(t.duration)).fold(0.0, f64::max);
        (end - readable).max(0.0)
    }
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
            b"moov" if index.is_none() => {
                if found.size > MAX_INDEX {
                    return Err(malformed("the index is larger than 64 MiB", at));
                }
                index = Some((at + found.header, found.size - found.header));
            }
            b"mdat" | b"moof" => {
                structure.missing_bytes = structure.missing_bytes.saturating_add(missing);
            }
            b"uuid" if structure.packets.len() < MAX_PACKETS => {
                let mut name = Vec::new();
                reader.take(XMP.len() as u64).read_to_end(&mut name).map_err(error::io)?;
                structure.packets.extend((name == XMP).then_some(at));
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
    structure.tags = about::read(&moov);
    let mut end = (structure.missing_bytes > 0).then_some(End { len, samples: MAX_SAMPLES });
    let movie_scale = find(&moov, *b"mvhd")
        .and_then(|mvhd| be32(mvhd, if mvhd.first()? == &1 { 20 } else { 12 }))
        .unwrap_or(0);
    for inner in boxes(&moov) {
        let at = inner.at as u64;
        match &inner.kind {
            b"trak" => {
                let header = inner.header as u64;
                let mut track = Track::read(inner.body, at, header, movie_scale, end.as_mut());
                if let Some(track) = track.as_mut().filter(|_| structure.fragmented) {
                    // The tables do not say where it lies.
                    track.pcm = None;
                }
                structure.tracks.extend(track);
            }
            b"udta" | b"meta" => structure.about.push(at),
            b"mvhd" => {
                let body = at + inner.header as u64;
                let wide = inner.body.first() == Some(&1);
                structure.length = if wide { (body + 24, 8) } else { (body + 16, 4) };
            }
            _ => {}
        }
    }
    Ok(Some(structure))
}

fn malformed(what: &str, at: u64) -> Error {
    Error::input(codes::VIDEO_MALFORMED, what)
        .with("byte", at)
        .help("export the file again and upload it anew")
}

fn is_first_box(kind: [u8; 4]) -> bool {
    matches!(&kind, b"ftyp" | b"styp" | b"moov" | b"mdat" | b"free" | b"skip" | b"wide" | b"pnot")
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const CLIP: &[u8] = include_bytes!("../../../examples/media/bunny.mp4");

    fn look(bytes: &[u8]) -> Result<Option<Structure>> {
        inspect(&mut Cursor::new(bytes))
    }

    #[test]
    fn the_tables_of_the_clip_are_read() {
        let structure = look(CLIP).unwrap().unwrap();
        assert!(!structure.fragmented && structure.missing_bytes == 0);
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
