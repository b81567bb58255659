use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;
use mediaflow_core::Result;

use super::gate::Gate;
use super::packets::Packets;
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
    /// The caps at the begin of the file: what comes later, and is of another shape, is fitted into this one.
    pub(super) opened: Option<gst::Caps>,
    /// What the index says of its colours.
    pub(crate) colour: Option<Colour>,
    /// What its decoder is given.
    pub(crate) packets: Packets,
    pub(super) gate: Gate,
}

impl Stream {
    /// The caps of the first decoded frames or samples of the file, wherever it is read now.
    pub(crate) fn caps(&self) -> Result<gst::Caps> {
        let opened = self.opened.clone().or_else(|| self.pad.current_caps());
        opened.ok_or_else(|| error::not_decodable("a stream never said what it is"))
    }

    /// Whether its pictures consist of fields.
    pub(crate) fn is_interlaced(&self) -> Result<bool> {
        let caps = self.caps()?;
        let mode = caps.structure(0).and_then(|fields| fields.get::<&str>("interlace-mode").ok());
        Ok(mode.is_some_and(|mode| mode != "progressive"))
    }

    /// Whether of its fields the lower one is seen first: its caps say so or, where frames may differ, the first of them.
    pub(crate) fn is_bottom_first(&self) -> Result<bool> {
        let caps = self.caps()?;
        let order = caps.structure(0).and_then(|fields| fields.get::<&str>("field-order").ok());
        Ok(match order {
            Some("bottom-field-first") => true,
            Some("top-field-first") => false,
            _ => self.gate.state().is_bottom_first,
        })
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
