//! One track of the index: what it holds, how much of it, and when it is shown.

use super::boxes::{be16, be32, be64, boxes, find, find_in};
use super::pcm::Pcm;
use super::tables::{End, Presented, Sizes, first_sample_beyond, start_of};
use super::timeline::{Scales, Timeline, nanoseconds};

/// Samples of the tables of times that are looked at for the earliest one.
const MAX_OFFSETS: usize = 4_000_000;

/// One track.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Track {
    /// `vide`, `soun`, `text`, ...
    pub(crate) handler: [u8; 4],
    /// What its samples are, `avc1`, `mp4a`, ...; nothing if the file does not say.
    pub(crate) codec: [u8; 4],
    /// Width and height of its stored pictures.
    pub(crate) size: (u16, u16),
    /// Its language by ISO 639-2, if the file says one.
    pub(crate) language: Option<String>,
    /// Samples in the tables.
    pub(crate) samples: u64,
    /// Length of the media in seconds.
    pub(crate) duration: f64,
    /// When its last sample has been shown, in seconds: an edit list may shift it and leave parts out.
    pub(crate) shown: f64,
    /// Where the first sample begins that lies beyond the end of the file, in seconds.
    pub(crate) cut_at: Option<f64>,
    /// The end of the last sample in media time, by the order in which they are shown.
    presented: Option<i64>,
    /// It is meant to be shown.
    pub(crate) enabled: bool,
    /// When its samples are shown.
    pub(crate) timeline: Timeline,
    /// What its `colr` box says of the range and the colours.
    pub(crate) colour: Option<Colour>,
    /// Its sound, if that is not compressed.
    pub(crate) pcm: Option<Pcm>,
    /// Where its box begins in the index.
    pub(super) at: u64,
    /// Where its edit list begins in the index.
    pub(super) edits: Option<u64>,
    /// Where the index says how long its media is, and what it would say if that were a minute more.
    pub(super) longer: Option<(u64, Vec<u8>)>,
}

/// Code points of ITU-T H.273, as an `nclx` or `nclc` box has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour {
    pub(crate) primaries: u16,
    pub(crate) transfer: u16,
    pub(crate) matrix: u16,
    /// From 0 to 255; `nclc` does not say.
    pub(crate) full_range: Option<bool>,
}

impl Track {
    /// A still that stands beside a film or a song, such as a cover.
    pub(crate) fn is_still(&self) -> bool {
        matches!(&self.codec, b"jpeg" | b"mjpg" | b"png " | b"mjpa" | b"tiff" | b"gif ")
            && self.samples <= 1
    }

    /// When its last sample has been shown, in nanoseconds: a list may promise more than there is. Nothing if it is not known.
    pub(crate) fn end(&self) -> Option<i64> {
        Some(self.timeline.end_of(self.presented?))
    }

    /// Reads a `trak`, which begins at this place of the index.
    pub(super) fn read(
        trak: &[u8],
        at: u64,
        header: u64,
        movie_scale: u32,
        end: Option<&mut End>,
    ) -> Option<Self> {
        let mdia = find(trak, *b"mdia")?;
        let mdhd = find(mdia, *b"mdhd")?;
        let (timescale, duration) = match mdhd.first()? {
            1 => (be32(mdhd, 20)?, be64(mdhd, 24)?),
            _ => (be32(mdhd, 12)?, u64::from(be32(mdhd, 16)?)),
        };
        // All ones are not known.
        let is_known = duration != u64::MAX && duration != u64::from(u32::MAX);
        let duration = if is_known { duration } else { 0 };
        let handler = find(mdia, *b"hdlr")?.get(8..12)?.try_into().ok()?;
        let stbl = find_in(mdia, &[*b"minf", *b"stbl"])?;
        let entry = find(stbl, *b"stsd").and_then(|stsd| stsd.get(8..));
        let codec = entry.and_then(|entry| entry.get(4..8)?.try_into().ok()).unwrap_or_default();
        let sizes = Sizes::read(stbl);
        let cut_at = match (&sizes, end) {
            (Some(sizes), Some(end)) => first_sample_beyond(stbl, sizes, end)
                .map(|sample| seconds(start_of(stbl, sample), timescale)),
            _ => None,
        };
        let scales = Scales { movie: movie_scale, media: timescale };
        let timeline = Timeline::read(trak, scales, lead(stbl), duration);
        // Where the content of a box begins that is found inside another's.
        let begin = |outer: &[u8], kind: [u8; 4]| {
            let inner = boxes(outer).find(|inner| inner.kind == kind)?;
            Some((inner.at + inner.header) as u64)
        };
        let mdhd_at = at + header + begin(trak, *b"mdia")? + begin(mdia, *b"mdhd")?;
        let more = u64::from(timescale).saturating_mul(60);
        let longer = match (mdhd.first()?, duration.saturating_add(more)) {
            // It does not know.
            _ if duration == 0 => None,
            (1, more) => Some((mdhd_at + 24, more.to_be_bytes().to_vec())),
            (_, more) => {
                u32::try_from(more).ok().map(|more| (mdhd_at + 16, more.to_be_bytes().into()))
            }
        };
        let duration = seconds(duration, timescale);
        let shown = timeline.end().map_or(duration, |end| end as f64 / 1e9);
        let edts = boxes(trak).find(|inner| inner.kind == *b"edts");
        Some(Self {
            handler,
            codec,
            size: entry
                .filter(|_| handler == *b"vide")
                .and_then(|entry| Some((be16(entry, 32)?, be16(entry, 34)?)))
                .unwrap_or_default(),
            language: language(mdhd),
            samples: sizes.map_or(0, |sizes| u64::from(sizes.count)),
            duration,
            shown,
            cut_at,
            presented: find(stbl, *b"stts")
                .and_then(|stts| Presented::read(stts, find(stbl, *b"ctts").unwrap_or_default()))
                .map(|shown| i128::from(shown.end()) + i128::from(lead(stbl)))
                .map(|end| nanoseconds(end, timescale)),
            enabled: find(trak, *b"tkhd").is_none_or(|tkhd| tkhd.get(3).is_none_or(|f| f & 1 == 1)),
            timeline,
            colour: entry.filter(|_| handler == *b"vide").and_then(colour),
            pcm: entry.filter(|_| handler == *b"soun").and_then(|entry| Pcm::read(entry, stbl)),
            at,
            edits: edts.map(|edts| at + header + edts.at as u64),
            longer,
        })
    }
}

/// Three letters of five bits.
fn language(mdhd: &[u8]) -> Option<String> {
    let packed = be16(mdhd, if mdhd.first()? == &1 { 32 } else { 20 })?;
    let letter = |shift: u16| u8::try_from(packed >> shift & 0x1f).ok().map(|letter| letter + 0x60);
    let letters = [letter(10)?, letter(5)?, letter(0)?];
    let is_one = letters.iter().all(u8::is_ascii_lowercase) && letters != *b"und";
    is_one.then(|| letters.map(char::from).iter().collect())
}

fn seconds(ticks: u64, timescale: u32) -> f64 {
    nanoseconds(ticks.into(), timescale) as f64 / 1e9
}

/// The `colr` box of the first video sample entry.
fn colour(entry: &[u8]) -> Option<Colour> {
    const VIDEO_ENTRY: usize = 86;
    let colr = find(entry.get(VIDEO_ENTRY..)?, *b"colr")?;
    let full_range = match colr.get(..4)? {
        b"nclx" => Some(colr.get(10)? & 0x80 != 0),
        b"nclc" => None,
        _ => return None,
    };
    let code = |at| be16(colr, at);
    Some(Colour { primaries: code(4)?, transfer: code(6)?, matrix: code(8)?, full_range })
}

/// Ticks by which demuxers put all times later, so that none is before zero: pictures that are shown before they are decoded
/// have negative offsets.
fn lead(stbl: &[u8]) -> u32 {
    let Some(ctts) = find(stbl, *b"ctts") else { return 0 };
    let least = match find(stbl, *b"cslg") {
        Some(cslg) if cslg.first() == Some(&0) => be32(cslg, 8).map(u32::cast_signed),
        _ => None,
    };
    let number = be32(ctts, 4).and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
    let offsets = (0..number.min(MAX_OFFSETS))
        .map_while(|entry| be32(ctts, 12 + entry * 8).map(u32::cast_signed));
    least.or(offsets.min()).map_or(0, |least| least.min(0).unsigned_abs())
}
