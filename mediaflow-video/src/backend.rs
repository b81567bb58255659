//! The backend: probe, verify, plan.

use std::path::Path;

use async_trait::async_trait;
use mediaflow_core::backend::{Backend, Capability, Group, Plan};
use mediaflow_core::media::{Format, MediaFile, MediaInfo, StreamKind};
use mediaflow_core::plan::CostClass;
use mediaflow_core::{Error, Limits, Operation, Result, RunContext};

use crate::NAME;
use crate::gst::pipeline::Watch;
use crate::gst::source::{self, Source};
use crate::ops::{Fps, Mp4, Poster, Resize, Trim};
use crate::plan::VideoPlan;
use crate::probe::{self, headers};

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
            .class(CostClass::Video)
    }

    async fn probe(&self, file: &MediaFile, limits: &Limits) -> Result<MediaInfo> {
        probe::probe(file, limits).await
    }

    async fn verify(
        &self,
        file: &MediaFile,
        expected: &MediaInfo,
        cx: &RunContext,
    ) -> Result<MediaInfo> {
        let (file, expected) = (file.clone(), expected.clone());
        cx.cpu(move |cx| {
            let found = headers(&file, cx.limits())?;
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
