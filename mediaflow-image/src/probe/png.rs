use std::io::{BufRead, Read, Seek};

use mediaflow_core::{Limits, Result};

use super::walk::Walk;
use super::{Header, exif};
use crate::error::corrupt;

/// Reads all chunks up to the pixels.
pub(super) fn probe<R: BufRead + Seek>(walk: &mut Walk<R>, limits: &Limits) -> Result<Header> {
    if &walk.array::<8>()? != b"\x89PNG\r\n\x1a\n" {
        return Err(walk.corrupt("the signature is damaged"));
    }
    let mut header = Header::new(walk.format().clone());
    let mut metadata = 0;
    loop {
        let len = u64::from(walk.u32_be()?);
        let kind = walk.array::<4>()?;
        let end = walk.at() + len + 4;
        if header.width == 0 && &kind != b"IHDR" {
            return Err(walk.corrupt("the size does not come first"));
        }
        match &kind {
            b"IHDR" => size(walk, &mut header)?,
            b"IDAT" if len > walk.left() => return Err(crate::error::truncated(walk.format())),
            b"IDAT" => return Ok(header),
            b"IEND" => return Err(walk.corrupt("there are no pixels")),
            b"tRNS" => header.channels += u8::from(!header.channels.is_multiple_of(2)),
            b"acTL" => header.frames = u64::from(walk.u32_be()?).max(1),
            b"PLTE" => {}
            _ => {
                metadata += len;
                // Before the content is looked at, and before anything is allocated for it.
                limits.check_metadata(metadata)?;
                match &kind {
                    b"iCCP" => {
                        let profile = inflate(&walk.bytes(small(len))?, limits)?;
                        metadata += profile.len() as u64;
                        limits.check_metadata(metadata)?;
                        header.icc = true;
                    }
                    b"eXIf" => header.orientation = exif::orientation(&walk.bytes(small(len))?),
                    _ => {}
                }
            }
        }
        walk.skip_to(end)?;
    }
}

fn size<R: BufRead + Seek>(walk: &mut Walk<R>, header: &mut Header) -> Result<()> {
    (header.width, header.height) = (walk.u32_be()?, walk.u32_be()?);
    let [depth, colour] = walk.array::<2>()?;
    header.depth = depth;
    header.channels = match colour {
        0 => 1,
        2 | 3 => 3,
        4 => 2,
        6 => 4,
        _ => return Err(walk.corrupt("there is no such colour type").with("colour_type", colour)),
    };
    Ok(())
}

/// The profile inside an iCCP chunk. Inflated piece by piece and given up at the limit: a few kilobytes can hold a
/// gigabyte of zeros.
pub(crate) fn inflate(chunk: &[u8], limits: &Limits) -> Result<Vec<u8>> {
    let format = mediaflow_core::media::Format::PNG;
    let name = chunk.iter().take(80).position(|byte| *byte == 0);
    let Some(packed) = name.and_then(|end| chunk.get(end + 2..)) else {
        return Err(corrupt(&format, "the colour profile has no name"));
    };
    let mut profile = Vec::new();
    flate2::read::ZlibDecoder::new(packed)
        .take(limits.metadata_bytes + 1)
        .read_to_end(&mut profile)
        .map_err(|e| corrupt(&format, "the colour profile can not be inflated").because(e))?;
    limits.check_metadata(profile.len() as u64)?;
    Ok(profile)
}

fn small(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
