use mediaflow_core::media::{Format, Image, Metadata};
use mediaflow_core::{Result, RunContext};

use super::library;
use super::packet;
use super::params::Jpeg;
use super::segment::LONGEST;
use super::strips;
use crate::codec::{check_side, fitting, kept};
use crate::pixels::flatten;

pub(super) fn encode(image: Image, how: &Jpeg, cx: &RunContext) -> Result<Vec<u8>> {
    check_side(&image, &Format::JPEG, 65_535)?;
    let image = flatten(image, how.background, cx)?;
    let segments = segments(&kept(image.metadata(), how.metadata), cx);
    fitting(how.max_bytes, how.aim(), cx, |quality| {
        let bytes = match library::write(&image, how, quality, cx)? {
            Some(bytes) => bytes,
            None => strips::write(&image, how, quality, cx)?,
        };
        Ok(with_segments(bytes, &segments))
    })
}

/// The metadata as application segments, ready to be put into a file.
pub(super) fn segments(kept: &Metadata, cx: &RunContext) -> Vec<u8> {
    let mut out = Vec::new();
    let mut segment = |marker: u8, parts: [&[u8]; 3]| {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        match u16::try_from(len + 2) {
            Ok(len) => {
                out.extend([0xFF, marker]);
                out.extend(len.to_be_bytes());
                parts.iter().for_each(|part| out.extend_from_slice(part));
            }
            Err(_) => cx.warn("a block of metadata was too long for a JPEG and was left out"),
        }
    };
    if let Some(tiff) = &kept.exif {
        segment(0xE1, [b"Exif\0\0", tiff, b""]);
    }
    if let Some(packet) = &kept.xmp {
        packet::segments(packet).iter().for_each(|part| segment(0xE1, [part, b"", b""]));
    }
    if let Some(profile) = &kept.icc {
        let parts = profile.chunks(LONGEST - 14);
        if let Ok(count) = u8::try_from(parts.len()) {
            for (number, part) in (1..=count).zip(parts) {
                segment(0xE2, [b"ICC_PROFILE\0", &[number, count], part]);
            }
        }
    }
    out
}

/// Puts segments behind the JFIF header, where every reader looks for them.
pub(super) fn with_segments(bytes: Vec<u8>, segments: &[u8]) -> Vec<u8> {
    if segments.is_empty() {
        return bytes;
    }
    let start = match bytes.get(2..6) {
        Some(&[0xFF, 0xE0, high, low]) => 4 + usize::from(u16::from_be_bytes([high, low])),
        _ => 2,
    };
    let (head, rest) = bytes.split_at(start.min(bytes.len()));
    [head, segments, rest].concat()
}
