//! What the headers of a file say.

use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use mediaflow_core::media::{MediaFile, MediaInfo, Scratch};
use mediaflow_core::{Error, Limits, Result};

use crate::error;
use crate::gst::discover::{Facts, discover};
use crate::iso_bmff::{self, Structure};

/// Reads them on a thread of its own, and checks them against the limits.
pub(crate) async fn probe(file: &MediaFile, limits: &Limits) -> Result<MediaInfo> {
    let (file, limits) = (file.clone(), limits.clone());
    // Not on the CPU pool: a probe waits rather than works, and keeps its own deadline.
    tokio::task::spawn_blocking(move || {
        let info = headers(&file, &limits).map_err(|e| e.with("source", file.name()))?;
        check_limits(&info, &limits).map_err(|e| e.with("source", file.name()))?;
        Ok(info)
    })
    .await
    .unwrap_or_else(|e| Err(Error::internal("video.panicked", "the probe panicked").because(e)))
}

/// Boxes first, because they tell a cut file at once; then what the demuxer says.
pub(crate) fn headers(file: &MediaFile, limits: &Limits) -> Result<MediaInfo> {
    let mut reader = file.blob().reader()?;
    let structure = iso_bmff::inspect(&mut *reader)?;
    if let Some(structure) = structure.as_ref().filter(|structure| structure.missing_bytes > 0) {
        return Err(match structure.missing_seconds() {
            missing if missing > 0.0 => error::truncated(missing, structure.seconds()),
            _ => error::truncated_bytes(structure.missing_bytes),
        });
    }
    let cut_riff = riff_missing(&mut *reader).map_err(error::io)?;
    drop(reader);
    if cut_riff > 0 {
        return Err(error::truncated_bytes(cut_riff));
    }
    let blob = Scratch::in_folder(std::env::temp_dir())
        .materialise(file.blob(), file.format().extension())?;
    let path =
        blob.path().ok_or_else(|| Error::internal("blob.no_path", "a file blob has no path"))?;
    let facts = discover(path, limits.probe_time)?;
    Ok(describe(file, facts, structure.as_ref()))
}

fn describe(file: &MediaFile, facts: Facts, structure: Option<&Structure>) -> MediaInfo {
    let mut info = MediaInfo::new(file.format().clone())
        .with_bytes(file.blob().len())
        .with_size(facts.width, facts.height);
    info.orientation = facts.orientation;
    info.streams = facts.streams;
    info.duration = facts.duration;
    let tables = structure.filter(|structure| !structure.fragmented);
    let longest =
        tables.map(|tables| Duration::try_from_secs_f64(tables.seconds()).unwrap_or_default());
    if let Some(longest) = longest.filter(|longest| !longest.is_zero()) {
        info.duration = Some(info.duration.map_or(longest, |duration| duration.min(longest)));
    }
    // Samples that an edit list hides are in the tables too: then the number that is shown is not known.
    let video = tables.and_then(|tables| tables.track(*b"vide"));
    info.frames =
        video.filter(|track| track.duration <= track.shown + 0.001).map_or(0, |t| t.samples);
    info
}

/// Bytes that a RIFF header (AVI) claims beyond the end of the file.
fn riff_missing(reader: &mut (impl Read + Seek + ?Sized)) -> std::io::Result<u64> {
    let len = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(0))?;
    let mut head = [0; 12];
    if len < 12 {
        return Ok(0);
    }
    reader.read_exact(&mut head)?;
    let [b'R', b'I', b'F', b'F', a, b, c, d, b'A', b'V', b'I', b' '] = head else {
        return Ok(0);
    };
    Ok(u64::from(u32::from_le_bytes([a, b, c, d])).saturating_add(8).saturating_sub(len))
}

fn check_limits(info: &MediaInfo, limits: &Limits) -> Result<()> {
    limits.check_pixels(info.width, info.height, 1)?;
    match info.duration {
        Some(duration) if duration > limits.duration => Err(Error::limit(
            "limit.duration",
            format!(
                "{:.0} s are more than the limit of {:.0} s",
                duration.as_secs_f64(),
                limits.duration.as_secs_f64()
            ),
        )
        .with("limit", "duration")
        .help("send a shorter file, or raise `Limits::duration`")),
        _ => Ok(()),
    }
}
