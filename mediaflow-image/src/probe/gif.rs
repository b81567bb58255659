use std::io::{BufRead, Seek};

use mediaflow_core::{Limits, Result};

use super::Header;
use super::walk::Walk;

/// Seeks from block to block to the end: frames can be counted in no other way, and a missing trailer is the only sign
/// that the file was cut.
pub(super) fn probe<R: BufRead + Seek>(walk: &mut Walk<R>, limits: &Limits) -> Result<Header> {
    if !matches!(&walk.array::<6>()?, b"GIF87a" | b"GIF89a") {
        return Err(walk.corrupt("the signature is damaged"));
    }
    let mut header = Header::new(walk.format().clone());
    (header.width, header.height) = (u32::from(walk.u16_le()?), u32::from(walk.u16_le()?));
    header.frames = 0;
    let [flags, _, _] = walk.array::<3>()?;
    palette(walk, flags)?;
    let mut transparent = false;
    loop {
        match walk.u8()? {
            0x3B if header.frames == 0 => return Err(walk.corrupt("there is no frame")),
            0x3B => return Ok(header),
            0x21 => {
                let label = walk.u8()?;
                if label == 0xF9 {
                    let [_, flags] = walk.array::<2>()?;
                    transparent = flags & 1 == 1;
                    walk.skip(3)?;
                }
                blocks(walk)?;
            }
            0x2C => {
                let (left, top) = (walk.u16_le()?, walk.u16_le()?);
                let size = (u32::from(walk.u16_le()?), u32::from(walk.u16_le()?));
                let flags = walk.u8()?;
                palette(walk, flags)?;
                walk.skip(1)?;
                blocks(walk)?;
                let whole = (left, top) == (0, 0) && size == (header.width, header.height);
                if header.frames == 0 && (transparent || !whole) {
                    header.channels = 4;
                }
                header.frames += 1;
                limits.check_pixels(header.width, header.height, header.frames)?;
            }
            _ => return Err(walk.corrupt("a block of no known kind")),
        }
    }
}

fn palette<R: BufRead + Seek>(walk: &mut Walk<R>, flags: u8) -> Result<()> {
    if flags & 0x80 == 0 { Ok(()) } else { walk.skip(3 << ((flags & 7) + 1)) }
}

fn blocks<R: BufRead + Seek>(walk: &mut Walk<R>) -> Result<()> {
    loop {
        match walk.u8()? {
            0 => return Ok(()),
            len => walk.skip(u64::from(len))?,
        }
    }
}
