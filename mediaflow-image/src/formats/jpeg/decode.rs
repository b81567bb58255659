use bytes::Bytes;
use mediaflow_core::media::{Format, Image, Metadata};
use mediaflow_core::{Error, Result, RunContext, codes};

use super::frame::Read;
#[cfg(feature = "turbo")]
use super::halves;
use super::mend::{self, Mended};
use super::outline::{self, Outline};
use super::packet::Packets;
use super::{library, small};
use crate::codec::{Header, Reading, credited, iptc};
use crate::error::truncated;
use crate::pixels::mul;

pub(super) fn decode(
    bytes: &Bytes,
    header: &Header,
    eighths: u32,
    reading: &Reading<'_>,
) -> Result<Image> {
    let outline = outline::read(bytes)?;
    if let Some(damage) = outline.damage {
        reading.warn(damage);
    }
    if header.decoder_bytes > 0 {
        check_scans(bytes, &outline, reading.cx)?;
    }
    let (width, height, channels, pixels) = pixels(bytes, &outline, header, eighths, reading)?;
    let image = match channels {
        4 => Image::new(width, height, 3, from_inks(pixels)),
        _ => Image::new(width, height, channels, pixels),
    }?;
    let mut metadata = metadata(bytes, &outline, reading);
    if channels == 4 {
        // The profile speaks of inks, and these are gone.
        metadata.icc = None;
    }
    Ok(image.with_metadata(metadata))
}

/// The pixels, of a mended copy if the file needs one.
fn pixels(
    bytes: &Bytes,
    outline: &Outline,
    header: &Header,
    eighths: u32,
    reading: &Reading<'_>,
) -> Result<Read> {
    let cx = reading.cx;
    let ended = mend::is_ended(bytes, outline);
    let given = mend::mended(bytes, outline, ended);
    #[cfg(feature = "turbo")]
    if ended
        && given.is_none()
        && let Some(read) = halves::read(bytes, outline, header, eighths, reading)
    {
        return Ok(read);
    }
    cx.check()?;
    let whole = given.as_deref().unwrap_or(bytes);
    // Where the end is missing somebody reads all of it: of a small picture the last scans of a progressive file are passed over.
    let by = if ended { read } else { library::read };
    let error = match by(whole, header, eighths, reading) {
        Ok(pixels) if ended => return Ok(pixels),
        // Nothing but the end is missing.
        Ok(pixels) if mend::has_all_scans(bytes, outline) => {
            reading.warn("its end marker is missing; all rows are there");
            return Ok(pixels);
        }
        Ok(_) => truncated(&header.format),
        Err(_) if !ended && cx.check().is_ok() => truncated(&header.format),
        Err(error) => error,
    };
    cx.check()?;
    if ended && let Ok(read) = read(&mend::plain(bytes, outline), header, eighths, reading) {
        reading.warn("a segment beside its picture breaks the rules, and was passed over");
        return Ok(read);
    }
    if !reading.accepts_damage() || !is_damage(&error) {
        return Err(error);
    }
    drop(given);
    accepted(bytes, outline, header, eighths, reading)?.ok_or(error)
}

/// Width, height, channels and pixels, by whichever decoder is the fastest of those that take the file.
fn read(bytes: &[u8], header: &Header, eighths: u32, reading: &Reading<'_>) -> Result<Read> {
    if small::is_for(eighths)
        && let Some(read) = small::read(bytes, header, eighths, reading)?
    {
        return Ok(read);
    }
    library::read(bytes, header, eighths, reading)
}

/// What can be read of a damaged picture, if there is anything of it.
fn accepted(
    bytes: &Bytes,
    outline: &Outline,
    header: &Header,
    eighths: u32,
    reading: &Reading<'_>,
) -> Result<Option<Read>> {
    let Some(Mended { versions, missing, of }) = mend::readable(bytes, outline, reading.cx)? else {
        return Ok(None);
    };
    for (index, version) in versions.enumerate() {
        reading.cx.check()?;
        let Ok(pixels) = read(&version, header, eighths, reading) else { continue };
        match (missing, index) {
            (0, 1..) => reading.warn(format_args!(
                "0 % of the rows are missing, but fine detail is: the last {index} of its scans are damaged"
            )),
            _ => reading.missing(missing, of, "row"),
        }
        return Ok(Some(pixels));
    }
    Ok(None)
}

fn is_damage(error: &Error) -> bool {
    matches!(error.code(), codes::IMAGE_CORRUPT | codes::IMAGE_TRUNCATED)
}

/// Each scan runs over the whole picture: a small file with thousands of them takes minutes.
pub(super) fn check_scans(bytes: &[u8], outline: &Outline, cx: &RunContext) -> Result<()> {
    let scans = mend::count_scans(bytes, outline);
    let allowed = cx.limits().scans;
    if scans as u64 > u64::from(allowed) {
        return Err(Error::limit(
            codes::LIMIT_SCANS,
            format!("{scans} scans are more than the limit of {allowed}"),
        )
        .with("limit", "scans")
        .with("format", Format::JPEG)
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
            pixels[3 * i + channel] = mul(ink, k);
        }
    }
    pixels.truncate(count * 3);
    pixels
}

pub(super) fn metadata(bytes: &Bytes, outline: &Outline, reading: &Reading<'_>) -> Metadata {
    let mut metadata = Metadata::default();
    let (mut profile, mut resources) = (Vec::new(), Vec::new());
    let mut packets = Packets::default();
    for segment in &outline.segments {
        let data = &bytes[segment.content.clone()];
        match segment.marker {
            0xE1 => {
                if let Some(tiff) = data.strip_prefix(b"Exif\0\0") {
                    metadata.exif = Some(bytes.slice_ref(tiff));
                } else {
                    packets.take(data);
                }
            }
            0xE2 => {
                if let Some([number, count, part @ ..]) = data.strip_prefix(b"ICC_PROFILE\0") {
                    profile.push((*number, *count, part));
                }
            }
            // What is longer than a segment goes on in the next one.
            0xED => {
                let part = data.strip_prefix(b"Photoshop 3.0\0");
                resources.extend_from_slice(part.unwrap_or_default());
            }
            _ => {}
        }
    }
    let (packet, is_all) = packets.whole(bytes);
    metadata.xmp = packet;
    if !is_all {
        reading.warn("a part of its XMP is missing, and only what comes before was read");
    }
    credited(&mut metadata, || iptc::in_resources(&resources));
    profile.sort_by_key(|(number, ..)| *number);
    let whole = profile.iter().zip(1..).all(|((number, count, _), expected)| {
        *number == expected && usize::from(*count) == profile.len()
    });
    if !whole {
        reading.warn("a part of its colour profile is missing, and it was ignored");
    } else if !profile.is_empty() {
        metadata.icc = Some(profile.iter().flat_map(|(.., part)| part.iter().copied()).collect());
    }
    metadata
}
