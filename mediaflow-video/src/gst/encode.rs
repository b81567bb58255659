//! One source to any number of MP4 files, in one pipeline.
//!
//! The source is decoded once. Behind a `tee` each rendition has a branch of its own, with fixed caps so that no branch
//! renegotiates what the others see; sound is encoded once per distinct setting and shared.
//!
//! ```text
//! filesrc ! decodebin ! gate ! queue ! convert ! flip ! tee ! queue ! rate ! crop ! scale ! x264enc ! mp4mux ! filesink
//! filesrc ! decodebin ! gate ! queue ! convert ! resample ! tee ! avenc_aac ! tee ! queue ! (each mp4mux)
//! ```

use std::time::Duration;

use gstreamer as gst;
use mediaflow_core::Result;

use super::colour::Colours;
use super::graph::Graph;
use super::observe::{self, Seen, Sounded, Window};
use super::pipeline::{Watch, clock_time};
use super::settings::Rendition;
use super::source::place::nanoseconds;
use super::source::{LONG, Origin, Sound, Source, Stream};
use crate::isobmff::finish::{self, Timing};

/// What is to be made of one source.
#[derive(Clone, Debug)]
pub(crate) struct Transcode {
    /// The file.
    pub(crate) source: Origin,
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
    /// Of these, those that are known to be damaged.
    pub(crate) damaged_frames: u64,
    /// Pictures at the begin that may be made of what was cut off.
    pub(crate) leading_frames: u64,
    /// Frames that were coded and could not be decoded, of those codecs of which that can be told.
    pub(crate) lost_frames: u64,
    /// How much sound lies in the cut, and how much of it was decoded.
    pub(crate) sound: Option<(Duration, Duration)>,
    /// The length of the cut, or of the source, as far as it could be decoded.
    pub(crate) duration: Duration,
    /// Where the last of it ends that could be decoded, in the time of the source.
    pub(crate) reached: Duration,
    /// The same as `duration` for the picture alone.
    pub(crate) picture: Duration,
    /// The source has more light than the result can show.
    pub(crate) is_hdr: bool,
    /// Where the sound ended, in the time of the source, if there was any.
    pub(crate) sound_end: Option<Duration>,
    /// Where all of it should have ended, if that is known.
    pub(crate) until: Option<Duration>,
    /// The source has sound, but none in the cut.
    pub(crate) is_silent: bool,
    /// The tracks that were read, where the file counts them.
    pub(crate) tracks: Vec<usize>,
}

/// What was written into one file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) frames: u64,
    /// What the encoder of its sound was given.
    pub(crate) sound: Option<finish::Sound>,
    /// How its streams lie in time.
    pub(crate) timing: Timing,
}

/// Runs it, blocking.
///
/// # Errors
/// `video.empty_cut`, `video.missing_plugin`,
/// `video.not_decodable`, `video.stalled`, `job.deadline`, `job.cancelled`. Files are left as far as they were
/// written; the caller owns them.
pub(crate) fn transcode(job: &Transcode, watch: &Watch<'_>) -> Result<Transcoded> {
    let wants_audio = job.renditions.iter().any(|rendition| rendition.audio.is_some());
    // Where boxes do not say it, what begins first is told by looking at the first of each.
    let sound = match (wants_audio, job.source.has_times()) {
        (true, _) => Sound::Wanted,
        (false, true) => Sound::Ignored,
        (false, false) => Sound::Watched,
    };
    let mut source = Source::open(&job.source, sound, watch)?;
    source.video()?;
    let declared = job.declared.or(source.duration);
    let cut = job.cut.map(|(start, end)| source.cut(start, end, watch)).transpose()?;
    let pulse = source.running.pulse().clone();
    let is_hdr = Colours::of(source.video()?)?.is_hdr();
    let end = job.cut.and_then(|(_, end)| end).map(|end| nanoseconds(clock_time(end)));
    let begins_in_time = |audio: &&Stream| {
        audio.first().is_some_and(|first| end.is_none_or(|end| first.start < end))
    };
    // Sound that nobody wants waits at its gate for ever, and is not decoded.
    let audio = source.audio.as_ref().filter(begins_in_time).filter(|_| wants_audio);
    let tracks = [&source.video, &source.audio].into_iter().flatten();
    let tracks = tracks.filter_map(|stream| stream.track).collect();
    // Picture and sound keep their distance; what begins first is at zero. A cut begins with its first frame.
    let used = [source.video.as_ref(), audio];
    let begins = used.into_iter().flatten().filter_map(|stream| Some(stream.first()?.start));
    let window = Window { start: cut.or(begins.min()).unwrap_or(0), end };
    // Each stream begins at zero for its encoders and the muxer; how late it is, the last pass writes into the index.
    let zero = |stream: &Stream| stream.first().map_or(window.start, |f| f.start.max(window.start));
    let late = |stream: Option<&Stream>| {
        stream.map_or(Duration::ZERO, |stream| {
            Duration::from_nanos(zero(stream).abs_diff(window.start))
        })
    };
    let timing = Timing { picture: late(source.video.as_ref()), sound: late(audio), shown: None };
    let video = source.video()?;
    let seen_video = observe::watch(video, window, zero(video), &source.running);
    let seen_audio = audio.map(|audio| observe::watch(audio, window, zero(audio), &source.running));

    let start = Duration::from_nanos(u64::try_from(window.start).unwrap_or(0));
    let until = match (job.cut.and_then(|(_, end)| end), declared) {
        (Some(end), Some(declared)) => Some(end.min(declared)),
        (end, declared) => end.or(declared),
    };
    let picture_zero = Duration::from_nanos(u64::try_from(zero(source.video()?)).unwrap_or(0));
    let last = Last {
        cut: job.cut.and_then(|(_, end)| end),
        begin: Duration::from_nanos(u64::try_from(window.start).unwrap_or(0)),
        picture: source.picture_end(&job.source, declared),
        declared,
    };
    let graph = Graph {
        pipeline: source.running.pipeline().clone(),
        pulse,
        until: last.held().map(|until| clock_time(until.saturating_sub(picture_zero))),
    };
    let muxers = graph.muxers(&job.renditions)?;
    let counts = graph.video(source.video()?, &job.renditions, &muxers)?;
    // A stream that has ended before the cut still counts: all results of one source have the same streams.
    let is_silent = wants_audio && source.audio.is_some() && audio.is_none();
    let sound = match audio {
        Some(audio) => Some(graph.sound(audio)?),
        None => match until.filter(|_| is_silent) {
            Some(until) => Some(graph.silence(until.saturating_sub(start))?),
            None => None,
        },
    };
    let sounds = match &sound {
        Some(sound) => graph.audio(sound, &job.renditions, &muxers)?,
        None => vec![None; muxers.len()],
    };
    let is_interlaced = source.video()?.is_interlaced()?;
    let packets = source.video()?.packets.clone();
    let sound_begin = audio.and_then(|audio| Some(audio.first()?.start.max(window.start)));
    let sound_begin =
        Duration::from_nanos(sound_begin.and_then(|b| u64::try_from(b).ok()).unwrap_or(0));
    let is_audio_used = audio.is_some();
    source.running.set_state(gst::State::Playing)?;
    source.video()?.open();
    match &source.audio {
        Some(audio) if is_audio_used => audio.open(),
        _ => {}
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

    let picture_end = last.end(seen_video.kept_end());
    let written = |((frames, sound), rendition): ((Seen, Option<Sounded>), &Rendition)| {
        let shown = picture_end.saturating_sub(picture_zero);
        // Of a constant rate every frame is as long as any other.
        let shown = rendition.fps.is_none().then_some(shown);
        Written {
            frames: frames.buffers(),
            sound: sound.and_then(|sound| sound.whole()),
            timing: Timing { shown, ..timing },
        }
    };
    let reached = seen_audio.as_ref().map_or(picture_end, |audio| audio.end().max(picture_end));
    let within = |end: Duration| until.map_or(end, |until| until.min(end)).saturating_sub(start);
    Ok(Transcoded {
        renditions: counts.into_iter().zip(sounds).zip(&job.renditions).map(written).collect(),
        decoded_frames: seen_video.buffers(),
        damaged_frames: seen_video.damaged().max(seen_video.hidden(&packets)),
        leading_frames: packets.leading(),
        // Of two fields each may be a packet.
        lost_frames: if is_interlaced { 0 } else { seen_video.lost(&packets) },
        sound: seen_audio
            .as_ref()
            .map(|seen| (seen.kept_end().saturating_sub(sound_begin), seen.covered())),
        duration: within(reached),
        reached: seen_video.end().max(reached),
        picture: within(picture_end),
        is_hdr,
        is_silent,
        tracks,
        sound_end: seen_audio.as_ref().map(Seen::end),
        until,
    })
}

/// What is known of the end of the last frame. Decoders guess how long it is seen. Times are those of the source.
#[derive(Clone, Copy, Debug)]
struct Last {
    /// Where the result begins, and where the cut ends.
    begin: Duration,
    cut: Option<Duration>,
    /// Where the picture ends, if that is known, and the file.
    picture: Option<Duration>,
    declared: Option<Duration>,
}

impl Last {
    /// Until when it is held. A picture that has ended before the cut begins is still seen.
    fn held(self) -> Option<Duration> {
        let picture = self.picture.filter(|end| *end > self.begin);
        match (self.cut, picture.or(self.declared.filter(|_| self.cut.is_some()))) {
            (Some(cut), Some(end)) => Some(cut.min(end)),
            (cut, end) => cut.or(end),
        }
    }

    /// Where it ends, if a decoder guesses this.
    fn end(self, guess: Duration) -> Duration {
        const LITTLE: Duration = Duration::from_nanos(LONG.unsigned_abs());
        let end = self.held().map_or(guess, |held| held.max(guess));
        match self.cut {
            // A frame of usual length is shown in full.
            Some(cut) if end > cut.saturating_add(LITTLE) => cut,
            _ => end,
        }
    }
}
