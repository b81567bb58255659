//! How long the streams of a file are, by reading all of it without decoding: the one sure way where a container has no index
//! of its samples, such as a recording of a browser, a transport stream or a file in fragments.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use mediaflow_core::{Result, codes};

use super::pipeline::{Running, Watch, post_news};
use super::source::place::{Kind, nanoseconds};
use super::source::{Origin, can_sink, kind_of};
use crate::isobmff::timeline::Timeline;

/// Where the first picture and the first sound begin and end, in nanoseconds of the container's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) video: Option<Extent>,
    pub(crate) audio: Option<Extent>,
}

/// The extent of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Measured {
    /// Where the last of them ends.
    pub(crate) fn end(&self) -> Option<i64> {
        self.video.iter().chain(&self.audio).map(|extent| extent.end).max()
    }

    /// From the first begin to the last end.
    pub(crate) fn length(&self) -> Option<i64> {
        let both = || self.video.iter().chain(&self.audio);
        let start = both().map(|extent| extent.start).min()?;
        let end = both().map(|extent| extent.end).max()?;
        Some(end.saturating_sub(start)).filter(|length| *length > 0)
    }
}

/// What the probes of one stream have seen.
#[derive(Debug)]
struct Seen {
    kind: Kind,
    start: AtomicI64,
    /// The latest begin of a packet, and the one before.
    latest: AtomicI64,
    before: AtomicI64,
    end: AtomicI64,
    packets: AtomicU64,
    /// How long all of them are by themselves, and those since the last that says when it is shown.
    lengths: AtomicI64,
    untimed: AtomicI64,
    over: AtomicBool,
}

impl Seen {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            start: AtomicI64::new(i64::MAX),
            latest: AtomicI64::new(i64::MIN),
            before: AtomicI64::new(i64::MIN),
            end: AtomicI64::new(i64::MIN),
            packets: AtomicU64::new(0),
            lengths: AtomicI64::new(0),
            untimed: AtomicI64::new(0),
            over: AtomicBool::new(false),
        }
    }

    fn note(&self, start: i64, length: Option<i64>) {
        self.packets.fetch_add(1, Ordering::Relaxed);
        self.lengths.fetch_add(length.unwrap_or(0), Ordering::Relaxed);
        self.untimed.store(0, Ordering::Relaxed);
        self.start.fetch_min(start, Ordering::Relaxed);
        self.end.fetch_max(start.saturating_add(length.unwrap_or(0)), Ordering::Relaxed);
        let latest = self.latest.fetch_max(start, Ordering::Relaxed);
        if start != latest {
            self.before.fetch_max(latest.min(start), Ordering::Relaxed);
        }
    }

    /// One that does not say when it is shown, as of MPEG only the first in a packet does: after the one before.
    fn follow(&self, length: i64) {
        self.lengths.fetch_add(length, Ordering::Relaxed);
        self.untimed.fetch_add(length, Ordering::Relaxed);
    }

    fn extent(&self) -> Option<Extent> {
        let start = self.start.load(Ordering::Relaxed);
        let (latest, before) =
            (self.latest.load(Ordering::Relaxed), self.before.load(Ordering::Relaxed));
        if start == i64::MAX {
            return None;
        }
        let end = self.end.load(Ordering::Relaxed);
        // The last one lasts as long as the one before, if it does not say.
        let step = if before == i64::MIN { 0 } else { latest.saturating_sub(before) };
        let end = if end > latest { end } else { latest.saturating_add(step) };
        // Some of them may be shown before the last that says when.
        let (lengths, untimed) =
            (self.lengths.load(Ordering::Relaxed), self.untimed.load(Ordering::Relaxed));
        let counted = start.saturating_add(lengths).min(end.saturating_add(untimed));
        Some(Extent { start, end: if untimed > 0 { end.max(counted) } else { end } })
    }
}

/// Reads all of a file.
///
/// # Errors
/// Those of [`Running::wait`].
pub(crate) fn measure(origin: &Origin, watch: &Watch<'_>) -> Result<Measured> {
    let mut running = Running::new()?;
    let file = super::make("filesrc")?;
    file.set_property("location", &origin.path);
    let decoder = super::make("decodebin")?;
    super::chain(running.pipeline(), &[&file, &decoder])?;
    if let Some(pad) = file.static_pad("src") {
        origin.shown().put_over(&pad);
    }
    decoder.connect("autoplug-continue", false, move |arguments| {
        let caps = arguments.get(2).and_then(|value| value.get::<gst::Caps>().ok());
        let goes_on = caps.is_none_or(|caps| {
            can_sink(gst::ElementFactoryType::DEMUXER, &caps)
                || kind_of(&caps).is_none()
                || (!is_parsed(&caps) && can_sink(gst::ElementFactoryType::PARSER, &caps))
        });
        Some(goes_on.to_value())
    });
    let streams = Arc::new(Mutex::new(Vec::<Arc<Seen>>::new()));
    let (found, bus, pulse) =
        (Arc::clone(&streams), running.bus().clone(), running.pulse().clone());
    let timelines = [Kind::Video, Kind::Audio].map(|kind| (kind, origin.timeline(kind)));
    decoder.connect_pad_added(move |_, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let kind = kind_of(&caps);
        let timeline =
            timelines.iter().find(|(of, _)| Some(*of) == kind).map(|(_, t)| Arc::clone(t));
        let seen = kind.map(|kind| Arc::new(Seen::new(kind)));
        if let Some(seen) = &seen {
            found.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(seen));
        }
        let (bus, pulse) = (bus.clone(), pulse.clone());
        let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(mask, move |_, info| {
            if let Some(event) = info.event() {
                if event.type_() == gst::EventType::Eos
                    && let Some(seen) = &seen
                {
                    seen.over.store(true, Ordering::Release);
                    post_news(&bus);
                }
                return gst::PadProbeReturn::Ok;
            }
            pulse.beat();
            if let (Some(seen), Some(buffer)) = (&seen, info.buffer()) {
                note(seen, buffer, timeline.as_deref());
            }
            gst::PadProbeReturn::Drop
        });
    });
    let complete = Arc::new(AtomicBool::new(false));
    let (flag, bus) = (Arc::clone(&complete), running.bus().clone());
    decoder.connect("no-more-pads", false, move |_| {
        flag.store(true, Ordering::Release);
        post_news(&bus);
        None
    });
    running.set_state(gst::State::Paused)?;
    let read = running.wait("reading the source", watch, |_| {
        let streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
        let over = streams.iter().all(|seen| seen.over.load(Ordering::Acquire));
        Ok((complete.load(Ordering::Acquire) && over).then_some(()))
    });
    let streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
    let first =
        |kind: Kind| streams.iter().filter(|seen| seen.kind == kind).find_map(|s| s.extent());
    let measured = Measured { video: first(Kind::Video), audio: first(Kind::Audio) };
    match read {
        // What is wrong with the end of a file does not undo what comes before.
        Err(error) if error.code() == codes::VIDEO_NOT_DECODABLE && measured.end().is_some() => {
            Ok(measured)
        }
        read => read.map(|()| measured),
    }
}

fn note(seen: &Seen, buffer: &gst::BufferRef, timeline: Option<&Timeline>) {
    let length = buffer.duration().map(nanoseconds);
    let Some(start) = buffer.pts().map(nanoseconds) else {
        seen.follow(length.unwrap_or(0));
        return;
    };
    let end = start.saturating_add(length.unwrap_or(1).max(1));
    match timeline.map(|timeline| timeline.piece(start, end)) {
        Some(Some(piece)) => {
            let (from, until) =
                (piece.place(start.max(piece.media)), piece.place(end.min(piece.end)));
            seen.note(from, length.map(|_| until.saturating_sub(from)));
        }
        Some(None) => {}
        None => seen.note(start, length),
    }
}

/// One packet is one frame.
fn is_parsed(caps: &gst::Caps) -> bool {
    caps.structure(0).is_some_and(|fields| {
        ["parsed", "framed"].into_iter().any(|field| fields.get::<bool>(field).unwrap_or(false))
    })
}
