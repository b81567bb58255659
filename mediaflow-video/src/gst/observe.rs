//! What passes a gate once it is open: time stamps become those of the result, buffers outside the cut are taken away, and the
//! rest is counted.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio as audio;

use super::pipeline::{Pulse, Running, post_news};
use super::source::Stream;
use super::source::packets::Packets;
use super::source::place::{
    Before, Kind, Place, TOLERANCE, clock, frame_time, nanoseconds, place, segment, sound_time,
    times,
};
use crate::isobmff::finish::Sound;

/// The part of the source that is kept, in nanoseconds of its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
}

/// What one stream has shown so far. Clones share.
#[derive(Clone, Debug)]
pub(crate) struct Seen(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    buffers: AtomicU64,
    position: AtomicI64,
    end: AtomicI64,
    kept: AtomicI64,
    over: AtomicBool,
    damaged: AtomicU64,
    /// All decoded buffers, and the first and the last of their own time stamps.
    decoded: AtomicU64,
    first: AtomicU64,
    last: AtomicU64,
    /// Nanoseconds that were kept.
    covered: AtomicU64,
}

impl Default for Seen {
    fn default() -> Self {
        Self(Arc::new(Counts {
            buffers: AtomicU64::new(0),
            position: AtomicI64::new(0),
            end: AtomicI64::new(0),
            kept: AtomicI64::new(0),
            over: AtomicBool::new(false),
            damaged: AtomicU64::new(0),
            decoded: AtomicU64::new(0),
            first: AtomicU64::new(u64::MAX),
            last: AtomicU64::new(0),
            covered: AtomicU64::new(0),
        }))
    }
}

fn duration(nanoseconds: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

impl Seen {
    /// Buffers that were kept.
    pub(crate) fn buffers(&self) -> u64 {
        self.0.buffers.load(Ordering::Relaxed)
    }

    /// Of these, how many the decoder calls damaged.
    pub(crate) fn damaged(&self) -> u64 {
        self.0.damaged.load(Ordering::Relaxed)
    }

    /// Of the coded pictures between the first and the last that were decoded, how many were not.
    pub(crate) fn lost(&self, packets: &Packets) -> u64 {
        let coded = self.range().map_or(0, |(first, last)| packets.between(first, last));
        coded.saturating_sub(self.0.decoded.load(Ordering::Relaxed))
    }

    /// The time stamps of the first and the last that were decoded.
    fn range(&self) -> Option<(gst::ClockTime, gst::ClockTime)> {
        let stamp = |at: &AtomicU64| gst::ClockTime::try_from(at.load(Ordering::Relaxed)).ok();
        stamp(&self.0.first).zip(stamp(&self.0.last))
    }

    /// How many coded pictures are damaged of those that were decoded, though the decoder does not say so.
    pub(crate) fn hidden(&self, packets: &Packets) -> u64 {
        self.range().map_or(0, |(first, last)| packets.damaged(first, last))
    }

    /// How long what was kept is, without what lies between.
    pub(crate) fn covered(&self) -> Duration {
        Duration::from_nanos(self.0.covered.load(Ordering::Relaxed))
    }

    /// Where the last one begins, in the time of the source.
    pub(crate) fn position(&self) -> Duration {
        duration(self.0.position.load(Ordering::Relaxed))
    }

    /// Whether the stream has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.0.over.load(Ordering::Acquire)
    }

    /// The furthest end of any buffer, kept or not, in the time of the source.
    pub(crate) fn end(&self) -> Duration {
        duration(self.0.end.load(Ordering::Relaxed))
    }

    /// The furthest end of any that was kept.
    pub(crate) fn kept_end(&self) -> Duration {
        duration(self.0.kept.load(Ordering::Relaxed))
    }

    fn note(&self, place: Place) {
        self.0.position.fetch_max(place.start, Ordering::Relaxed);
        self.0.end.fetch_max(place.end, Ordering::Relaxed);
    }

    fn keep(&self, buffer: &gst::BufferRef) {
        self.0.buffers.fetch_add(1, Ordering::Relaxed);
        if buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
            self.0.damaged.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Counts the buffers of a pad.
pub(crate) fn count(pad: &gst::Pad, pulse: &Pulse) -> Seen {
    let seen = Seen::default();
    let (counts, pulse) = (seen.clone(), pulse.clone());
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        pulse.beat();
        if let Some(buffer) = info.buffer() {
            counts.keep(buffer);
        }
        gst::PadProbeReturn::Ok
    });
    seen
}

/// What an encoder of sound was given. Clones share.
#[derive(Clone, Debug)]
pub(crate) struct Sounded {
    first: Arc<AtomicI64>,
    last: Arc<AtomicI64>,
    rate: Arc<AtomicU64>,
    priming: u32,
}

impl Sounded {
    /// Watches the sink of an encoder that puts so many samples before the first one.
    pub(crate) fn watch(pad: &gst::Pad, priming: u32) -> Self {
        let sounded = Self {
            first: Arc::new(AtomicI64::new(i64::MAX)),
            last: Arc::new(AtomicI64::new(0)),
            rate: Arc::default(),
            priming,
        };
        let seen = sounded.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let times = info.buffer().and_then(|buffer| buffer.pts().zip(buffer.duration()));
            if let Some((start, length)) = times {
                let end = start.saturating_add(length);
                seen.first.fetch_min(nanoseconds(start), Ordering::Relaxed);
                seen.last.fetch_max(nanoseconds(end), Ordering::Relaxed);
            }
            if seen.rate.load(Ordering::Relaxed) == 0 {
                let caps = pad.current_caps();
                let format = caps.and_then(|caps| audio::AudioInfo::from_caps(&caps).ok());
                seen.rate.store(format.map_or(0, |f| f.rate().into()), Ordering::Relaxed);
            }
            gst::PadProbeReturn::Ok
        });
        sounded
    }

    /// What was given, once all of it was; nothing if there was none.
    pub(crate) fn whole(&self) -> Option<Sound> {
        let rate = u32::try_from(self.rate.load(Ordering::Relaxed)).ok()?;
        let first = self.first.load(Ordering::Relaxed);
        let length = self.last.load(Ordering::Relaxed).checked_sub(first).filter(|l| *l > 0)?;
        let samples = i128::from(length) * i128::from(rate) + 500_000_000;
        let samples = u64::try_from(samples / 1_000_000_000).ok()?;
        Some(Sound { priming: self.priming, samples, rate })
    }
}

/// Watches a decoded stream: what of it lies in the window goes on, with times from `zero`; of sound, to the sample.
pub(crate) fn watch(stream: &Stream, window: Window, zero: i64, running: &Running) -> Seen {
    let seen = Seen::default();
    let (counts, pulse, bus) = (seen.clone(), running.pulse().clone(), running.bus().clone());
    let (kind, timeline) = (stream.kind, Arc::clone(&stream.timeline));
    let caps = stream.pad.current_caps().filter(|_| kind == Kind::Audio);
    // Sound may change its rate and its channels on the way.
    let format = Mutex::new(caps.and_then(|caps| audio::AudioInfo::from_caps(&caps).ok()));
    let (last, steps) = (Last::default(), Steps::default());
    let is_placed = AtomicBool::new(false);
    // Who repeats frames does so up to here, as far as it is known.
    let shown = timeline.end().filter(|end| *end > window.start);
    let ends = [window.end, shown].into_iter().flatten().min();
    let stop = ends.filter(|_| kind == Kind::Video).map(|end| clock(end.saturating_sub(zero)));
    let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    stream.pad.add_probe(mask, move |pad, info| {
        if let Some(event) = info.event() {
            if event.type_() == gst::EventType::Eos {
                counts.0.over.store(true, Ordering::Release);
                post_news(&bus);
            }
            if let gst::EventView::Caps(told) = event.view()
                && kind == Kind::Audio
            {
                *lock(&format) = audio::AudioInfo::from_caps(told.caps()).ok();
            }
            if event.type_() == gst::EventType::Gap {
                // Its time is that of the source, and what is missing is seen by what follows.
                return gst::PadProbeReturn::Handled;
            }
            if event.type_() == gst::EventType::Segment {
                last.forget();
                if is_placed.swap(true, Ordering::Relaxed) {
                    // A second one makes some elements begin anew. (To drop an event, GStreamer 1.22 wants it back.)
                    return gst::PadProbeReturn::Handled;
                }
                // Times are those of the result from here on.
                let mut plain = gst::FormattedSegment::<gst::ClockTime>::new();
                plain.set_stop(stop);
                info.data = Some(gst::PadProbeData::Event(gst::event::Segment::new(&plain)));
            }
            return gst::PadProbeReturn::Ok;
        }
        pulse.beat();
        let current = segment(pad);
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        if let Some(stamp) = buffer.pts() {
            counts.0.decoded.fetch_add(1, Ordering::Relaxed);
            counts.0.first.fetch_min(stamp.nseconds(), Ordering::Relaxed);
            counts.0.last.fetch_max(stamp.nseconds(), Ordering::Relaxed);
        }
        let format = lock(&format).clone();
        let length = match (kind, &format) {
            (Kind::Audio, Some(format)) => sound_time(buffer, format),
            _ => frame_time(pad),
        };
        let (pts, length) = times(kind, buffer, length, current.as_ref(), last.get());
        let is_open = kind == Kind::Video && length.is_zero();
        let length = if is_open { steps.of(pts) } else { length };
        last.set(buffer.pts().unwrap_or(pts), pts, length);
        let Some(found) = place(kind, (pts, length), &timeline) else {
            return gst::PadProbeReturn::Drop;
        };
        counts.note(found);
        let kept = match (kind, &format) {
            (Kind::Audio, Some(format)) => samples(buffer, pts, found, window, format),
            _ => frame(buffer, found, window, counts.buffers() == 0),
        };
        let Some((mut kept, start)) = kept else { return gst::PadProbeReturn::Drop };
        kept.make_mut().set_pts(clock(start.saturating_sub(zero)));
        counts.keep(&kept);
        let length = kept.duration().map_or(0, gst::ClockTime::nseconds);
        counts.0.covered.fetch_add(length, Ordering::Relaxed);
        counts.0.kept.fetch_max(found.end, Ordering::Relaxed);
        info.data = Some(gst::PadProbeData::Buffer(kept));
        gst::PadProbeReturn::Ok
    });
    seen
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last buffer that passed.
#[derive(Debug, Default)]
struct Last(Mutex<Option<Before>>);

impl Last {
    fn state(&self) -> MutexGuard<'_, Option<Before>> {
        lock(&self.0)
    }

    fn get(&self) -> Option<Before> {
        *self.state()
    }

    fn set(&self, stamp: gst::ClockTime, start: gst::ClockTime, length: gst::ClockTime) {
        let mut state = self.state();
        let furthest = state.map_or(gst::ClockTime::ZERO, |before| before.end);
        let end = start.saturating_add(length).max(furthest);
        *state = Some(Before { stamp, start, end });
    }

    fn forget(&self) {
        *self.state() = None;
    }
}

/// From one frame to the next, where neither the frames nor their stream say how long they are shown: the last one would be
/// shown for no time at all.
#[derive(Debug)]
struct Steps {
    before: AtomicU64,
    step: AtomicU64,
}

impl Default for Steps {
    fn default() -> Self {
        const USUAL: gst::ClockTime = gst::ClockTime::from_mseconds(40);
        Self { before: AtomicU64::new(u64::MAX), step: AtomicU64::new(USUAL.nseconds()) }
    }
}

impl Steps {
    fn of(&self, pts: gst::ClockTime) -> gst::ClockTime {
        let before = self.before.swap(pts.nseconds(), Ordering::Relaxed);
        if let Some(step) = pts.nseconds().checked_sub(before).filter(|step| *step > 0) {
            self.step.store(step, Ordering::Relaxed);
        }
        gst::ClockTime::from_nseconds(self.step.load(Ordering::Relaxed))
    }
}

/// A frame belongs to the window if it begins in it, or is the first that the gate lets through.
fn frame(
    buffer: &gst::Buffer,
    found: Place,
    window: Window,
    is_first: bool,
) -> Option<(gst::Buffer, i64)> {
    let is_late = window.end.is_some_and(|end| found.start.saturating_add(TOLERANCE) >= end);
    let is_early = found.start.saturating_add(TOLERANCE) < window.start;
    if is_late || (is_early && !is_first) {
        return None;
    }
    let start = if is_early { window.start } else { found.start };
    let mut kept = buffer.clone();
    let times = kept.make_mut();
    times.set_dts(gst::ClockTime::NONE);
    let length = clock(found.end.saturating_sub(start));
    times.set_duration((!length.is_zero()).then_some(length));
    Some((kept, start))
}

/// Cuts off what lies outside of the window and of the part that is shown.
fn samples(
    buffer: &gst::Buffer,
    pts: gst::ClockTime,
    found: Place,
    window: Window,
    format: &audio::AudioInfo,
) -> Option<(gst::Buffer, i64)> {
    let from = found.start.max(window.start);
    let until = window.end.map_or(found.end, |end| end.min(found.end));
    if until <= from {
        return None;
    }
    let mut timed = buffer.clone();
    let times = timed.make_mut();
    times.set_pts(pts);
    times.set_dts(gst::ClockTime::NONE);
    let mut kept = gst::FormattedSegment::<gst::ClockTime>::new();
    kept.set_start(clock(from.saturating_sub(found.shift)));
    kept.set_stop(clock(until.saturating_sub(found.shift)));
    let clipped = audio::audio_buffer_clip(timed, kept.upcast_ref(), format.rate(), format.bpf())?;
    let start = nanoseconds(clipped.pts()?).saturating_add(found.shift);
    Some((clipped, start))
}
