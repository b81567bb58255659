//! Every stream of a source stops at its first buffer until somebody has built what is behind it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio as audio;
use gstreamer_video::VideoBufferFlags;
use gstreamer_video::prelude::*;

use super::place::{Kind, Place, TOLERANCE, frame_time, nanoseconds, place, sound_time, times};
use crate::gst::pipeline::{Pulse, post_news};
use crate::isobmff::timeline::Timeline;

#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<Mutex<State>>);

#[derive(Debug)]
pub(super) struct State {
    kind: Kind,
    timeline: Arc<Timeline>,
    probe: Option<gst::PadProbeId>,
    /// Buffers before this are dropped, in the time of the source.
    from: Option<i64>,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    pub(super) orientation: Option<String>,
    /// The last frame in fields: whether its lower field is seen first.
    pub(super) is_bottom_first: bool,
    /// So many frames are dropped instead, wherever they are.
    skip: Option<u64>,
    /// Frames so far.
    frames: u64,
    /// The last frame that begins before `from`: how many came before it.
    before: Option<u64>,
    /// Something waits: a buffer of this place, or the end of the stream.
    pub(super) waits: bool,
    pub(super) first: Option<Place>,
}

impl Gate {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shuts a pad.
    pub(super) fn shut(
        pad: &gst::Pad,
        kind: Kind,
        timeline: Arc<Timeline>,
        bus: &gst::Bus,
        pulse: &Pulse,
    ) -> Self {
        let state = State {
            kind,
            timeline,
            probe: None,
            from: None,
            skip: None,
            frames: 0,
            before: None,
            segment: None,
            orientation: None,
            is_bottom_first: false,
            waits: false,
            first: None,
        };
        let gate = Self(Arc::new(Mutex::new(state)));
        let mask = gst::PadProbeType::BLOCK
            | gst::PadProbeType::BUFFER
            | gst::PadProbeType::BUFFER_LIST
            | gst::PadProbeType::EVENT_DOWNSTREAM;
        let (at_gate, bus, pulse) = (gate.clone(), bus.clone(), pulse.clone());
        let probe = pad.add_probe(mask, move |pad, info| {
            pulse.beat();
            let verdict = at_gate.state().pass(pad, info);
            if verdict == gst::PadProbeReturn::Ok {
                post_news(&bus);
            }
            verdict
        });
        gate.state().probe = probe;
        gate
    }

    /// Forgets what waits; buffers before a time are to be dropped, or so many frames.
    pub(super) fn wait_from(&self, from: Option<i64>, skip: Option<u64>) {
        let mut state = self.state();
        (state.waits, state.first, state.from) = (false, None, from);
        (state.skip, state.frames, state.before) = (skip, 0, None);
    }

    /// What waits, and how many frames came before the last one that was dropped.
    pub(super) fn found(&self) -> (Option<Place>, Option<u64>) {
        let state = self.state();
        (state.first, state.before)
    }

    /// From now on everything is so much later.
    pub(super) fn moved(&self, timeline: &Arc<Timeline>, by: i64) {
        let mut state = self.state();
        state.timeline = Arc::clone(timeline);
        if let Some(first) = &mut state.first {
            first.start = first.start.saturating_add(by);
            first.end = first.end.saturating_add(by);
            first.shift = first.shift.saturating_add(by);
        }
    }

    /// Lets the stream flow.
    pub(super) fn open(&self, pad: &gst::Pad) {
        let probe = self.state().probe.take();
        if let Some(probe) = probe {
            pad.remove_probe(probe);
        }
    }
}

impl State {
    /// How far time stamps are ahead of the time of the stream.
    pub(super) fn ahead(&self) -> i64 {
        let times = |segment: &gst::FormattedSegment<gst::ClockTime>| {
            Some(nanoseconds(segment.start()?).saturating_sub(nanoseconds(segment.time()?)))
        };
        self.segment.as_ref().and_then(times).unwrap_or(0)
    }

    /// `Ok` blocks at this probe, `Pass` lets through.
    fn pass(&mut self, pad: &gst::Pad, info: &gst::PadProbeInfo<'_>) -> gst::PadProbeReturn {
        if let Some(event) = info.event() {
            match event.view() {
                gst::EventView::Segment(segment) => {
                    self.segment = segment.segment().downcast_ref().cloned();
                }
                gst::EventView::Tag(tags) => {
                    if let Some(orientation) = tags.tag().get::<gst::tags::ImageOrientation>() {
                        self.orientation = Some(orientation.get().to_owned());
                    }
                }
                gst::EventView::Eos(_) => {
                    self.waits = true;
                    return gst::PadProbeReturn::Ok;
                }
                _ => {}
            }
            return gst::PadProbeReturn::Pass;
        }
        let found = info.buffer().and_then(|buffer| {
            let caps = pad.current_caps();
            let format = caps.and_then(|caps| audio::AudioInfo::from_caps(&caps).ok());
            let length = match (self.kind, format) {
                (Kind::Audio, Some(format)) => sound_time(buffer, &format),
                _ => frame_time(pad),
            };
            let times = times(self.kind, buffer, length, self.segment.as_ref(), None);
            place(self.kind, times, &self.timeline)
        });
        let flags = info.buffer().map(|buffer| buffer.video_flags());
        if let Some(flags) = flags.filter(|flags| flags.contains(VideoBufferFlags::INTERLACED)) {
            self.is_bottom_first = !flags.contains(VideoBufferFlags::TFF);
        }
        let number = self.frames;
        self.frames += 1;
        let is_wanted = |found: Place| match (self.from, self.kind, self.skip) {
            (_, Kind::Video, Some(skip)) => number >= skip,
            (Some(from), Kind::Video, None) => found.start.saturating_add(TOLERANCE) >= from,
            (Some(from), Kind::Audio, _) => found.end > from,
            (None, ..) => true,
        };
        let Some(found) = found.filter(|found| is_wanted(*found)) else {
            self.before = found.map(|_| number).or(self.before);
            return gst::PadProbeReturn::Drop;
        };
        self.waits = true;
        self.first = Some(found);
        gst::PadProbeReturn::Ok
    }
}
