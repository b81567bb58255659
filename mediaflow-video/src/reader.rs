use async_trait::async_trait;
use mediaflow_core::media::{Format, MediaFile, MediaInfo, StreamKind};
use mediaflow_core::reader::{FormatSpec, Reader};
use mediaflow_core::{Error, Result, Retry, RunContext, codes};

use crate::NAME;
use crate::container::formats;
use crate::exit::LENGTH_SLACK;
use crate::gst::decode::decode;
use crate::gst::pipeline::Watch;
use crate::gst::source::{Origin, Sound};
use crate::probe::{self, Opened};

/// Reads containers of video with GStreamer.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct VideoReader;

impl VideoReader {
    /// The reader. Plugins are looked for when they are needed, so this never fails.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Reader for VideoReader {
    fn name(&self) -> &str {
        NAME
    }

    fn formats(&self) -> Vec<FormatSpec> {
        formats()
    }

    async fn probe(&self, file: &MediaFile, cx: &RunContext) -> Result<MediaInfo> {
        probe::probe(file, cx).await
    }

    async fn verify(
        &self,
        file: &MediaFile,
        expected: &MediaInfo,
        cx: &RunContext,
    ) -> Result<MediaInfo> {
        let (file, expected, this) = (file.clone(), expected.clone(), cx.clone());
        cx.blocking(move || {
            let opened = Opened::new(&file, &this)?;
            let found = opened.headers(&file, &this)?;
            compare(&found, &expected)?;
            check_decodes(&opened.origin, &found, &this)?;
            Ok(found)
        })
        .await
    }
}

/// A zero or missing field of `expected` expects nothing.
fn compare(found: &MediaInfo, expected: &MediaInfo) -> Result<()> {
    let differs = |code: &'static str, what: &str, found: String, expected: String| {
        let message = format!("the result has {what} {found}, not {expected}");
        // It would differ again.
        Err(Error::backend(code, message).retrying(Retry::Never))
    };
    if expected.format != Format::RAW && found.format != expected.format {
        return differs(
            codes::VERIFY_FORMAT,
            "the format",
            found.format.to_string(),
            expected.format.to_string(),
        );
    }
    let ((width, height), (w, h)) =
        ((found.width, found.height), (expected.width, expected.height));
    if (w > 0 && w != width) || (h > 0 && h != height) {
        return differs(
            codes::VERIFY_SIZE,
            "the size",
            format!("{width}x{height}"),
            format!("{w}x{h}"),
        );
    }
    if expected.frames > 1 && found.frames > 0 && found.frames != expected.frames {
        let (found, expected) = (found.frames.to_string(), expected.frames.to_string());
        return differs(codes::VERIFY_FRAMES, "frames", found, expected);
    }
    if let Some(wanted) = expected.duration {
        let length = found.duration.unwrap_or_default().as_secs_f64();
        let frame = expected
            .stream(StreamKind::Video)
            .and_then(|stream| stream.fps)
            .map_or(0.0, |fps| 1.0 / fps);
        if (length - wanted.as_secs_f64()).abs() > LENGTH_SLACK.max(frame + 0.03) {
            return differs(
                codes::VERIFY_DURATION,
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
                codes::VERIFY_STREAMS,
                "the streams",
                codecs.join(" "),
                stream.codec.clone(),
            );
        }
    }
    Ok(())
}

/// Decodes all of it: what an index promises must be there.
fn check_decodes(origin: &Origin, info: &MediaInfo, cx: &RunContext) -> Result<()> {
    let check = || cx.check();
    let watch = Watch { check: &check, stall: cx.limits().stall_time, progress: &|_| {} };
    // A track without samples promises nothing.
    let is_empty = |handler| {
        let structure = origin.structure.as_ref().filter(|structure| !structure.fragmented);
        let track = structure.and_then(|structure| structure.track(handler));
        track.is_some_and(|track| track.samples == 0)
    };
    let promised = |kind| {
        let handler = if kind == StreamKind::Audio { *b"soun" } else { *b"vide" };
        info.stream(kind).is_some() && !is_empty(handler)
    };
    let sound = if promised(StreamKind::Audio) { Sound::Wanted } else { Sound::Ignored };
    let decoded = decode(origin, sound, &watch);
    let is_strange = |error: &Error| error.code() == codes::VIDEO_MISSING_PLUGIN;
    let (decoded, is_heard) = match decoded {
        // A copy of what nothing here can play is still a copy of the rest.
        Err(error) if is_strange(&error) && promised(StreamKind::Video) => {
            let decoded = decode(origin, Sound::Ignored, &watch)?;
            cx.warn(format!("the sound is not checked: {}", error.message()));
            (decoded, false)
        }
        decoded => (decoded?, true),
    };
    // It would come out the same again.
    let wrong =
        |code: &'static str, what: String| Err(Error::backend(code, what).retrying(Retry::Never));
    if promised(StreamKind::Video) && decoded.frames == 0 {
        return wrong(codes::VERIFY_FRAMES, "no frame of the result can be decoded".to_owned());
    }
    let is_whole = (decoded.frames..=decoded.frames + decoded.leading).contains(&info.frames);
    if info.frames > 0 && !is_whole {
        let (found, promised) = (decoded.frames, info.frames);
        let what = format!("{found} frames of the result can be decoded, of {promised}");
        return wrong(codes::VERIFY_FRAMES, what);
    }
    if promised(StreamKind::Audio) && is_heard && !decoded.has_sound {
        return wrong(codes::VERIFY_STREAMS, "no sound of the result can be decoded".to_owned());
    }
    if info.duration.is_none_or(|length| length.is_zero()) {
        return wrong(codes::VERIFY_DURATION, "the result has no length".to_owned());
    }
    Ok(())
}
