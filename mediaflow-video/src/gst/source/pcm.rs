//! Uncompressed sound of MP4 and QuickTime, read by its index.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as app;
use gstreamer_audio as audio;
use mediaflow_core::Result;

use super::branch::Found;
use super::gate::Gate;
use super::origin::{Origin, View};
use super::packets::Packets;
use super::place::Kind;
use super::stream::Stream;
use crate::error;
use crate::gst::pipeline::{Running, Watch};
use crate::isobmff::pcm::{Pcm, Sample};

/// Frames of one buffer.
const FRAMES: u64 = 4096;

/// Adds an element that gives this sound to a pipeline, and waits for its first buffer.
pub(super) fn open(
    running: &mut Running,
    origin: &Origin,
    view: View,
    pcm: &Pcm,
    watch: &Watch<'_>,
) -> Result<Found> {
    let mut caps = gst::Caps::builder("audio/x-raw")
        .field("format", format(pcm.sample))
        .field("layout", "interleaved")
        .field("rate", i32::try_from(pcm.rate).unwrap_or(i32::MAX))
        .field("channels", i32::try_from(pcm.channels).unwrap_or(i32::MAX));
    if pcm.channels > 2 {
        let usual = audio::AudioChannelPosition::fallback_mask(pcm.channels);
        caps = caps.field("channel-mask", gst::Bitmask::new(usual));
    }
    let source = app::AppSrc::builder()
        .caps(&caps.build())
        .format(gst::Format::Time)
        .stream_type(app::AppStreamType::Seekable)
        .max_bytes(1 << 20)
        .build();
    let file = File::open(&origin.path).map_err(error::io)?;
    let reader = Reader { file, pcm: pcm.clone(), frame: 0, chunk: 0, first: 0 };
    let reader = Arc::new(Mutex::new(reader));
    let (seeking, reading) = (Arc::clone(&reader), reader);
    source.set_callbacks(
        app::AppSrcCallbacks::builder()
            .need_data(move |source, _| {
                let next = reading.lock().unwrap_or_else(PoisonError::into_inner).next();
                // A refusal is a flush or the end of the pipeline, which tells itself.
                let _told = match next {
                    Ok(Some(buffer)) => source.push_buffer(buffer),
                    Ok(None) => source.end_of_stream(),
                    Err(cause) => {
                        gst::element_error!(source, gst::ResourceError::Read, ["{cause}"]);
                        source.end_of_stream()
                    }
                };
            })
            .seek_data(move |_, time| {
                seeking.lock().unwrap_or_else(PoisonError::into_inner).seek(time);
                true
            })
            .build(),
    );
    running
        .pipeline()
        .add(&source)
        .map_err(|e| error::pipeline("an element could not be added").because(e))?;
    let pad = source.static_pad("src").ok_or_else(|| error::pipeline("a source without a pad"))?;
    let (bus, pulse) = (running.bus().clone(), running.pulse().clone());
    let gate = Gate::shut(&pad, Kind::Audio, Arc::clone(&view.timeline), &bus, &pulse);
    running.set_state(gst::State::Paused)?;
    running.wait("opening the source", watch, |_| Ok(gate.state().waits.then_some(())))?;
    let (kind, track, timeline) = (Kind::Audio, view.track, view.timeline);
    let stream = Stream {
        kind,
        pad,
        track,
        timeline,
        opened: None,
        colour: None,
        packets: Packets::default(),
        gate,
    };
    Ok(Found::Stream(stream, None))
}

/// GStreamer's name of a number.
fn format(sample: Sample) -> String {
    let kind = match sample {
        Sample { float: true, .. } => 'F',
        Sample { signed: true, .. } => 'S',
        Sample { .. } => 'U',
    };
    let order = match (sample.bits, sample.big_endian) {
        (8, _) => "",
        (_, true) => "BE",
        (_, false) => "LE",
    };
    format!("{kind}{}{order}", sample.bits)
}

/// Reads frames one after the other.
#[derive(Debug)]
struct Reader {
    file: File,
    pcm: Pcm,
    /// The next one.
    frame: u64,
    /// The chunk that it lies in, or one before, and the first frame of that.
    chunk: usize,
    first: u64,
}

impl Reader {
    fn seek(&mut self, nanoseconds: u64) {
        let exact = u128::from(nanoseconds) * u128::from(self.pcm.rate) / 1_000_000_000;
        self.frame = u64::try_from(exact).unwrap_or(u64::MAX);
        (self.chunk, self.first) = (0, 0);
    }

    fn next(&mut self) -> std::io::Result<Option<gst::Buffer>> {
        let (at, inside, left) = loop {
            let Some((at, frames)) = self.pcm.chunks.get(self.chunk).copied() else {
                return Ok(None);
            };
            let inside = self.frame.saturating_sub(self.first);
            if inside < frames {
                break (at, inside, frames - inside);
            }
            self.first = self.first.saturating_add(frames);
            self.chunk += 1;
        };
        let (frames, size) = (left.min(FRAMES), self.pcm.frame());
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(at.saturating_add(inside * size)))?;
        (&self.file).take(frames * size).read_to_end(&mut bytes)?;
        let whole = bytes.len() as u64 / size;
        if whole == 0 {
            return Ok(None);
        }
        bytes.truncate(usize::try_from(whole * size).unwrap_or_default());
        let begin = self.time(self.frame);
        self.frame += whole;
        let end = self.time(self.frame);
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        if let Some(times) = buffer.get_mut() {
            times.set_pts(begin);
            times.set_duration(end.saturating_sub(begin));
        }
        Ok(Some(buffer))
    }

    fn time(&self, frame: u64) -> gst::ClockTime {
        let exact = u128::from(frame) * 1_000_000_000 / u128::from(self.pcm.rate.max(1));
        gst::ClockTime::from_nseconds(u64::try_from(exact).unwrap_or(u64::MAX - 1))
    }
}
