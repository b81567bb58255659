#[cfg(not(feature = "turbo"))]
mod pure;
#[cfg(feature = "turbo")]
mod turbo;

use bytes::Bytes;
use mediaflow_core::media::{Image, Metadata};
use mediaflow_core::{Error, Result, RunContext};

use crate::error::truncated;
use crate::probe::{Header, Segment, segments};

#[cfg(not(feature = "turbo"))]
use pure::pixels;
#[cfg(feature = "turbo")]
use turbo::pixels;

pub(super) fn decode(
    bytes: &Bytes,
    header: &Header,
    eighths: u32,
    cx: &RunContext,
) -> Result<Image> {
    let (segments, scan) = segments(bytes);
    // Decoders fill what is missing with grey; the end marker is the cheapest proof that nothing is.
    if !bytes.get(scan..).is_some_and(|data| data.windows(2).rev().any(|pair| pair == [0xFF, 0xD9]))
    {
        return Err(truncated(&header.format));
    }
    if header.progressive() {
        check_scans(bytes.get(scan..).unwrap_or_default(), header, cx)?;
    }
    let (width, height, channels, pixels) = pixels(bytes, header, eighths, cx)?;
    let image = match channels {
        4 => Image::new(width, height, 3, from_inks(pixels)),
        _ => Image::new(width, height, channels, pixels),
    }?;
    let mut metadata = metadata(bytes, segments);
    if channels == 4 {
        // The profile speaks of inks, and these are gone.
        metadata.icc = None;
    }
    Ok(image.with_metadata(metadata))
}

/// Each scan runs over the whole picture: a small file with thousands of them takes minutes.
fn check_scans(data: &[u8], header: &Header, cx: &RunContext) -> Result<()> {
    let scans = 1 + data.windows(2).filter(|pair| *pair == [0xFF, 0xDA]).count();
    let allowed = cx.limits().scans;
    if scans as u64 > u64::from(allowed) {
        return Err(Error::limit(
            "limit.scans",
            format!("{scans} scans are more than the limit of {allowed}"),
        )
        .with("limit", "scans")
        .with("format", &header.format)
        .help("save the file again, or raise `Limits::scans`"));
    }
    Ok(())
}

/// CMYK as Adobe writes it (255 is no ink) to RGB, in place. Without a colour profile, as browsers do it.
fn from_inks(mut pixels: Vec<u8>) -> Vec<u8> {
    let count = pixels.len() / 4;
    for i in 0..count {
        let [c, m, y, k] = [pixels[4 * i], pixels[4 * i + 1], pixels[4 * i + 2], pixels[4 * i + 3]];
        for (channel, ink) in [c, m, y].into_iter().enumerate() {
            pixels[3 * i + channel] = product(ink, k);
        }
    }
    pixels.truncate(count * 3);
    pixels
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a product of two fractions of 255 is at most 255"
)]
fn product(a: u8, b: u8) -> u8 {
    ((u32::from(a) * u32::from(b) + 127) / 255) as u8
}

fn metadata(bytes: &Bytes, segments: Vec<Segment<'_>>) -> Metadata {
    let mut metadata = Metadata::default();
    let mut profile = Vec::new();
    for segment in segments {
        match segment {
            Segment::Exif(tiff) => metadata.exif = Some(bytes.slice_ref(tiff)),
            Segment::Xmp(packet) => metadata.xmp = Some(bytes.slice_ref(packet)),
            Segment::Icc(number, part) => profile.push((number, part)),
        }
    }
    profile.sort_by_key(|(number, _)| *number);
    if !profile.is_empty() {
        metadata.icc = Some(profile.iter().flat_map(|(_, part)| part.iter().copied()).collect());
    }
    metadata
}
