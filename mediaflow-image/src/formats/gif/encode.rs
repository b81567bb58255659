use mediaflow_core::media::{Format, Image};
use mediaflow_core::{Result, RunContext};

use super::params::Gif;
use crate::codec::lzw::pack;
use crate::codec::{check_side, exif, kept, too_large, xmp};
use crate::error;
use crate::pixels::{Indexed, indexed, widen};

pub(super) fn encode(image: Image, how: &Gif, cx: &RunContext) -> Result<Vec<u8>> {
    check_side(&image, &Format::GIF, 65_535)?;
    let kept = kept(image.metadata(), how.metadata);
    // There is no place for EXIF.
    let credit = || xmp::packet(&exif::credit(kept.exif.as_ref()?));
    let packet = kept.xmp.as_ref().map(|packet| packet.to_vec()).or_else(credit);
    let image = widen(image, 3, cx)?;
    #[expect(clippy::cast_possible_truncation, reason = "a share needs no more than that")]
    let picture = indexed(&image, how.colors, how.dither as f32, cx)?;
    let file = file((image.width(), image.height()), &picture, packet.as_deref(), cx)?;
    match how.max_bytes.filter(|max| file.len() as u64 > *max) {
        Some(max) => Err(too_large(file.len(), max)),
        None => Ok(file),
    }
}

fn file(
    (width, height): (u32, u32),
    picture: &Indexed,
    packet: Option<&[u8]>,
    cx: &RunContext,
) -> Result<Vec<u8>> {
    let size = |side: u32| u16::try_from(side).map(u16::to_le_bytes);
    let sides = size(width).and_then(|width| Ok([width, size(height)?].concat()));
    let sides = sides.map_err(|cause| error::encode(&Format::GIF, cause))?;
    let count = picture.colours.len() + usize::from(picture.transparent.is_some());
    // The number of colours is a power of two, from two on.
    let bits = (1_u8..8).find(|bits| count <= 1 << bits).unwrap_or(8);
    let mut file = b"GIF89a".to_vec();
    file.extend(&sides);
    file.extend([0xF0 | (bits - 1), 0, 0]);
    file.extend(picture.colours.as_flattened());
    file.resize(13 + (3 << bits), 0);
    if let Some(packet) = packet {
        // Whoever takes the packet for blocks comes to its end by what stands behind it.
        file.extend(b"\x21\xFF\x0BXMP DataXMP");
        file.extend(packet);
        file.push(1);
        file.extend((0..=u8::MAX).rev());
        file.push(0);
    }
    if let Some(transparent) = picture.transparent {
        file.extend([0x21, 0xF9, 4, 1, 0, 0, transparent, 0]);
    }
    file.extend([0x2C, 0, 0, 0, 0]);
    file.extend(&sides);
    let bits = bits.max(2);
    file.extend([0, bits]);
    for block in pack(&picture.numbers, bits, || cx.check())?.chunks(255) {
        file.push(u8::try_from(block.len()).unwrap_or(u8::MAX));
        file.extend(block);
    }
    file.extend([0, 0x3B]);
    Ok(file)
}
