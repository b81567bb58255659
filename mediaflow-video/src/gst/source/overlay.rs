//! What a demuxer is shown in place of bytes of the file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::mpegts::{PACKET, Transport};

/// Other bytes than the file's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlay {
    /// Where, and which.
    pub(super) bytes: Vec<(u64, Vec<u8>)>,
    /// Packets of a transport stream, and the file: a packet may lie in two buffers.
    pub(super) packets: Option<(Arc<Transport>, PathBuf)>,
}

impl Overlay {
    /// Shows these bytes to whoever reads from this pad.
    pub(crate) fn put_over(self, pad: &gst::Pad) {
        if self.bytes.is_empty() && self.packets.is_none() {
            return;
        }
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let offset = info.offset;
            if let Some(buffer) = info.buffer_mut() {
                // All ones: it has none.
                let known = buffer.offset();
                let start = if known == u64::MAX { offset } else { known };
                self.write(buffer, start);
            }
            gst::PadProbeReturn::Ok
        });
    }

    fn write(&self, buffer: &mut gst::Buffer, start: u64) {
        let end = start.saturating_add(buffer.size() as u64);
        let amended = self.amended(buffer, start);
        let touches =
            |at: u64, bytes: &[u8]| at < end && at.saturating_add(bytes.len() as u64) > start;
        let others = self.bytes.iter().chain(&amended).filter(|(at, bytes)| touches(*at, bytes));
        let mut others = others.peekable();
        if others.peek().is_none() {
            return;
        }
        let Ok(mut map) = buffer.make_mut().map_writable() else { return };
        for (at, bytes) in others {
            for (at, byte) in (*at..).zip(bytes) {
                let place = at.checked_sub(start).and_then(|at| usize::try_from(at).ok());
                if let Some(place) = place.and_then(|place| map.as_mut_slice().get_mut(place)) {
                    *place = *byte;
                }
            }
        }
    }

    /// The packets of which something lies in a buffer, as far as they are to be others.
    fn amended(&self, buffer: &gst::Buffer, start: u64) -> Vec<(u64, Vec<u8>)> {
        let Some((transport, path)) = &self.packets else { return Vec::new() };
        let Ok(map) = buffer.map_readable() else { return Vec::new() };
        let bytes = map.as_slice();
        let amended = |at: u64| {
            let inside = at.checked_sub(start).and_then(|at| usize::try_from(at).ok());
            let whole = inside.and_then(|inside| bytes.get(inside..inside + PACKET));
            let packet = match whole {
                Some(whole) => transport.amended(at, whole),
                None => transport.amended(at, &read(path, at)?),
            };
            Some((at, packet?))
        };
        let end = start.saturating_add(bytes.len() as u64);
        transport.packets(start, end).filter_map(amended).collect()
    }
}

/// A packet of the file; nothing if it can not be read, which whoever reads the file is told as well.
fn read(path: &PathBuf, at: u64) -> Option<[u8; PACKET]> {
    let mut packet = [0; PACKET];
    let mut file = File::open(path).ok()?;
    file.seek(SeekFrom::Start(at)).ok()?;
    file.read_exact(&mut packet).ok()?;
    Some(packet)
}
