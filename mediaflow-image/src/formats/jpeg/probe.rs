use mediaflow_core::{Limits, Result};

use super::frame::Frame;
use super::outline::{application, is_astray, read};
use super::segment::{EOI, SOI, SOS, is_beside};
use crate::codec::{Header, Walk};
use crate::pixels::converts;

/// So much of application data tells what it is.
const NAMED: u64 = 12;

/// What a colour profile begins with, and one that is in one segment.
const PROFILE: &[u8] = b"ICC_PROFILE\0";
const WHOLE: &[u8] = b"ICC_PROFILE\0\x01\x01";

/// Bytes of tables and headers beside the metadata, at most.
const TABLES: u64 = 1 << 20;

/// Reads all segments up to the first scan.
///
/// # Errors
/// `image.truncated`, `image.corrupt`, `image.unsupported`, `limit.*`.
pub(super) fn probe(walk: &mut Walk, limits: &Limits) -> Result<Header> {
    let error = match segments(walk, limits) {
        Err(error) if is_astray(&error) => error,
        probed => return probed,
    };
    // They do not follow one another as they should: the whole of them is looked through.
    walk.go(0)?;
    let most = limits.metadata_bytes.saturating_add(TABLES).min(walk.left());
    let bytes = walk.bytes(usize::try_from(most).unwrap_or(usize::MAX))?;
    match read(&bytes).and_then(|outline| outline.header(&bytes, limits)) {
        Err(other) if is_astray(&other) => Err(error),
        probed => probed,
    }
}

/// Seeks from one segment to the next.
fn segments(walk: &mut Walk, limits: &Limits) -> Result<Header> {
    if walk.array::<2>()? != [0xFF, SOI] {
        return Err(walk.corrupt("a JPEG begins with FF D8"));
    }
    let mut header = Header::new(walk.format().clone());
    let (mut metadata, mut profile) = (0, Vec::new());
    loop {
        let marker = marker(walk)?;
        match marker {
            SOS if header.width == 0 => return Err(walk.corrupt("a scan comes before the size")),
            SOS => {
                let is_srgb = |profile| !converts(profile, header.channels);
                let stays = !header.icc || profile.strip_prefix(WHOLE).is_some_and(is_srgb);
                return Ok(Header { unit: header.unit.filter(|_| stays), ..header });
            }
            SOI | 0x01 | 0xD0..=0xD7 => continue,
            EOI => return Err(walk.corrupt("the picture ends before it begins")),
            _ => {}
        }
        let len = u64::from(walk.u16_be()?)
            .checked_sub(2)
            .ok_or_else(|| walk.corrupt("a segment is shorter than its own length"))?;
        let end = walk.at() + len;
        if is_beside(marker) {
            metadata += len;
            limits.check_metadata(metadata)?;
            let wanted = if matches!(marker, 0xE1 | 0xE2) { len } else { len.min(NAMED) };
            let data = walk.bytes(small(wanted))?;
            application(marker, &data, &mut header);
            if data.starts_with(PROFILE) {
                profile = data;
            }
        } else if Frame::is(marker) {
            let frame = Frame::read(marker, &walk.bytes(small(len))?)?.header()?;
            header = Header { orientation: header.orientation, icc: header.icc, ..frame };
        }
        walk.skip_to(end)?;
    }
}

fn marker(walk: &mut Walk) -> Result<u8> {
    if walk.u8()? != 0xFF {
        return Err(walk.corrupt("a segment does not begin with FF"));
    }
    loop {
        match walk.u8()? {
            0xFF => {}
            marker => return Ok(marker),
        }
    }
}

/// A segment has at most 64 KiB.
fn small(len: u64) -> usize {
    usize::try_from(len).unwrap_or(0)
}
