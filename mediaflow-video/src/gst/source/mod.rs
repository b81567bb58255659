//! A decoded source whose streams are known, and wait, before anything is built behind them.
//!
//! Picture and sound are read each by a demuxer of its own: neither waits for the other, however the file is interleaved and
//! however late one begins. `decodebin` finds a stream while it runs; here it stops at a [gate] at its first buffer, so that
//! the one thread that builds pipelines knows sizes, rotation and times, and has no need to build inside a callback. The gates
//! also make exact cuts: an accurate seek is sent while they are shut, and frames before the start are dropped.
//!
//! Uses: container, error, isobmff, mpegts.

mod branch;
mod gate;
mod origin;
mod overlay;
pub(crate) mod packets;
mod pcm;
pub(crate) mod place;
mod stream;
mod units;

use std::sync::Arc;
use std::time::Duration;

use branch::{Branch, Found};
pub(crate) use branch::{can_sink, kind_of};
use gate::Gate;
use gstreamer as gst;
use gstreamer::prelude::*;
use mediaflow_core::{Error, Result, codes};
pub(crate) use origin::Origin;
use place::{Kind, clock};
pub(crate) use stream::Stream;

use super::pipeline::{Running, Watch, clock_time};
use crate::error;

/// A seek goes this much before the cut: a decoder shortens the frame that a seek hits, so that it looks like a new one. Where
/// no frame lies between it and the cut, it goes further back, in the end to the begin.
const LEADS: [i64; 4] = [1_000_000_000, 5_000_000_000, 30_000_000_000, i64::MAX];

/// A frame that is seen for longer than this, in nanoseconds, is not left out though it begins before the cut, and not shown
/// beyond its end.
pub(crate) const LONG: i64 = 100_000_000;

/// A file being decoded, at its gates.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) running: Running,
    pub(crate) video: Option<Stream>,
    pub(crate) audio: Option<Stream>,
    /// What the container declares.
    pub(crate) duration: Option<Duration>,
}

/// What becomes of the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sound {
    /// Decoded; a missing decoder is an error.
    Wanted,
    /// Decoded if that can be done: a stream that ends early is told by any of its streams.
    Watched,
    /// Not decoded.
    Ignored,
}

/// What a gate lets through of what a seek gives: what begins at a time, in nanoseconds, or all but so many frames.
#[derive(Clone, Copy, Debug, Default)]
struct Keep {
    from: Option<i64>,
    skip: Option<u64>,
}

impl Source {
    /// Opens a file and waits until each wanted stream shows its first buffer. Sound that is not wanted is not decoded.
    ///
    /// # Errors
    /// `video.not_decodable`, `video.missing_plugin`, `video.io`, and those of [`Running::wait`].
    pub(crate) fn open(origin: &Origin, sound: Sound, watch: &Watch<'_>) -> Result<Self> {
        let mut running = Running::new()?;
        let (video, duration) = Self::find(&mut running, origin, Kind::Video, watch)?;
        let (audio, long) = match sound {
            Sound::Ignored => (None, None),
            Sound::Wanted => Self::find(&mut running, origin, Kind::Audio, watch)?,
            // What can not be decoded is not asked for.
            Sound::Watched => Self::find(&mut running, origin, Kind::Audio, watch)
                .or_else(|_| (watch.check)().map(|()| (None, None)))?,
        };
        if video.is_none() && audio.is_none() && sound != Sound::Ignored {
            return Err(error::no_stream("video or audio"));
        }
        let mut source = Self { running, video, audio, duration: duration.or(long) };
        source.begin_at_zero(origin);
        Ok(source)
    }

    fn find(
        running: &mut Running,
        origin: &Origin,
        kind: Kind,
        watch: &Watch<'_>,
    ) -> Result<(Option<Stream>, Option<Duration>)> {
        let (mut refused, mut failed) = (Ok((None, None)), None);
        for view in origin.views(kind) {
            let number = view.track;
            let colour = origin.track(&view).and_then(|track| track.colour);
            let pcm = origin.track(&view).and_then(|track| track.pcm.as_ref());
            let found = match pcm {
                Some(pcm) => pcm::open(running, origin, view, pcm, watch),
                None => Branch::open(running, origin, kind, view, watch),
            };
            let found = match found {
                Ok(found) => found,
                Err(error) => {
                    (watch.check)()?;
                    failed.get_or_insert(error);
                    continue;
                }
            };
            match found {
                Found::Stream(mut stream, duration) => {
                    (stream.colour, stream.track) = (colour, number);
                    stream.opened = stream.pad.current_caps();
                    return Ok((Some(stream), duration));
                }
                Found::Missing(missing) => refused = Err(missing),
                Found::Nothing(duration) => refused = refused.map(|_| (None, duration)),
            }
        }
        failed.map_or(refused, Err)
    }

    /// Some files count from anywhere: their first picture or sound is at zero.
    fn begin_at_zero(&mut self, origin: &Origin) {
        let first = || self.streams().filter_map(|stream| Some(stream.first()?.start)).min();
        let Some(start) = origin.begin().or_else(first).filter(|start| *start != 0) else { return };
        let by = start.saturating_neg();
        for stream in self.video.iter_mut().chain(&mut self.audio) {
            stream.timeline = Arc::new(stream.timeline.later(by));
            stream.gate.moved(&stream.timeline, by);
        }
    }

    /// The video stream.
    ///
    /// # Errors
    /// `video.no_stream`.
    pub(crate) fn video(&self) -> Result<&Stream> {
        self.video.as_ref().ok_or_else(|| error::no_stream("video"))
    }

    /// Where the picture ends, if that is known, in the time of the source: its boxes say so, or there is nothing else that
    /// could be as long as the file.
    pub(crate) fn picture_end(
        &self,
        origin: &Origin,
        declared: Option<Duration>,
    ) -> Option<Duration> {
        let Some(structure) = &origin.structure else {
            return declared.filter(|_| self.audio.is_none());
        };
        let track = structure.tracks.get(self.video.as_ref()?.track?)?;
        // Of a cut file it says what was there once.
        let is_whole = !structure.fragmented && structure.missing_bytes == 0;
        let end = track.end().filter(|_| is_whole)?;
        Some(Duration::from_nanos(u64::try_from(end - structure.begin()).ok()?))
    }

    fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.video.iter().chain(&self.audio)
    }

    /// Goes to the frame that is seen at a time; nothing is dropped.
    ///
    /// # Errors
    /// `video.not_seekable`, and those of [`Running::wait`].
    pub(crate) fn seek(&mut self, to: Duration, watch: &Watch<'_>) -> Result<()> {
        self.seek_and_wait(place::nanoseconds(clock_time(to)), Keep::default(), None, watch)
    }

    /// Cuts to the frames that begin in `start..end`, and to the one that is seen at `start` if it is seen for long. Returns
    /// where the cut begins, in the time of the source: at its first frame, unless nothing new is seen for long.
    ///
    /// # Errors
    /// `video.empty_cut`, `video.not_seekable`, and those of [`Running::wait`].
    pub(crate) fn cut(
        &mut self,
        start: Duration,
        end: Option<Duration>,
        watch: &Watch<'_>,
    ) -> Result<i64> {
        let start = place::nanoseconds(clock_time(start));
        let end = end.map(|end| place::nanoseconds(clock_time(end)));
        for lead in LEADS {
            let to = start.saturating_sub(lead).max(0);
            self.seek_and_wait(to, Keep { from: Some(start), skip: None }, end, watch)?;
            match self.video()?.gate.found() {
                (Some(first), _) if first.start.saturating_sub(start) <= LONG => {
                    return Ok(first.start);
                }
                (_, Some(before)) => {
                    let keep = Keep { from: Some(start), skip: Some(before) };
                    self.seek_and_wait(to, keep, end, watch)?;
                    return Ok(start);
                }
                // The picture begins late.
                (Some(_), None) if to == 0 => return Ok(start),
                (None, None) if to == 0 => break,
                (_, None) => {}
            }
        }
        Err(Error::input(codes::VIDEO_EMPTY_CUT, "no frame lies in the cut")
            .with("start", clock(start))
            .help("the cut begins at or after the last frame: choose an earlier start"))
    }

    fn seek_and_wait(
        &mut self,
        to: i64,
        keep: Keep,
        stop: Option<i64>,
        watch: &Watch<'_>,
    ) -> Result<()> {
        for stream in self.streams() {
            stream.gate.wait_from(keep.from, keep.skip);
            // A demuxer is asked in the time of its stream, which some count from their first buffer.
            let ahead = stream.gate.state().ahead();
            let media = |time: i64| clock(stream.timeline.media(time).saturating_sub(ahead));
            // Of a file without tables some think of another clock than that of its pictures: only zero is the begin for all.
            let is_begin = to == 0 && stream.track.is_none();
            let start = if is_begin { gst::ClockTime::ZERO } else { media(to) };
            let stop = stop.map(media);
            let stop_type = if stop.is_some() { gst::SeekType::Set } else { gst::SeekType::None };
            let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
            let seek =
                gst::event::Seek::new(1.0, flags, gst::SeekType::Set, start, stop_type, stop);
            if !stream.pad.send_event(seek) {
                return Err(Error::unsupported(
                    codes::VIDEO_NOT_SEEKABLE,
                    "the file can not be cut: its container has no index",
                )
                .help("remux it, for instance to MP4 or Matroska"));
            }
        }
        let gates: Vec<Gate> = self.streams().map(|stream| stream.gate.clone()).collect();
        let sought = self.running.wait("seeking", watch, |_| {
            Ok(gates.iter().all(|gate| gate.state().waits).then_some(()))
        });
        match sought {
            // Behind the last picture that stands alone there is nothing to decode: who finds nothing goes further back.
            Err(error) if to > 0 && error.code() == codes::VIDEO_NOT_DECODABLE => {
                self.running.forget();
                Ok(())
            }
            sought => sought,
        }
    }
}
