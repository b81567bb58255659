//! What passes a gate once it is open: buffers outside the cut are taken away, the rest is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio as audio;

use super::pipeline::Pulse;
use super::source::TOLERANCE;

/// The part of the source that is kept, in its own time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) start: gst::ClockTime,
    pub(crate) end: Option<gst::ClockTime>,
}

/// What one stream has shown so far. Clones share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    buffers: AtomicU64,
    position: AtomicU64,
    end: AtomicU64,
}

impl Seen {
    /// Buffers that were kept.
    pub(crate) fn buffers(&self) -> u64 {
        self.0.buffers.load(Ordering::Relaxed)
    }

    /// Where the last one begins, in the time of the source.
    pub(crate) fn position(&self) -> Duration {
        Duration::from_nanos(self.0.position.load(Ordering::Relaxed))
    }

    /// The furthest end of any buffer, kept or not, in the time of the source.
    pub(crate) fn end(&self) -> Duration {
        Duration::from_nanos(self.0.end.load(Ordering::Relaxed))
    }

    fn note(&self, start: gst::ClockTime, end: gst::ClockTime) {
        self.0.position.fetch_max(start.nseconds(), Ordering::Relaxed);
        self.0.end.fetch_max(end.nseconds(), Ordering::Relaxed);
    }

    fn keep(&self) {
        self.0.buffers.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts the buffers of a pad.
pub(crate) fn count(pad: &gst::Pad, pulse: &Pulse) -> Seen {
    let seen = Seen::default();
    let (counts, pulse) = (seen.clone(), pulse.clone());
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        pulse.beat();
        counts.keep();
        gst::PadProbeReturn::Ok
    });
    seen
}

/// Watches a decoded video pad: frames that begin at or after the end of the window go no further.
pub(crate) fn video(pad: &gst::Pad, window: Option<Window>, pulse: &Pulse) -> Seen {
    let seen = Seen::default();
    let (counts, pulse) = (seen.clone(), pulse.clone());
    let frame = frame_time(pad);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        pulse.beat();
        let Some((start, end)) = span(pad, info.buffer(), frame) else {
            return gst::PadProbeReturn::Ok;
        };
        counts.note(start, end);
        let is_late = window
            .and_then(|window| window.end)
            .is_some_and(|end| start.saturating_add(TOLERANCE) >= end);
        if is_late {
            return gst::PadProbeReturn::Drop;
        }
        counts.keep();
        gst::PadProbeReturn::Ok
    });
    seen
}

/// Watches a decoded audio pad: samples outside the window are cut off, to the sample.
pub(crate) fn sound(pad: &gst::Pad, window: Option<Window>, pulse: &Pulse) -> Seen {
    let seen = Seen::default();
    let (counts, pulse) = (seen.clone(), pulse.clone());
    let format = pad.current_caps().and_then(|caps| audio::AudioInfo::from_caps(&caps).ok());
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        pulse.beat();
        let Some((start, end)) = span(pad, info.buffer(), gst::ClockTime::ZERO) else {
            return gst::PadProbeReturn::Ok;
        };
        counts.note(start, end);
        if let (Some(window), Some(format)) = (window, &format) {
            match cut(pad, info.buffer(), window, format) {
                Some(buffer) => info.data = Some(gst::PadProbeData::Buffer(buffer)),
                None => return gst::PadProbeReturn::Drop,
            }
        }
        counts.keep();
        gst::PadProbeReturn::Ok
    });
    seen
}

fn frame_time(pad: &gst::Pad) -> gst::ClockTime {
    let caps = pad.current_caps();
    let rate =
        caps.as_ref().and_then(|caps| caps.structure(0)?.get::<gst::Fraction>("framerate").ok());
    rate.filter(|rate| rate.numer() > 0 && rate.denom() > 0)
        .and_then(|rate| {
            gst::ClockTime::SECOND.mul_div_floor(
                rate.denom().unsigned_abs().into(),
                rate.numer().unsigned_abs().into(),
            )
        })
        .unwrap_or_default()
}

fn segment(pad: &gst::Pad) -> Option<gst::FormattedSegment<gst::ClockTime>> {
    pad.sticky_event::<gst::event::Segment>(0)?.segment().downcast_ref().cloned()
}

/// Begin and end in the time of the source; `default` is the length of a buffer that does not say its own.
fn span(
    pad: &gst::Pad,
    buffer: Option<&gst::Buffer>,
    default: gst::ClockTime,
) -> Option<(gst::ClockTime, gst::ClockTime)> {
    let buffer = buffer?;
    let start = segment(pad)?.to_stream_time(buffer.pts()?)?;
    Some((start, start.saturating_add(buffer.duration().unwrap_or(default))))
}

/// `None` if nothing of the buffer lies in the window.
fn cut(
    pad: &gst::Pad,
    buffer: Option<&gst::Buffer>,
    window: Window,
    format: &audio::AudioInfo,
) -> Option<gst::Buffer> {
    let mut kept = segment(pad)?;
    let start = kept.position_from_stream_time(window.start);
    let end = window.end.and_then(|end| kept.position_from_stream_time(end));
    if let Some(start) = start {
        kept.set_start(start);
    }
    if let Some(end) = end {
        kept.set_stop(end);
    }
    audio::audio_buffer_clip(buffer?.clone(), kept.upcast_ref(), format.rate(), format.bpf())
}
