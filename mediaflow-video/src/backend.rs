//! The backend: probe, verify, plan.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use mediaflow_core::backend::{Backend, Capability, Group, Plan};
use mediaflow_core::media::{Format, MediaFile, MediaInfo, Scratch, StreamKind};
use mediaflow_core::{Error, Limits, Operation, Result, RunContext};

use crate::gst::discover::{Facts, discover};
use crate::gst::pipeline::Watch;
use crate::gst::source::{self, Source};
use crate::iso_bmff::{self, Structure};
use crate::ops::{Fps, Mp4, Poster, Resize, Trim};
use crate::plan::VideoPlan;
use crate::{NAME, error};

/// Seconds by which a result may miss the expected length: a frame and an AAC frame, and rounding.
const LENGTH_SLACK: f64 = 0.1;

/// Runs video steps with GStreamer.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct VideoBackend;

impl VideoBackend {
    /// The backend. Plugins are looked for when they are needed, so this never fails.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Backend for VideoBackend {
    fn name(&self) -> &str {
        NAME
    }

    fn capability(&self) -> Capability {
        let formats = ["mp4", "mov", "webm", "mkv", "avi", "flv", "wmv", "mpg"].map(Format::named);
        Capability::new([Resize::KIND, Trim::KIND, Fps::KIND, Mp4::KIND, Poster::KIND], formats)
    }

    async fn probe(&self, file: &MediaFile, limits: &Limits) -> Result<MediaInfo> {
        let (file, limits) = (file.clone(), limits.clone());
        // Not on the CPU pool: a probe waits rather than works, and keeps its own deadline.
        tokio::task::spawn_blocking(move || {
            let info = probe(&file, &limits).map_err(|e| e.with("source", file.name()))?;
            check_limits(&info, &limits).map_err(|e| e.with("source", file.name()))?;
            Ok(info)
        })
        .await
        .unwrap_or_else(|e| Err(Error::internal("video.panicked", "the probe panicked").because(e)))
    }

    async fn verify(
        &self,
        file: &MediaFile,
        expected: &MediaInfo,
        cx: &RunContext,
    ) -> Result<MediaInfo> {
        let (file, expected) = (file.clone(), expected.clone());
        cx.cpu(move |cx| {
            let found = probe(&file, cx.limits())?;
            compare(&found, &expected)?;
            check_decodes(&file, &found, cx)?;
            Ok(found)
        })
        .await
    }

    fn plan(&self, group: &Group) -> Result<Box<dyn Plan>> {
        Ok(Box::new(VideoPlan::read(group)?))
    }
}

/// Boxes first, because they tell a cut file at once; then what the demuxer says.
fn probe(file: &MediaFile, limits: &Limits) -> Result<MediaInfo> {
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

/// A zero or missing field of `expected` expects nothing.
fn compare(found: &MediaInfo, expected: &MediaInfo) -> Result<()> {
    let differs = |code: &'static str, what: &str, found: String, expected: String| {
        Err(Error::backend(code, format!("the result has {what} {found}, not {expected}")))
    };
    if found.format != expected.format {
        return differs(
            "verify.format",
            "the format",
            found.format.to_string(),
            expected.format.to_string(),
        );
    }
    let ((width, height), (w, h)) = (found.upright_size(), expected.upright_size());
    if (w > 0 && w != width) || (h > 0 && h != height) {
        return differs("verify.size", "the size", format!("{width}x{height}"), format!("{w}x{h}"));
    }
    if expected.frames > 1 && found.frames > 0 && found.frames != expected.frames {
        let (found, expected) = (found.frames.to_string(), expected.frames.to_string());
        return differs("verify.frames", "frames", found, expected);
    }
    if let Some(wanted) = expected.duration {
        let length = found.duration.unwrap_or_default().as_secs_f64();
        let frame = expected
            .stream(StreamKind::Video)
            .and_then(|stream| stream.fps)
            .map_or(0.0, |fps| 1.0 / fps);
        if (length - wanted.as_secs_f64()).abs() > LENGTH_SLACK.max(frame + 0.03) {
            return differs(
                "verify.duration",
                "seconds",
                format!("{length:.3}"),
                format!("{:.3}", wanted.as_secs_f64()),
            );
        }
    }
    for stream in &expected.streams {
        if found.stream(stream.kind).is_none_or(|found| found.codec != stream.codec) {
            let codecs: Vec<_> = found.streams.iter().map(|stream| stream.codec.as_str()).collect();
            return differs(
                "verify.streams",
                "the streams",
                codecs.join(" "),
                stream.codec.clone(),
            );
        }
    }
    Ok(())
}

/// Decodes the first buffer of each stream.
fn check_decodes(file: &MediaFile, info: &MediaInfo, cx: &RunContext) -> Result<()> {
    let blob = cx.scratch().materialise(file.blob(), file.format().extension())?;
    let path: &Path =
        blob.path().ok_or_else(|| Error::internal("blob.no_path", "a file blob has no path"))?;
    let check = || cx.check();
    let watch = Watch { check: &check, stall: cx.limits().stall_time, progress: &|_| {} };
    let sound = match info.stream(StreamKind::Audio) {
        Some(_) => source::Sound::Wanted,
        None => source::Sound::Ignored,
    };
    Source::open(path, sound, &watch)?.video().map(drop)
}
