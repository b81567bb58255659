//! What the headers of a file say.

use std::time::{Duration, Instant};

use mediaflow_core::media::{Blob, MediaFile, MediaInfo, Medium, OnDamage, StreamKind};
use mediaflow_core::{Error, Limits, Result, RunContext, codes};

use crate::gst::discover::{Facts, discover};
use crate::gst::measure::measure;
use crate::gst::pipeline::Watch;
use crate::gst::source::Origin;
use crate::isobmff::{self, Structure};
use crate::{container, error};

/// Reads them on a thread of its own, and checks them against the limits.
pub(crate) async fn probe(file: &MediaFile, cx: &RunContext) -> Result<MediaInfo> {
    let (file, this) = (file.clone(), cx.clone());
    // Not on the CPU pool: a probe waits rather than works, and keeps its own deadline.
    cx.blocking(move || {
        let checked = Opened::new(&file, &this).and_then(|opened| {
            let info = opened.headers(&file, &this)?;
            check_limits(&info, this.limits())?;
            Ok(info)
        });
        checked.map_err(|e| e.with("source", file.name()))
    })
    .await
}

/// A file on the disk, that reaches as far as it says.
pub(crate) struct Opened {
    pub(crate) origin: Origin,
    /// What came from memory lies in a temporary file as long as this is there.
    _blob: Blob,
}

impl Opened {
    /// Looks at the boxes, because they tell a cut file at once.
    pub(crate) fn new(file: &MediaFile, cx: &RunContext) -> Result<Self> {
        let mut reader = file.blob().reader()?;
        let structure = isobmff::inspect(&mut *reader)?;
        let is_accepted = file.on_damage() == OnDamage::Accept;
        let missing = container::missing_bytes(&mut *reader).map_err(error::io)?;
        let cut = structure.as_ref().filter(|structure| structure.missing_bytes > 0);
        let error = match (cut, cut.map_or(0.0, Structure::missing_seconds)) {
            (None, _) => (missing > 0).then(|| error::truncated_bytes(missing)),
            (Some(cut), seconds) if seconds > 0.0 => Some(error::truncated(seconds, cut.seconds())),
            (Some(cut), _) => Some(error::truncated_bytes(cut.missing_bytes)),
        };
        match error {
            Some(error) if is_accepted => cx.warn(error.message()),
            Some(error) => return Err(error),
            None => {}
        }
        drop(reader);
        let blob = cx.scratch().materialise(file.blob(), file.format().extension())?;
        let path = blob
            .path()
            .ok_or_else(|| Error::internal(codes::BLOB_NO_PATH, "a file blob has no path"))?;
        let origin = Origin::new(path, structure)?;
        Ok(Self { origin, _blob: blob })
    }

    /// What the demuxer says.
    pub(crate) fn headers(&self, file: &MediaFile, cx: &RunContext) -> Result<MediaInfo> {
        let until = Instant::now() + cx.limits().probe_time;
        let facts = discover(&self.origin, cx.limits().probe_time)?;
        let length = length(&self.origin, file, &facts, until, cx)?;
        Ok(describe(file, facts, length, self.origin.structure.as_deref()))
    }
}

/// How long the file is: what its tables say, or what is read from one end to the other.
fn length(
    origin: &Origin,
    file: &MediaFile,
    facts: &Facts,
    until: Instant,
    cx: &RunContext,
) -> Result<Option<Duration>> {
    let tables = origin.structure.as_deref().filter(|structure| !structure.fragmented);
    let (format, on_damage) = (file.format(), file.on_damage());
    // Of a cut file that is accepted, this is what is there.
    let readable = |tables: &Structure| tables.seconds() - tables.missing_seconds();
    let indexed = tables.map(readable).filter(|seconds| *seconds > 0.0);
    if let Some(seconds) = indexed {
        return Ok(Duration::try_from_secs_f64(seconds).ok());
    }
    let is_exact = EXACT.contains(&format.name()) && on_damage != OnDamage::Accept;
    if is_exact && facts.duration.is_some() {
        return Ok(facts.duration);
    }
    if let Some(transport) = origin.transport.as_ref().filter(|_| on_damage != OnDamage::Accept) {
        let mut reader = file.blob().reader()?;
        let length = transport.length(&mut *reader).map_err(error::io)?;
        // Where the clock jumps, the two ends do not tell.
        let is_near = |seconds: &f64| {
            facts.duration.is_some_and(|about| (about.as_secs_f64() - seconds).abs() < 1.0)
        };
        if let Some(seconds) = length.filter(is_near) {
            return Ok(Duration::try_from_secs_f64(seconds).ok());
        }
    }
    let is_small = file.blob().len() <= READ_WHOLE || on_damage == OnDamage::Accept;
    if let Some(seconds) = origin.told.sure().filter(|_| !is_small) {
        return Ok(Duration::try_from_secs_f64(seconds).ok());
    }
    let check = || {
        cx.check()?;
        if Instant::now() < until { Ok(()) } else { Err(error::probe_time(cx.limits().probe_time)) }
    };
    let watch = Watch { check: &check, stall: cx.limits().stall_time, progress: &|_| {} };
    let measured = match measure(origin, &watch) {
        // A file too long to be read to its end in this time is as long as it says.
        Err(error) if error.code() == codes::VIDEO_PROBE_TIME && facts.duration.is_some() => {
            cx.check()?;
            return Ok(facts.duration);
        }
        measured => measured?,
    };
    let time = |time: i64| Duration::from_nanos(u64::try_from(time).unwrap_or(0));
    let (length, end) = (measured.length().map(time), measured.end().map(time));
    let Some(length) = length else { return Ok(facts.duration) };
    let told = facts.duration.filter(|_| DECLARED.contains(&format.name()));
    if let Some(declared) = origin.told.length.or(told.map(|told| told.as_secs_f64())) {
        // Some say when the last of it ends, wherever the first begins.
        let missing = declared - length.max(end.unwrap_or_default()).as_secs_f64();
        if missing > SLACK {
            let error = error::truncated(missing, declared);
            if on_damage != OnDamage::Accept {
                return Err(error);
            }
            cx.warn(error.message());
        }
    }
    Ok(Some(length))
}

/// Bytes of a file that are read from one end to the other although it says how long it is: its writer may have rounded.
const READ_WHOLE: u64 = 64 << 20;

/// Containers whose own word for their length is exact, at their begin or on their last page.
const EXACT: [&str; 4] = ["avi", "wav", "flac", "ogg"];

/// Containers that say how long they are, and end without a word when they are cut.
const DECLARED: [&str; 2] = ["flv", "wmv"];

/// Seconds by which these may be wrong about themselves: a frame, and a frame of sound.
const SLACK: f64 = 0.25;

fn describe(
    file: &MediaFile,
    facts: Facts,
    length: Option<Duration>,
    structure: Option<&Structure>,
) -> MediaInfo {
    let stored = (facts.width, facts.height);
    let (width, height) =
        if facts.orientation >= 5 { (stored.1, stored.0) } else { (stored.0, stored.1) };
    let mut info = MediaInfo::new(file.format().clone())
        .with_bytes(file.blob().len())
        .with_size(width, height);
    (info.orientation, info.depth) = (facts.orientation, facts.depth);
    info.streams = facts.streams;
    info.medium = match (info.stream(StreamKind::Video), info.stream(StreamKind::Audio)) {
        (Some(_), _) => Medium::Video,
        (None, Some(_)) => Medium::Audio,
        (None, None) => Medium::File,
    };
    info.duration = length;
    // Samples that an edit list hides are in the tables too: then the number that is shown is not known.
    let video = structure.filter(|tables| !tables.fragmented).and_then(|t| t.track(*b"vide"));
    info.frames =
        video.filter(|track| track.duration <= track.shown + 0.001).map_or(0, |t| t.samples);
    info
}

fn check_limits(info: &MediaInfo, limits: &Limits) -> Result<()> {
    limits.check_pixels(info.width, info.height, 1)?;
    match info.duration {
        Some(duration) if duration > limits.duration => Err(Error::limit(
            codes::LIMIT_DURATION,
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
