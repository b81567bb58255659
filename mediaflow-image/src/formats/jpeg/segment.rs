use std::ops::Range;

use memchr::memchr;

pub(super) const SOI: u8 = 0xD8;
pub(super) const EOI: u8 = 0xD9;
pub(super) const SOS: u8 = 0xDA;
pub(super) const DQT: u8 = 0xDB;
pub(super) const DHT: u8 = 0xC4;
pub(super) const DRI: u8 = 0xDD;
const COM: u8 = 0xFE;

/// The longest content of a segment.
pub(super) const LONGEST: usize = 65_533;

/// A segment: its name, and where it stands, from the FF before the name, and its content.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) marker: u8,
    pub(super) at: usize,
    pub(super) content: Range<usize>,
}

/// Whether content that is named so may be of any length: nobody needs it for the picture.
pub(super) fn is_beside(marker: u8) -> bool {
    matches!(marker, 0xE0..=0xEF | COM)
}

/// What can stand before a scan, with a length.
pub(super) fn is_segment(marker: u8) -> bool {
    is_beside(marker) || matches!(marker, 0xC0..=0xCF | SOS..=0xDF) && marker != 0xC8
}

/// The next marker: its name, and where that stands.
pub(super) fn marker(bytes: &[u8], from: usize) -> Option<(u8, usize)> {
    let mut at = from;
    loop {
        at += memchr(0xFF, bytes.get(at..)?)? + 1;
        at += bytes.get(at..)?.iter().position(|byte| *byte != 0xFF)?;
        if bytes[at] != 0 {
            return Some((bytes[at], at));
        }
    }
}
