use mediaflow_core::media::Format;
use mediaflow_core::{Error, Limits, Result};

use super::frame::{Frame, Tables};
use super::segment::{EOI, SOI, SOS, Segment, is_beside, is_segment, marker};
use crate::codec::{Header, exif};
use crate::error::{corrupt, truncated};

/// How many places are tried where a segment could begin that another one seems to cover.
const TRIES: usize = 1_000;

/// The most segments that are looked at, and bytes between them that are passed over; of the latter so many where a segment is
/// only thought to begin.
const SEGMENTS: usize = 10_000;
const STRAY: usize = 1 << 20;
const STRAY_TRIED: usize = 1 << 16;

/// The segments of a JPEG in memory up to its first scan.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    pub(super) segments: Vec<Segment>,
    pub(super) frame: Frame,
    /// The header of the first scan.
    pub(super) scan: Segment,
    /// What is wrong between the segments, for people.
    pub(super) damage: Option<&'static str>,
    /// Whether a decoder would lose its way in them.
    pub(super) mend: bool,
}

/// Reads all segments up to the first scan, as libjpeg does: bytes between them are passed over. If that leads nowhere, the
/// length of a comment or of application data may be wrong, and what it covers is looked through.
///
/// # Errors
/// `image.truncated` or `image.corrupt` if there is no way to a scan of a known picture.
pub(super) fn read(bytes: &[u8]) -> Result<Outline> {
    if !bytes.starts_with(&[0xFF, SOI]) {
        return Err(corrupt(&Format::JPEG, "a JPEG begins with FF D8"));
    }
    let first = Chain::from(bytes, 2, Vec::new(), STRAY);
    if let Some(outline) = first.whole(bytes) {
        return Ok(outline);
    }
    // Of several the largest: the segment may hold a picture of its own, a small one.
    let mut best: Option<Outline> = None;
    let mut tries = 0;
    for (index, covering) in first.segments.iter().enumerate() {
        let inside = if is_beside(covering.marker) { covering.content.clone() } else { 0..0 };
        for at in inside.start..inside.end.min(bytes.len()) {
            let begins = bytes[at] == 0xFF && bytes.get(at + 1).is_some_and(|m| is_segment(*m));
            if !begins || tries == TRIES {
                continue;
            }
            tries += 1;
            let before = first.segments[..index].to_vec();
            let found = Chain::from(bytes, at, before, STRAY_TRIED).whole(bytes);
            let pixels = |outline: &Outline| outline.frame.pixels();
            if let Some(found) = found
                && best.as_ref().is_none_or(|best| pixels(best) < pixels(&found))
            {
                let damage = Some("a comment or application data has a wrong length");
                best = Some(Outline { damage, mend: true, ..found });
            }
        }
    }
    // A frame of motion JPEG leaves out tables that every decoder knows.
    best.map_or_else(|| first.outline(bytes), Ok)
}

/// Segments one after the other.
struct Chain {
    segments: Vec<Segment>,
    scan: Option<Segment>,
    stray: bool,
    /// Whether it ended because the file does.
    cut: bool,
}

impl Chain {
    fn from(bytes: &[u8], mut at: usize, segments: Vec<Segment>, mut stray: usize) -> Self {
        let mut chain = Self { segments, scan: None, stray: false, cut: false };
        loop {
            let end = at.saturating_add(stray).min(bytes.len());
            let Some((marker, name)) = marker(&bytes[..end], at) else {
                chain.cut = end == bytes.len();
                return chain;
            };
            chain.stray |= bytes[at..name].iter().any(|byte| *byte != 0xFF);
            stray = stray.saturating_sub(name - at);
            if chain.segments.len() >= SEGMENTS {
                return chain;
            }
            match marker {
                // They have no length, and no place here.
                SOI | 0x01 | 0xD0..=0xD7 => {
                    chain.stray = true;
                    at = name + 1;
                    continue;
                }
                _ => {}
            }
            let Some(len) = bytes.get(name + 1..name + 3) else {
                chain.cut = marker != EOI;
                return chain;
            };
            let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
            if len < 2 || !is_segment(marker) {
                // No segment, or the end of a thumbnail: what follows is passed over.
                chain.stray = true;
                at = name + 1;
                continue;
            }
            let end = name + 1 + len;
            let segment = Segment { marker, at: name - 1, content: name + 3..end.min(bytes.len()) };
            if end > bytes.len() {
                chain.cut = true;
                chain.segments.push(segment);
                return chain;
            }
            if marker == SOS && chain.segments.iter().any(|segment| Frame::is(segment.marker)) {
                chain.scan = Some(segment);
                return chain;
            }
            if marker == SOS {
                // What is left of a thumbnail.
                chain.stray = true;
                at = end;
                continue;
            }
            chain.segments.push(segment);
            at = end;
        }
    }

    /// If it leads to a scan, and has all that the scan needs.
    fn whole(&self, bytes: &[u8]) -> Option<Outline> {
        let outline = self.outline(bytes).ok()?;
        let tables = Tables::of(&outline.segments, bytes)?;
        let scan = outline.frame.scan(&bytes[outline.scan.content.clone()])?;
        // What refines a picture does not come first.
        let begins = scan.first == 0 || !outline.frame.is_progressive();
        let whole = outline.frame.pixels() > 0 && begins && tables.serve(&outline.frame, &scan);
        whole.then_some(outline)
    }

    /// As far as it leads.
    fn outline(&self, bytes: &[u8]) -> Result<Outline> {
        let Some(scan) = self.scan.clone() else {
            return Err(match self.cut {
                true => truncated(&Format::JPEG),
                false => corrupt(&Format::JPEG, "the picture ends before it begins"),
            });
        };
        let mut frames = self.segments.iter().filter(|segment| Frame::is(segment.marker));
        let Some(frame) = frames.next() else {
            return Err(corrupt(&Format::JPEG, "a scan comes before the size"));
        };
        let frame = Frame::read(frame.marker, &bytes[frame.content.clone()])?;
        let damage = self.stray.then_some("there are stray bytes between its segments");
        Ok(Outline { segments: self.segments.clone(), frame, scan, damage, mend: self.stray })
    }
}

impl Outline {
    /// What it says of the picture.
    pub(super) fn header(&self, bytes: &[u8], limits: &Limits) -> Result<Header> {
        // What has to be looked for like this is no file to copy.
        let mut header = Header { unit: None, ..self.frame.header()? };
        let mut metadata = 0;
        for segment in self.segments.iter().filter(|segment| is_beside(segment.marker)) {
            metadata += segment.content.len() as u64;
            limits.check_metadata(metadata)?;
            application(segment.marker, &bytes[segment.content.clone()], &mut header);
        }
        Ok(header)
    }

    /// Where the data of the first scan begins.
    pub(super) fn data(&self) -> usize {
        self.scan.content.end
    }
}

/// What application data says of the picture.
pub(super) fn application(marker: u8, data: &[u8], header: &mut Header) {
    match marker {
        0xE1 => {
            if let Some(tiff) = data.strip_prefix(b"Exif\0\0") {
                header.orientation = exif::orientation(tiff);
            }
        }
        0xE2 => header.icc |= data.starts_with(b"ICC_PROFILE\0"),
        _ => {}
    }
}

/// The error of a header that is none, as a walk over the file tells it, unless it can be read in another way.
pub(super) fn is_astray(error: &Error) -> bool {
    use mediaflow_core::codes;
    matches!(error.code(), codes::IMAGE_CORRUPT | codes::IMAGE_TRUNCATED)
}
