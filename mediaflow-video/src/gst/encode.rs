//! One source to any number of MP4 files, in one pipeline.
//!
//! The source is decoded once. Behind a `tee` each rendition has a branch of its own, with fixed caps so that no branch
//! renegotiates what the others see; sound is encoded once per distinct setting and shared.
//!
//! ```text
//! filesrc ! decodebin ! gate ! queue ! convert ! flip ! tee ! queue ! rate ! crop ! scale ! x264enc ! mp4mux ! filesink
//!                       gate ! queue ! convert ! resample ! tee ! avenc_aac ! tee ! queue ! (each mp4mux)
//! ```

use std::path::PathBuf;
use std::time::Duration;

use gstreamer as gst;
use mediaflow_core::Result;

use super::graph::{Graph, has_high_range};
use super::observe::{self, Seen, Window};
use super::pipeline::{Watch, clock_time};
use super::settings::Rendition;
use super::source::{Sound, Source};
use crate::error;

/// Seconds that a stream may end before the declared duration: audio frames and rounded headers.
const SLACK: f64 = 0.06;

/// What is to be made of one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcode {
    /// The file.
    pub(crate) source: PathBuf,
    /// The part that is kept, start and end in the time of the source; all of it without.
    pub(crate) cut: Option<(Duration, Option<Duration>)>,
    /// The length that the source declares, if something better than its demuxer knows it.
    pub(crate) declared: Option<Duration>,
    /// The files to write.
    pub(crate) renditions: Vec<Rendition>,
}

/// What was done.
#[derive(Clone, Debug)]
pub(crate) struct Transcoded {
    /// Of each rendition, in order.
    pub(crate) renditions: Vec<Written>,
    /// Frames of the source that lay in the cut.
    pub(crate) decoded_frames: u64,
    /// The length of the cut, or of the source, as far as it could be decoded.
    pub(crate) duration: Duration,
    /// The same for the picture alone.
    pub(crate) picture: Duration,
    /// The source has more light than the result can show.
    pub(crate) is_hdr: bool,
    /// Where the sound ended, in the time of the source, if there was any.
    pub(crate) sound_end: Option<Duration>,
    /// Where all of it should have ended, if that is known.
    pub(crate) until: Option<Duration>,
    /// The source has sound, but none in the cut.
    pub(crate) is_silent: bool,
}

/// What was written into one file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) frames: u64,
    pub(crate) has_audio: bool,
}

/// Runs it, blocking.
///
/// # Errors
/// `video.truncated` if the source ends before it says, `video.empty_cut`, `video.missing_plugin`,
/// `video.not_decodable`, `video.stalled`, `job.deadline`, `job.cancelled`. Files are left as far as they were
/// written; the caller owns them.
pub(crate) fn transcode(job: &Transcode, watch: &Watch<'_>) -> Result<Transcoded> {
    let wants_audio = job.renditions.iter().any(|rendition| rendition.audio.is_some());
    let mut source =
        Source::open(&job.source, if wants_audio { Sound::Wanted } else { Sound::Watched }, watch)?;
    source.video()?;
    let declared = job.declared.or(source.duration);
    let mut window = None;
    if let Some((start, end)) = job.cut {
        let start = source.cut(start, end, watch)?;
        window = Some(Window { start, end: end.map(clock_time) });
    }
    let pulse = source.running.pulse().clone();
    let is_hdr = has_high_range(source.video()?)?;
    let audio = source.audio.as_ref().filter(|audio| audio.has_data());
    let seen_video = observe::video(&source.video()?.pad, window, &pulse);
    let seen_audio = audio.map(|audio| observe::sound(&audio.pad, window, &pulse));

    let start = window.map_or(Duration::ZERO, |window| window.start.into());
    let until = match (job.cut.and_then(|(_, end)| end), declared) {
        (Some(end), Some(declared)) => Some(end.min(declared)),
        (end, declared) => end.or(declared),
    };
    let graph = Graph { pipeline: source.running.pipeline().clone(), pulse };
    let muxers = graph.muxers(&job.renditions)?;
    let counts = graph.video(source.video()?, &job.renditions, &muxers)?;
    // A stream that has ended before the cut still counts: all results of one source have the same streams.
    let is_silent = wants_audio && source.audio.is_some() && audio.is_none();
    let sound = match audio.filter(|_| wants_audio) {
        Some(audio) => Some(graph.sound(audio)?),
        None => match until.filter(|_| is_silent) {
            Some(until) => Some(graph.silence(until.saturating_sub(start))?),
            None => None,
        },
    };
    if let Some(sound) = &sound {
        graph.audio(sound, &job.renditions, &muxers)?;
    }
    let is_audio_used = audio.is_some() && wants_audio;
    source.running.set_state(gst::State::Playing)?;
    source.video()?.open();
    match &source.audio {
        Some(audio) if is_audio_used => audio.open(),
        Some(audio) => audio.discard(),
        None => {}
    }
    source.running.wait("transcoding", watch, |message| {
        if let Some(until) = until {
            let whole = until.saturating_sub(start).as_secs_f64().max(f64::MIN_POSITIVE);
            (watch.progress)(
                (seen_video.position().saturating_sub(start).as_secs_f64() / whole).min(1.0),
            );
        }
        Ok(message.is_some_and(|message| message.type_() == gst::MessageType::Eos).then_some(()))
    })?;
    drop(source);

    let reached =
        seen_audio.as_ref().map_or(seen_video.end(), |audio| audio.end().max(seen_video.end()));
    if let (Some(until), Some(declared)) = (until, declared) {
        let missing = until.as_secs_f64() - reached.as_secs_f64();
        if missing > SLACK {
            return Err(error::truncated(missing, declared.as_secs_f64()));
        }
    }
    let has_audio = sound.is_some();
    let written = |(rendition, seen): (&Rendition, Seen)| Written {
        frames: seen.buffers(),
        has_audio: has_audio && rendition.audio.is_some(),
    };
    let within = |end: Duration| until.map_or(end, |until| until.min(end)).saturating_sub(start);
    Ok(Transcoded {
        renditions: job.renditions.iter().zip(counts).map(written).collect(),
        decoded_frames: seen_video.buffers(),
        duration: within(reached),
        picture: within(seen_video.end()),
        is_hdr,
        is_silent,
        sound_end: seen_audio.as_ref().map(Seen::end),
        until,
    })
}
