//! One frame, as pixels.

use std::sync::Arc;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as app;
use gstreamer_video as video;
use gstreamer_video::prelude::*;
use mediaflow_core::geometry::FitBox;
use mediaflow_core::media::Image;
use mediaflow_core::{Error, Result, codes};

use super::colour::Colours;
use super::picture;
use super::pipeline::{Watch, clock_time, post_news};
use super::scale::{scale, scaler};
use super::source::place::{TOLERANCE, nanoseconds};
use super::source::{Origin, Sound, Source};
use super::upright::Upright;
use crate::error;
use crate::isobmff::timeline::Timeline;

/// Seconds to go back for a frame, again and again until there is one.
const BACK: [u64; 5] = [0, 1, 5, 30, u64::MAX];

/// A frame.
#[derive(Clone, Debug)]
pub(crate) struct Grabbed {
    pub(crate) image: Image,
    /// The source has more light than the picture can show.
    pub(crate) is_hdr: bool,
    /// It is damaged, or what it is made of.
    pub(crate) is_damaged: bool,
}

/// Takes the frame that is seen at a time: upright, with square pixels, as RGB, put into these boxes one after the other.
///
/// # Errors
/// `video.no_frame`, and those of [`Source::open`] and [`Source::seek`].
pub(crate) fn grab(
    origin: &Origin,
    at: Duration,
    boxes: &[FitBox],
    watch: &Watch<'_>,
) -> Result<Grabbed> {
    // Without an index the time of a frame is told from what begins first.
    let sound = if origin.has_times() { Sound::Ignored } else { Sound::Watched };
    let mut source = Source::open(origin, sound, watch)?;
    let target = nanoseconds(clock_time(at));
    // A seek may hit a later frame where a container has no index, or none because the picture ends before: then it goes back.
    for back in BACK.into_iter().filter(|_| target > 0) {
        source.seek(at.saturating_sub(Duration::from_secs(back)), watch)?;
        let first = source.video()?.first();
        if first.is_some_and(|first| first.start <= target.saturating_add(TOLERANCE)) {
            break;
        }
    }
    let source_colours = Colours::of(source.video()?)?;
    let (colours, is_hdr) = (source_colours.result(), source_colours.is_hdr());
    let mut upright = Upright::of(source.video()?)?;
    if is_hdr && !source.video()?.is_interlaced()? {
        upright = upright.reduced(std::iter::once(boxes));
    }
    let layouts = if boxes.is_empty() { Vec::new() } else { upright.layouts(boxes) };
    // The frame is a still: its sides may be odd, as those of its boxes.
    let place = |size: (u32, u32), fit_box: &FitBox| fit_box.place(size.0, size.1).canvas;
    let (width, height) = boxes.iter().fold(upright.shown, place);
    let mut elements = picture::upright(source.video()?, upright)?;
    for layout in &layouts {
        elements.extend(scale(layout, colours)?);
    }
    elements.push(scaler("false")?);
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "RGB")
        .field("width", i32::try_from(width).unwrap_or(i32::MAX))
        .field("height", i32::try_from(height).unwrap_or(i32::MAX))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build();
    let sink = app::AppSink::builder().caps(&caps).max_buffers(1).sync(false).build();
    let bus = source.running.bus().clone();
    let wake = move |_: &app::AppSink| {
        post_news(&bus);
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(app::AppSinkCallbacks::builder().new_sample(wake).build());
    elements.push(sink.clone().upcast());
    let elements: Vec<&gst::Element> = elements.iter().collect();
    super::chain(source.running.pipeline(), &elements)?;
    if let Some(first) = elements.first() {
        super::link(&source.video()?.pad, first, "sink")?;
    }
    source.running.set_state(gst::State::Playing)?;
    source.video()?.open();
    let timeline = Arc::clone(&source.video()?.timeline);
    let mut latest = None;
    let sample = source.running.wait("taking a frame", watch, |_| {
        loop {
            let Some(sample) = sink.try_pull_sample(clock_time(Duration::ZERO)) else {
                return match sink.is_eos() {
                    true => latest.take().map(Some).ok_or_else(|| no_frame(at)),
                    false => Ok(None),
                };
            };
            match seen(&sample, &timeline, target) {
                Seen::Now => return Ok(Some(sample)),
                Seen::Before => latest = Some(sample),
                Seen::After => return Ok(latest.take().or(Some(sample))),
            }
        }
    })?;
    let packets = source.video()?.packets.clone();
    let is_damaged = sample.buffer().is_some_and(|buffer| {
        let hides = buffer.pts().is_some_and(|pts| packets.damaged(pts, pts) > 0);
        hides || buffer.flags().contains(gst::BufferFlags::CORRUPTED)
    });
    Ok(Grabbed { image: pixels(&sample)?, is_hdr, is_damaged })
}

/// When a frame is seen, told from a time.
enum Seen {
    Before,
    Now,
    After,
}

/// A frame that does not say how long it is shown may be the one that is seen: what comes next tells.
fn seen(sample: &gst::Sample, timeline: &Timeline, target: i64) -> Seen {
    let times = sample.buffer().and_then(|buffer| Some((buffer.pts()?, buffer.duration())));
    let Some((pts, length)) = times else { return Seen::Now };
    let at = nanoseconds(pts).saturating_add(TOLERANCE);
    let Some(piece) = timeline.piece(at, at.saturating_add(1)) else { return Seen::Before };
    let start = piece.place(nanoseconds(pts));
    let end = length.map(|length| start.saturating_add(nanoseconds(length)));
    if start > target.saturating_add(TOLERANCE) {
        Seen::After
    } else if end.is_some_and(|end| end > target) {
        Seen::Now
    } else {
        Seen::Before
    }
}

fn no_frame(at: Duration) -> Error {
    Error::input(codes::VIDEO_NO_FRAME, "no frame can be decoded there")
        .with("seconds", at.as_secs_f64())
        .help("the video stream is empty or damaged; choose another time")
}

/// Copies the rows without their padding.
fn pixels(sample: &gst::Sample) -> Result<Image> {
    let odd = || error::pipeline("a frame does not have the shape that it was asked for");
    let buffer = sample.buffer().ok_or_else(odd)?;
    let info =
        sample.caps().and_then(|caps| video::VideoInfo::from_caps(caps).ok()).ok_or_else(odd)?;
    let frame = video::VideoFrameRef::from_buffer_ref_readable(buffer, &info).map_err(|_| odd())?;
    let stride =
        usize::try_from(frame.plane_stride().first().copied().unwrap_or(0)).map_err(|_| odd())?;
    let row = frame.width() as usize * 3;
    let data = frame.plane_data(0).map_err(|_| odd())?;
    let mut pixels = Vec::with_capacity(row * frame.height() as usize);
    for line in data.chunks(stride.max(1)).take(frame.height() as usize) {
        pixels.extend_from_slice(line.get(..row).ok_or_else(odd)?);
    }
    Image::new(frame.width(), frame.height(), 3, pixels)
}
