//! A file read for one of its streams: a demuxer and a decoder of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use mediaflow_core::{Error, Result};

use super::gate::Gate;
use super::origin::{Origin, View};
use super::packets::Packets;
use super::place::Kind;
use super::stream::{Stream, discard};
use crate::gst::pipeline::{Running, Watch, post_news};
use crate::gst::{chain, make, missing};

/// Reads a file for the stream of one kind.
pub(super) struct Branch {
    elements: [gst::Element; 2],
}

/// What a file has of a kind, and how long it says it is.
pub(super) enum Found {
    Stream(Stream, Option<Duration>),
    /// There is something that nothing here can decode.
    Missing(Error),
    Nothing(Option<Duration>),
}

/// What the callbacks have seen.
#[derive(Debug, Default)]
struct Seen {
    /// The stream that is decoded, by the name that it keeps from demuxer to decoder.
    chosen: Option<String>,
    /// The caps of one that can not be decoded.
    unknown: Option<gst::Caps>,
    stream: Option<Stream>,
}

impl Branch {
    /// Adds itself to a pipeline, and waits for its first buffer. What finds nothing is taken out again.
    pub(super) fn open(
        running: &mut Running,
        origin: &Origin,
        kind: Kind,
        view: View,
        watch: &Watch<'_>,
    ) -> Result<Found> {
        let file = make("filesrc")?;
        file.set_property("location", &origin.path);
        let decoder = make("decodebin")?;
        chain(running.pipeline(), &[&file, &decoder])?;
        if let Some(pad) = file.static_pad("src") {
            view.overlay.put_over(&pad);
        }
        let seen = Arc::new(Mutex::new(Seen::default()));
        let complete = Arc::new(AtomicBool::new(false));
        Self::choose(&decoder, kind, &seen);
        Self::collect(&decoder, kind, &view.timeline, running, &seen);
        let (flag, bus) = (Arc::clone(&complete), running.bus().clone());
        decoder.connect("no-more-pads", false, move |_| {
            flag.store(true, Ordering::Release);
            post_news(&bus);
            None
        });
        let branch = Self { elements: [file, decoder] };

        running.set_state(gst::State::Paused)?;
        let opened = running.wait("opening the source", watch, |_| {
            let seen = lock(&seen);
            let waits = seen.stream.as_ref().is_none_or(|stream| stream.gate.state().waits);
            Ok((complete.load(Ordering::Acquire) && waits).then_some(()))
        });
        let duration = branch.elements[1].query_duration::<gst::ClockTime>().map(Duration::from);
        let (stream, unknown) = {
            let mut seen = lock(&seen);
            (seen.stream.take(), seen.unknown.take())
        };
        let lacking = running.take_missing();
        match (opened, stream) {
            (Ok(()), Some(stream)) => Ok(Found::Stream(stream, duration)),
            (Err(error), None) if lacking.is_none() && unknown.is_none() => {
                branch.remove(running);
                Err(error)
            }
            (Err(error), Some(_)) => {
                branch.remove(running);
                Err(error)
            }
            (_, None) => {
                branch.remove(running);
                let unknown = unknown.map(|caps| missing::decoder(&caps));
                Ok(match lacking.or(unknown) {
                    Some(missing) => Found::Missing(missing),
                    None => Found::Nothing(duration),
                })
            }
        }
    }

    /// Containers are opened, and of the streams of this kind the first that can be decoded.
    fn choose(decoder: &gst::Element, kind: Kind, seen: &Arc<Mutex<Seen>>) {
        let seen = Arc::clone(seen);
        decoder.connect("autoplug-continue", false, move |arguments| {
            let pad = arguments.get(1).and_then(|value| value.get::<gst::Pad>().ok());
            let caps = arguments.get(2).and_then(|value| value.get::<gst::Caps>().ok());
            let goes_on = caps.is_none_or(|caps| {
                let stream = pad.and_then(|pad| pad.stream_id()).map(|id| id.to_string());
                is_opened(&caps, kind, stream, &mut lock(&seen))
            });
            Some(goes_on.to_value())
        });
    }

    fn collect(
        decoder: &gst::Element,
        kind: Kind,
        timeline: &Arc<crate::isobmff::timeline::Timeline>,
        running: &Running,
        seen: &Arc<Mutex<Seen>>,
    ) {
        let (seen, timeline) = (Arc::clone(seen), Arc::clone(timeline));
        let packets = Packets::default();
        if kind == Kind::Video {
            packets.watch(decoder);
        }
        let (bus, pulse) = (running.bus().clone(), running.pulse().clone());
        decoder.connect_pad_added(move |_, pad| {
            let mut seen = lock(&seen);
            if raw_kind(pad) != Some(kind) || seen.stream.is_some() {
                discard(pad);
                return;
            }
            let gate = Gate::shut(pad, kind, Arc::clone(&timeline), &bus, &pulse);
            let (pad, timeline) = (pad.clone(), Arc::clone(&timeline));
            seen.stream = Some(Stream {
                kind,
                pad,
                track: None,
                timeline,
                opened: None,
                colour: None,
                packets: packets.clone(),
                gate,
            });
        });
    }

    fn remove(self, running: &Running) {
        for element in self.elements {
            // It goes down with the pipeline if it does not go now.
            let _refused = element.set_state(gst::State::Null);
            let _refused = running.pipeline().remove(&element);
        }
        // What it had to say is nothing to those that stay.
        running.forget();
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_opened(caps: &gst::Caps, kind: Kind, stream: Option<String>, seen: &mut Seen) -> bool {
    if can_sink(gst::ElementFactoryType::DEMUXER, caps) {
        return true;
    }
    let name = name_of(caps);
    match kind_of(caps) {
        Some(found) if found == kind => {}
        Some(_) => return false,
        // What is no stream yet, such as a file whose type is not known, is for the decoder to judge.
        None => return !SIDE.iter().any(|prefix| name.starts_with(prefix)),
    }
    if seen.chosen.is_some() {
        return seen.chosen == stream;
    }
    if name.ends_with("/x-raw") || can_sink(gst::ElementFactoryType::DECODABLE, caps) {
        seen.chosen = stream;
        return true;
    }
    seen.unknown = Some(caps.clone());
    false
}

/// Texts, pictures of subtitles, and data: never decoded.
const SIDE: [&str; 8] = [
    "text/",
    "subpicture/",
    "closedcaption/",
    "meta/",
    "application/x-ass",
    "application/x-ssa",
    "application/x-subtitle",
    "application/x-usf",
];

fn name_of(caps: &gst::Caps) -> &str {
    caps.structure(0).map(|fields| fields.name().as_str()).unwrap_or_default()
}

/// Whether these are the caps of pictures or of sound, in a container or out of it.
pub(crate) fn kind_of(caps: &gst::Caps) -> Option<Kind> {
    let name = name_of(caps);
    if name.starts_with("video/") || name.starts_with("image/") {
        Some(Kind::Video)
    } else {
        name.starts_with("audio/").then_some(Kind::Audio)
    }
}

pub(crate) fn can_sink(kind: gst::ElementFactoryType, caps: &gst::Caps) -> bool {
    gst::ElementFactory::factories_with_type(kind, gst::Rank::MARGINAL)
        .iter()
        .any(|factory| factory.can_sink_any_caps(caps))
}

fn raw_kind(pad: &gst::Pad) -> Option<Kind> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    match caps.structure(0)?.name().as_str() {
        "video/x-raw" => Some(Kind::Video),
        "audio/x-raw" => Some(Kind::Audio),
        _ => None,
    }
}
