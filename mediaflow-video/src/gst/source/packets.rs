//! How many coded pictures there are, beside how many a decoder makes of them: it loses what is damaged without a word, or hides
//! it behind the picture before.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::units;
use crate::gst::set;

/// Of these codecs every packet is a picture that is shown.
const ONE_BY_ONE: [&str; 4] = ["video/x-h264", "video/x-h265", "image/jpeg", "video/x-prores"];

/// The times of the coded pictures that have passed. Clones share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packets(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_watched: bool,
    times: Vec<gst::ClockTime>,
    /// Of these, those that need no other.
    keys: BTreeSet<gst::ClockTime>,
    /// Those that are damaged.
    damaged: BTreeSet<gst::ClockTime>,
}

impl Packets {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the first element of a bin that takes coded pictures.
    pub(super) fn watch(&self, bin: &gst::Element) {
        let packets = self.clone();
        bin.connect("deep-element-added", false, move |arguments| {
            let element = arguments.get(2).and_then(|value| value.get::<gst::Element>().ok());
            if let Some(element) = element.filter(takes_pictures) {
                // Of pictures that can not be whole, where a recording begins between two that stand alone, no player shows
                // anything. Parsers and other decoders have no such thing.
                let _other = set(&element, "output-corrupt", "false");
                packets.listen(&element);
            }
            None
        });
    }

    fn listen(&self, element: &gst::Element) {
        let Some(pad) = element.static_pad("sink") else { return };
        if std::mem::replace(&mut self.state().is_watched, true) {
            return;
        }
        let packets = self.clone();
        let mask = gst::PadProbeType::BUFFER
            | gst::PadProbeType::EVENT_DOWNSTREAM
            | gst::PadProbeType::EVENT_FLUSH;
        pad.add_probe(mask, move |pad, info| {
            if info.event().is_some_and(|event| event.type_() == gst::EventType::FlushStop) {
                packets.forget();
            }
            if let Some((buffer, time)) = info.buffer().and_then(|b| Some((b, b.pts()?))) {
                let caps = pad.current_caps();
                let fields = caps.as_ref().and_then(|caps| caps.structure(0));
                if let Some(fields) = fields.filter(|f| ONE_BY_ONE.contains(&f.name().as_str())) {
                    packets.came(buffer, time, fields);
                }
            }
            gst::PadProbeReturn::Ok
        });
    }

    fn came(&self, buffer: &gst::BufferRef, time: gst::ClockTime, fields: &gst::StructureRef) {
        // Where a camera had no picture, AVI has an empty one.
        if buffer.size() == 0 {
            return;
        }
        let is_broken = units::are_broken(buffer, fields);
        let mut state = self.state();
        state.times.push(time);
        if !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) {
            state.keys.insert(time);
        }
        if is_broken {
            state.damaged.insert(time);
        }
    }

    /// All begins anew somewhere else.
    fn forget(&self) {
        let mut state = self.state();
        state.times.clear();
        state.keys.clear();
        state.damaged.clear();
    }

    /// How many are shown from one time to another.
    pub(crate) fn between(&self, first: gst::ClockTime, last: gst::ClockTime) -> u64 {
        let state = self.state();
        state.times.iter().filter(|time| (first..=last).contains(*time)).count() as u64
    }

    /// How many are shown before the very first that was given: they are made of others that are not there, if something was cut
    /// off before it.
    pub(crate) fn leading(&self) -> u64 {
        let state = self.state();
        let Some(first) = state.times.first() else { return 0 };
        state.times.iter().filter(|time| *time < first).count() as u64
    }

    /// How many are damaged of those from one time to another, and of those that the first of them is made of.
    pub(crate) fn damaged(&self, first: gst::ClockTime, last: gst::ClockTime) -> u64 {
        let state = self.state();
        let from = state.keys.range(..=first).next_back().copied().unwrap_or(first);
        state.damaged.range(from..=last).count() as u64
    }
}

fn takes_pictures(element: &gst::Element) -> bool {
    let class = element.metadata(gst::ELEMENT_METADATA_KLASS).unwrap_or_default();
    class.contains("Video") && (class.contains("Parser") || class.contains("Decoder"))
}
