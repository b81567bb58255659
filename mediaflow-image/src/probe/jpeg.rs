use std::io::{BufRead, Seek};

use mediaflow_core::{Limits, Result};

use super::walk::Walk;
use super::{Header, exif};
use crate::error::unsupported;

const SOI: u8 = 0xD8;
const SOS: u8 = 0xDA;
const APP0: u8 = 0xE0;
const APP15: u8 = 0xEF;
const COM: u8 = 0xFE;

/// Reads all segments up to the first scan.
pub(super) fn probe<R: BufRead + Seek>(walk: &mut Walk<R>, limits: &Limits) -> Result<Header> {
    if walk.array::<2>()? != [0xFF, SOI] {
        return Err(walk.corrupt("a JPEG begins with FF D8"));
    }
    let mut header = Header::new(walk.format().clone());
    let mut metadata = 0;
    loop {
        let marker = marker(walk)?;
        match marker {
            SOS if header.width == 0 => return Err(walk.corrupt("a scan comes before the size")),
            SOS => return Ok(header),
            SOI | 0x01 | 0xD0..=0xD7 => continue,
            0xD9 => return Err(walk.corrupt("the picture ends before it begins")),
            _ => {}
        }
        let len = u64::from(walk.u16_be()?)
            .checked_sub(2)
            .ok_or_else(|| walk.corrupt("a segment is shorter than its own length"))?;
        let end = walk.at() + len;
        match marker {
            APP0..=APP15 | COM => {
                metadata += len;
                limits.check_metadata(metadata)?;
                application(walk, marker, len, &mut header)?;
            }
            0xC4 | 0xC8 | 0xCC => {}
            0xC0..=0xCF => frame(walk, marker, &mut header)?,
            _ => {}
        }
        walk.skip_to(end)?;
    }
}

fn marker<R: BufRead + Seek>(walk: &mut Walk<R>) -> Result<u8> {
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

fn application<R: BufRead + Seek>(
    walk: &mut Walk<R>,
    marker: u8,
    len: u64,
    header: &mut Header,
) -> Result<()> {
    match marker {
        0xE1 if len > 6 => {
            // A segment has at most 64 KiB.
            let data = walk.bytes(usize::try_from(len).unwrap_or(0))?;
            if let Some(tiff) = data.strip_prefix(b"Exif\0\0") {
                header.orientation = exif::orientation(tiff);
            }
        }
        0xE2 if len > 14 => header.icc |= &walk.array::<12>()? == b"ICC_PROFILE\0",
        _ => {}
    }
    Ok(())
}

fn frame<R: BufRead + Seek>(walk: &mut Walk<R>, marker: u8, header: &mut Header) -> Result<()> {
    header.depth = walk.u8()?;
    (header.height, header.width) = (u32::from(walk.u16_be()?), u32::from(walk.u16_be()?));
    let components = walk.u8()?;
    match marker {
        0xC0..=0xC2 => {}
        0xC9 | 0xCA => return Err(unsupported(walk.format(), "arithmetic coding is not decoded")),
        _ => {
            return Err(unsupported(
                walk.format(),
                "lossless and hierarchical JPEG are not decoded",
            ));
        }
    }
    if header.depth != 8 {
        return Err(unsupported(walk.format(), "only 8 bits per sample are decoded")
            .with("depth", header.depth));
    }
    header.channels = match components {
        1 => 1,
        3 | 4 => 3,
        _ => return Err(unsupported(walk.format(), "only 1, 3 and 4 components are decoded")),
    };
    let mut sampling = Vec::with_capacity(usize::from(components));
    for _ in 0..components {
        let [_, factors, _] = walk.array::<3>()?;
        let (h, v) = (u64::from(factors >> 4), u64::from(factors & 15));
        if !(1..=4).contains(&h) || !(1..=4).contains(&v) {
            return Err(walk.corrupt("a sampling factor is out of range"));
        }
        sampling.push((h, v));
    }
    if marker == 0xC2 {
        header.coefficients =
            coefficients(u64::from(header.width), u64::from(header.height), &sampling);
    }
    Ok(())
}

/// Two bytes for each sample of each component, in whole blocks: 3 bytes per pixel at 4:2:0.
fn coefficients(width: u64, height: u64, sampling: &[(u64, u64)]) -> u64 {
    let widest = sampling.iter().map(|(h, _)| *h).max().unwrap_or(1);
    let tallest = sampling.iter().map(|(_, v)| *v).max().unwrap_or(1);
    let (across, down) = (width.div_ceil(8 * widest), height.div_ceil(8 * tallest));
    sampling.iter().map(|(h, v)| across * h * down * v * 64 * 2).sum()
}

/// One metadata segment of a JPEG in memory.
#[derive(Debug, PartialEq)]
pub(crate) enum Segment<'a> {
    /// A TIFF block.
    Exif(&'a [u8]),
    /// An XMP packet.
    Xmp(&'a [u8]),
    /// A part of an ICC profile, and its number from 1.
    Icc(u8, &'a [u8]),
}

/// The metadata of a JPEG whose header was probed, and where its first scan begins.
pub(crate) fn segments(bytes: &[u8]) -> (Vec<Segment<'_>>, usize) {
    let mut found = Vec::new();
    let mut at = 2;
    while let Some(&[0xFF, marker]) = bytes.get(at..at + 2) {
        if marker == 0xFF {
            at += 1;
            continue;
        }
        if matches!(marker, SOI | 0x01 | 0xD0..=0xD7) {
            at += 2;
            continue;
        }
        let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { break };
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        if marker == SOS {
            return (found, end.min(bytes.len()));
        }
        if let Some(data) = bytes.get(at + 4..end) {
            found.extend(segment(marker, data));
        }
        at = end;
    }
    (found, bytes.len())
}

fn segment(marker: u8, data: &[u8]) -> Option<Segment<'_>> {
    match marker {
        0xE1 => data
            .strip_prefix(b"Exif\0\0")
            .map(Segment::Exif)
            .or_else(|| data.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0").map(Segment::Xmp)),
        0xE2 => match data.strip_prefix(b"ICC_PROFILE\0")? {
            [number, _count, profile @ ..] => Some(Segment::Icc(*number, profile)),
            _ => None,
        },
        _ => None,
    }
}
