//! Where a decoded buffer lies in the time of the source: the one clock that cuts, posters and results are told by.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio as audio;

use crate::isobmff::timeline::{Piece, Timeline};

/// A frame belongs to a part if it begins no more than this before it: time stamps are rounded.
pub(crate) const TOLERANCE: i64 = 500_000;

/// Picture or sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Video,
    Audio,
}

/// Nanoseconds in the time of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// What to add to a time stamp to get the time of the source.
    pub(crate) shift: i64,
}

/// The buffer before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    /// Its own time stamp.
    pub(crate) stamp: gst::ClockTime,
    /// Where it was taken to begin and to end.
    pub(crate) start: gst::ClockTime,
    pub(crate) end: gst::ClockTime,
}

/// A time stamp and a length. Some demuxers and decoders leave out times, or let them stand still: then the buffers follow one
/// another, as those of a second recording do that is joined to a first and counts anew.
pub(crate) fn times(
    kind: Kind,
    buffer: &gst::BufferRef,
    length: gst::ClockTime,
    segment: Option<&gst::FormattedSegment<gst::ClockTime>>,
    before: Option<Before>,
) -> (gst::ClockTime, gst::ClockTime) {
    // Sound that is there twice where two recordings meet, which is dropped, is shorter than this.
    const OVERLAP: gst::ClockTime = gst::ClockTime::from_mseconds(500);
    // Sound is as long as its samples; containers round.
    let length = match kind {
        Kind::Audio if !length.is_zero() => length,
        _ => buffer.duration().unwrap_or(length),
    };
    let begin = || segment.and_then(|segment| segment.start()).unwrap_or_default();
    let stands = |pts: gst::ClockTime| match (kind, before) {
        (Kind::Video, Some(before)) => pts <= before.start,
        (Kind::Audio, Some(before)) => {
            let is_over = pts.saturating_add(length) <= before.end;
            is_over && (pts == before.stamp || pts.saturating_add(OVERLAP) <= before.end)
        }
        (_, None) => false,
    };
    let next = before.map(|before| before.end);
    let pts = buffer.pts().filter(|pts| !stands(*pts)).or(next).unwrap_or_else(begin);
    (pts, length)
}

/// Where a buffer lies; nothing if no part of it is shown.
pub(crate) fn place(
    kind: Kind,
    (pts, length): (gst::ClockTime, gst::ClockTime),
    timeline: &Timeline,
) -> Option<Place> {
    let start = nanoseconds(pts);
    let end = start.saturating_add(nanoseconds(length));
    let piece = match kind {
        Kind::Video => {
            let at = start.saturating_add(TOLERANCE);
            timeline.piece(at, at.saturating_add(1))?
        }
        Kind::Audio => timeline.piece(start, end.max(start.saturating_add(1)))?,
    };
    Some(Place {
        start: within(start, piece),
        end: within(end, piece),
        shift: piece.place(start).saturating_sub(nanoseconds(pts)),
    })
}

fn within(media: i64, piece: Piece) -> i64 {
    piece.place(media.max(piece.media).min(piece.end))
}

pub(crate) fn nanoseconds(time: gst::ClockTime) -> i64 {
    i64::try_from(time.nseconds()).unwrap_or(i64::MAX)
}

/// The time of the source as a time of a pipeline, which has none before zero.
pub(crate) fn clock(nanoseconds: i64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(u64::try_from(nanoseconds).unwrap_or(0))
}

/// The segment that a pad is in.
pub(crate) fn segment(pad: &gst::Pad) -> Option<gst::FormattedSegment<gst::ClockTime>> {
    pad.sticky_event::<gst::event::Segment>(0)?.segment().downcast_ref().cloned()
}

/// How long samples of a format last.
pub(crate) fn sound_time(buffer: &gst::BufferRef, format: &audio::AudioInfo) -> gst::ClockTime {
    // Of a buffer that was cut, only a part counts.
    let cut = buffer.meta::<audio::AudioMeta>().map(|meta| meta.samples() as u64);
    let frames = cut.unwrap_or(buffer.size() as u64 / u64::from(format.bpf().max(1)));
    gst::ClockTime::SECOND.mul_div_round(frames, format.rate().max(1).into()).unwrap_or_default()
}

/// How long a frame is shown that does not say so itself.
pub(crate) fn frame_time(pad: &gst::Pad) -> gst::ClockTime {
    let caps = pad.current_caps();
    let rate =
        caps.as_ref().and_then(|caps| caps.structure(0)?.get::<gst::Fraction>("framerate").ok());
    rate.filter(|rate| rate.numer() > 0 && rate.denom() > 0)
        .and_then(|rate| {
            gst::ClockTime::SECOND.mul_div_floor(
                rate.denom().unsigned_abs().into(),
                rate.numer().unsigned_abs().into(),
            )
        })
        .unwrap_or_default()
}
