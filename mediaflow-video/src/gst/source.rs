//! A decoded source whose streams are known, and wait, before anything is built behind them.
//!
//! `decodebin` finds its streams while it runs. Here every stream stops at a gate at its first buffer; once all are
//! there, the one thread that builds pipelines knows sizes, rotation and whether there is sound, and has no need to
//! build inside a callback. The gates also make exact cuts: an accurate seek is sent while they are shut, frames before
//! the start are dropped at the gate, and the first that stays fixes time zero for picture and sound alike.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use mediaflow_core::{Error, Result};

use super::pipeline::{Running, Watch, clock_time};
use crate::error;

/// A frame belongs to the cut if it begins no more than this before its start: time stamps are rounded.
pub(crate) const TOLERANCE: gst::ClockTime = gst::ClockTime::from_useconds(500);
/// The seek goes this much before the cut: a decoder shortens the frame that a seek hits, so that it looks like a new one.
const LEAD: gst::ClockTime = gst::ClockTime::from_seconds(1);

/// Posted on the bus by gates and by `decodebin`.
const NEWS: &str = "mediaflow-source";

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

/// One decoded stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) pad: gst::Pad,
    gate: Gate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Video,
    Audio,
}

#[derive(Clone, Debug)]
struct Gate(Arc<Mutex<GateState>>);

#[derive(Debug)]
struct GateState {
    kind: Kind,
    probe: Option<gst::PadProbeId>,
    /// Buffers before this are dropped.
    from: Option<gst::ClockTime>,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    orientation: Option<String>,
    /// Something waits: a buffer of this time, or the end of the stream.
    waits: bool,
    first: Option<gst::ClockTime>,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, GateState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shut(pad: &gst::Pad, kind: Kind, bus: &gst::Bus, pulse: &super::pipeline::Pulse) -> Self {
        let state = GateState {
            kind,
            probe: None,
            from: None,
            segment: None,
            orientation: None,
            waits: false,
            first: None,
        };
        let gate = Self(Arc::new(Mutex::new(state)));
        let mask = gst::PadProbeType::BLOCK
            | gst::PadProbeType::BUFFER
            | gst::PadProbeType::BUFFER_LIST
            | gst::PadProbeType::EVENT_DOWNSTREAM;
        let (at_gate, bus, pulse) = (gate.clone(), bus.clone(), pulse.clone());
        let probe = pad.add_probe(mask, move |_, info| {
            pulse.beat();
            let verdict = at_gate.state().pass(info);
            if verdict == gst::PadProbeReturn::Ok {
                post_news(&bus);
            }
            verdict
        });
        gate.state().probe = probe;
        gate
    }
}

impl GateState {
    /// `Ok` blocks at this probe, `Pass` lets through.
    fn pass(&mut self, info: &gst::PadProbeInfo<'_>) -> gst::PadProbeReturn {
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
        let start = info.buffer().and_then(|buffer| buffer.pts());
        let length = info.buffer().and_then(|buffer| buffer.duration()).unwrap_or_default();
        let end = start.map(|start| match self.kind {
            Kind::Video => start.saturating_add(TOLERANCE),
            Kind::Audio => start.saturating_add(length),
        });
        if let (Some(from), Some(end)) = (self.from, end.and_then(|end| self.stream_time(end)))
            && end < from
        {
            return gst::PadProbeReturn::Drop;
        }
        self.waits = true;
        self.first = start;
        gst::PadProbeReturn::Ok
    }

    fn stream_time(&self, time: gst::ClockTime) -> Option<gst::ClockTime> {
        self.segment.as_ref().map_or(Some(time), |segment| segment.to_stream_time(time))
    }
}

impl Stream {
    /// The caps of the decoded frames or samples.
    pub(crate) fn caps(&self) -> Result<gst::Caps> {
        self.pad
            .current_caps()
            .ok_or_else(|| error::not_decodable("a stream never said what it is"))
    }

    /// The `image-orientation` tag.
    pub(crate) fn orientation(&self) -> Option<String> {
        self.gate.state().orientation.clone()
    }

    /// Whether a buffer waits at the gate, and not the end of the stream.
    pub(crate) fn has_data(&self) -> bool {
        self.gate.state().first.is_some()
    }

    /// The time in the source of what waits at the gate.
    pub(crate) fn first_time(&self) -> Option<gst::ClockTime> {
        let state = self.gate.state();
        state.stream_time(state.first?)
    }

    fn first_running_time(&self) -> Option<gst::ClockTime> {
        let state = self.gate.state();
        state.segment.as_ref()?.to_running_time(state.first?)
    }

    /// Lets the stream flow into nothing.
    pub(crate) fn discard(&self) {
        discard(&self.pad);
        self.open();
    }

    /// Lets the stream flow.
    pub(crate) fn open(&self) {
        let probe = self.gate.state().probe.take();
        if let Some(probe) = probe {
            self.pad.remove_probe(probe);
        }
    }
}

impl Source {
    /// Opens a file and waits until each wanted stream shows its first buffer. Sound that is not wanted is not decoded.
    ///
    /// # Errors
    /// `video.not_decodable`, `video.missing_plugin`, `video.io`, and those of [`Running::wait`].
    pub(crate) fn open(path: &Path, sound: Sound, watch: &Watch<'_>) -> Result<Self> {
        let mut running = Running::new()?;
        let file = super::make("filesrc")?;
        file.set_property("location", path);
        let decoder = super::make("decodebin")?;
        super::chain(running.pipeline(), &[&file, &decoder])?;
        decoder.connect("autoplug-continue", false, move |arguments| {
            let caps = arguments.get(2).and_then(|value| value.get::<gst::Caps>().ok());
            let name =
                caps.as_ref().and_then(|caps| caps.structure(0)).map(gst::StructureRef::name);
            Some(name.is_none_or(|name| is_wanted(name, sound)).to_value())
        });
        let streams = Arc::new(Mutex::new(Vec::<(Kind, Stream)>::new()));
        let (found, bus, pulse) =
            (Arc::clone(&streams), running.bus().clone(), running.pulse().clone());
        decoder.connect_pad_added(move |_, pad| {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            match kind_of(pad).filter(|kind| found.iter().all(|(other, _)| other != kind)) {
                Some(kind) => {
                    let gate = Gate::shut(pad, kind, &bus, &pulse);
                    found.push((kind, Stream { pad: pad.clone(), gate }));
                }
                None => discard(pad),
            }
        });
        let complete = Arc::new(AtomicBool::new(false));
        let (flag, bus) = (Arc::clone(&complete), running.bus().clone());
        decoder.connect_no_more_pads(move |_| {
            flag.store(true, Ordering::Release);
            post_news(&bus);
        });

        running.set_state(gst::State::Paused)?;
        running.wait("opening the source", watch, |_| {
            let found = streams.lock().unwrap_or_else(PoisonError::into_inner);
            let all_wait = found.iter().all(|(_, stream)| stream.gate.state().waits);
            Ok((complete.load(Ordering::Acquire) && all_wait).then_some(()))
        })?;
        let duration = decoder.query_duration::<gst::ClockTime>().map(Duration::from);
        let found = std::mem::take(&mut *streams.lock().unwrap_or_else(PoisonError::into_inner));
        let mut source = Self { running, video: None, audio: None, duration };
        for (kind, stream) in found {
            match kind {
                Kind::Video => source.video = Some(stream),
                Kind::Audio => source.audio = Some(stream),
            }
        }
        let incomplete =
            source.video.is_none() || (sound == Sound::Wanted && source.audio.is_none());
        match source.running.take_missing() {
            Some(missing) if incomplete => Err(missing),
            _ => Ok(source),
        }
    }

    /// The video stream.
    ///
    /// # Errors
    /// `video.no_stream`.
    pub(crate) fn video(&self) -> Result<&Stream> {
        self.video.as_ref().ok_or_else(|| error::no_stream("video"))
    }

    /// Goes to the frame that is seen at a time; nothing is dropped.
    ///
    /// # Errors
    /// `video.not_seekable`, and those of [`Running::wait`].
    pub(crate) fn seek(&mut self, to: Duration, watch: &Watch<'_>) -> Result<()> {
        self.seek_and_wait(clock_time(to), None, None, watch)
    }

    /// Cuts to the frames that begin in `start..end`, with time zero at the first of them; picture and sound alike.
    /// Returns the time in the source of that first frame.
    ///
    /// # Errors
    /// `video.empty_cut`, `video.not_seekable`, and those of [`Running::wait`].
    pub(crate) fn cut(
        &mut self,
        start: Duration,
        end: Option<Duration>,
        watch: &Watch<'_>,
    ) -> Result<gst::ClockTime> {
        let start = clock_time(start);
        self.seek_and_wait(start.saturating_sub(LEAD), Some(start), end.map(clock_time), watch)?;
        let video = self.video()?;
        let empty = || {
            Error::input("video.empty_cut", "no frame lies in the cut")
                .with("start", start)
                .help("the cut begins at or after the last frame: choose an earlier start")
        };
        let zero = video.first_running_time().ok_or_else(empty)?;
        let first = video.first_time().ok_or_else(empty)?;
        let offset = i64::try_from(zero.nseconds()).map_err(|_| empty())?;
        for stream in self.video.iter().chain(&self.audio) {
            stream.pad.set_offset(-offset);
        }
        Ok(first)
    }

    fn seek_and_wait(
        &mut self,
        to: gst::ClockTime,
        from: Option<gst::ClockTime>,
        stop: Option<gst::ClockTime>,
        watch: &Watch<'_>,
    ) -> Result<()> {
        let gates: Vec<Gate> =
            self.video.iter().chain(&self.audio).map(|stream| stream.gate.clone()).collect();
        for gate in &gates {
            let mut state = gate.state();
            (state.waits, state.first, state.from) = (false, None, from);
        }
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        let stop_type = if stop.is_some() { gst::SeekType::Set } else { gst::SeekType::None };
        let seek = gst::event::Seek::new(1.0, flags, gst::SeekType::Set, to, stop_type, stop);
        if !self.video()?.pad.send_event(seek) {
            return Err(Error::unsupported(
                "video.not_seekable",
                "the file can not be cut: its container has no index",
            )
            .help("remux it, for instance to MP4 or Matroska"));
        }
        self.running.wait("seeking", watch, |_| {
            Ok(gates.iter().all(|gate| gate.state().waits).then_some(()))
        })
    }
}

/// Containers and video always, sound if asked for; texts and pictures of subtitles never.
fn is_wanted(caps: &str, sound: Sound) -> bool {
    const TEXT: [&str; 6] = [
        "text/",
        "subpicture/",
        "closedcaption/",
        "application/x-ass",
        "application/x-ssa",
        "application/x-subtitle",
    ];
    let is_sound = caps.starts_with("audio/");
    (sound != Sound::Ignored || !is_sound) && !TEXT.iter().any(|prefix| caps.starts_with(prefix))
}

fn kind_of(pad: &gst::Pad) -> Option<Kind> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    match caps.structure(0)?.name().as_str() {
        "video/x-raw" => Some(Kind::Video),
        "audio/x-raw" => Some(Kind::Audio),
        _ => None,
    }
}

/// A pad that nobody wants must still accept its data, or its demuxer reports an error.
fn discard(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, |_, _| {
        gst::PadProbeReturn::Drop
    });
}

/// Wakes the thread that waits at the bus.
pub(crate) fn post_news(bus: &gst::Bus) {
    // The bus refuses messages only while the pipeline goes down, when nobody waits for them.
    let _refused = bus.post(gst::message::Application::new(gst::Structure::new_empty(NEWS)));
}
