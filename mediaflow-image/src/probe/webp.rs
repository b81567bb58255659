use std::io::{BufRead, Seek};

use mediaflow_core::{Limits, Result};

use super::walk::Walk;
use super::{Header, exif};
use crate::error::truncated;

/// Reads the size, then seeks from chunk to chunk for metadata and frames.
pub(super) fn probe<R: BufRead + Seek>(walk: &mut Walk<R>, limits: &Limits) -> Result<Header> {
    if &walk.array::<4>()? != b"RIFF" {
        return Err(walk.corrupt("the signature is damaged"));
    }
    let size = u64::from(walk.u32_le()?);
    if size > walk.left() {
        return Err(truncated(walk.format()));
    }
    let end = walk.at() + size;
    if &walk.array::<4>()? != b"WEBP" {
        return Err(walk.corrupt("the signature is damaged"));
    }
    let mut header = Header::new(walk.format().clone());
    header.frames = 0;
    let mut metadata = 0;
    while walk.at() + 8 <= end {
        let kind = walk.array::<4>()?;
        let len = u64::from(walk.u32_le()?);
        let next = walk.at() + len + (len & 1);
        match &kind {
            b"VP8 " | b"VP8L" | b"VP8X" if header.width == 0 => picture(walk, kind, &mut header)?,
            b"ANMF" => {
                header.frames += 1;
                limits.check_pixels(1, 1, header.frames)?;
            }
            b"ICCP" | b"EXIF" | b"XMP " => {
                metadata += len;
                limits.check_metadata(metadata)?;
                header.icc |= &kind == b"ICCP";
                if &kind == b"EXIF" {
                    let data = walk.bytes(usize::try_from(len).unwrap_or(usize::MAX))?;
                    header.orientation =
                        exif::orientation(data.strip_prefix(b"Exif\0\0").unwrap_or(&data));
                }
            }
            _ => {}
        }
        // The padding byte of the last chunk is missing in many files.
        walk.skip_to(next.min(end.max(walk.at())))?;
        if next > end + 1 {
            return Err(truncated(walk.format()));
        }
    }
    header.frames = header.frames.max(1);
    Ok(header)
}

fn picture<R: BufRead + Seek>(
    walk: &mut Walk<R>,
    kind: [u8; 4],
    header: &mut Header,
) -> Result<()> {
    match &kind {
        b"VP8X" => {
            let [flags, _, _, _] = walk.array::<4>()?;
            header.channels = if flags & 0x10 != 0 { 4 } else { 3 };
            let [w0, w1, w2, h0, h1, h2] = walk.array::<6>()?;
            header.width = u32::from_le_bytes([w0, w1, w2, 0]) + 1;
            header.height = u32::from_le_bytes([h0, h1, h2, 0]) + 1;
        }
        b"VP8L" => {
            if walk.u8()? != 0x2F {
                return Err(walk.corrupt("the lossless signature is damaged"));
            }
            let bits = walk.u32_le()?;
            header.width = (bits & 0x3FFF) + 1;
            header.height = ((bits >> 14) & 0x3FFF) + 1;
            header.channels = if bits >> 28 & 1 == 1 { 4 } else { 3 };
        }
        _ => {
            walk.skip(3)?;
            if walk.array::<3>()? != [0x9D, 0x01, 0x2A] {
                return Err(walk.corrupt("the picture does not begin with a key frame"));
            }
            header.width = u32::from(walk.u16_le()? & 0x3FFF);
            header.height = u32::from(walk.u16_le()? & 0x3FFF);
        }
    }
    Ok(())
}

/// The chunks of a WebP in memory: name and content.
pub(crate) fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = bytes.get(12..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (kind, after) = rest.split_at_checked(4)?;
        let (len, after) = after.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        let data = after.get(..len)?;
        rest = after.get(len + (len & 1)..).unwrap_or_default();
        Some((kind, data))
    })
}
