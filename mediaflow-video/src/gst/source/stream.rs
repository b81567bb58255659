use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;
use mediaflow_core::Result;

use super::gate::Gate;
use super::place::{Kind, Place};
use crate::error;
use crate::isobmff::Colour;
use crate::isobmff::timeline::Timeline;

/// One decoded stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) kind: Kind,
    pub(crate) pad: gst::Pad,
    /// The number of its track in the index.
    pub(crate) track: Option<usize>,
    /// When its media is shown.
    pub(crate) timeline: Arc<Timeline>,
    /// What the index says of its colours.
    pub(crate) colour: Option<Colour>,
    pub(super) gate: Gate,
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

    /// What waits at the gate, in the time of the source.
    pub(crate) fn first(&self) -> Option<Place> {
        self.gate.state().first
    }

    /// Lets the stream flow into nothing.
    pub(crate) fn discard(&self) {
        discard(&self.pad);
        self.open();
    }

    /// Lets the stream flow.
    pub(crate) fn open(&self) {
        self.gate.open(&self.pad);
    }
}

/// A pad that nobody wants must still accept its data, or its demuxer reports an error.
pub(super) fn discard(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, |_, _| {
        gst::PadProbeReturn::Drop
    });
}
