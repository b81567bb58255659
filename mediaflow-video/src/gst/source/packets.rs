//! How many coded pictures there are, beside how many a decoder makes of them: it loses what is damaged without a word.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

/// Of these codecs every packet is a picture that is shown.
const ONE_BY_ONE: [&str; 2] = ["video/x-h264", "video/x-h265"];

/// The times of the coded pictures that have passed. Clones share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packets(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_watched: bool,
    times: Vec<gst::ClockTime>,
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
                packets.state().times.clear();
            }
            if let Some(time) = info.buffer().and_then(|buffer| buffer.pts()) {
                let caps = pad.current_caps();
                let fields = caps.as_ref().and_then(|caps| caps.structure(0));
                if fields.is_some_and(|fields| ONE_BY_ONE.contains(&fields.name().as_str())) {
                    packets.state().times.push(time);
                }
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// How many are shown from one time to another.
    pub(crate) fn between(&self, first: gst::ClockTime, last: gst::ClockTime) -> u64 {
        let state = self.state();
        state.times.iter().filter(|time| (first..=last).contains(*time)).count() as u64
    }
}

fn takes_pictures(element: &gst::Element) -> bool {
    let class = element.metadata(gst::ELEMENT_METADATA_KLASS).unwrap_or_default();
    class.contains("Video") && (class.contains("Parser") || class.contains("Decoder"))
}
