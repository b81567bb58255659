//! One frame, as pixels.

use std::path::Path;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as app;
use gstreamer_video as video;
use gstreamer_video::prelude::*;
use mediaflow_core::geometry::FitBox;
use mediaflow_core::media::Image;
use mediaflow_core::{Error, Result};

use super::graph::scale;
use super::pipeline::{Watch, clock_time};
use super::source::{Sound, Source, post_news};
use super::upright::Upright;
use crate::error;

/// Takes the frame that is seen at a time: upright, with square pixels, as RGB, put into these boxes one after the other.
///
/// # Errors
/// `video.no_frame`, and those of [`Source::open`] and [`Source::seek`].
pub(crate) fn grab(
    path: &Path,
    at: Duration,
    boxes: &[FitBox],
    watch: &Watch<'_>,
) -> Result<Image> {
    let mut source = Source::open(path, Sound::Ignored, watch)?;
    let mut time = at;
    if !at.is_zero() {
        source.seek(at, watch)?;
    }
    // Video may end before its sound does, so that nothing is seen at this time: step back until something is.
    for step in [1, 5, 30] {
        if source.video()?.has_data() || time.is_zero() {
            break;
        }
        time = at.saturating_sub(Duration::from_secs(step));
        source.seek(time, watch)?;
    }
    let upright = Upright::of(source.video()?)?;
    let layouts = if boxes.is_empty() { Vec::new() } else { upright.layouts(boxes) };
    let (width, height) = layouts.last().map_or(upright.shown, |layout| layout.canvas);
    let flip = super::make("videoflip")?;
    super::set(&flip, "video-direction", upright.direction())?;
    let mut elements = vec![super::make("videoconvert")?, flip];
    for layout in &layouts {
        elements.extend(scale(layout)?);
    }
    let last = super::make("videoconvertscale")?;
    super::set(&last, "add-borders", "false")?;
    super::set(&last, "method", "lanczos")?;
    elements.push(last);
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
    for element in &elements {
        element
            .sync_state_with_parent()
            .map_err(|e| error::pipeline("an element does not start").because(e))?;
    }
    if let Some(first) = elements.first() {
        super::link(&source.video()?.pad, first, "sink")?;
    }
    source.video()?.open();
    if let Some(audio) = &source.audio {
        audio.discard();
    }
    source.running.set_state(gst::State::Playing)?;
    let sample = source.running.wait("taking a frame", watch, |_| {
        let sample = sink.try_pull_sample(clock_time(Duration::ZERO));
        match sample {
            None if sink.is_eos() => Err(no_frame(at)),
            sample => Ok(sample),
        }
    })?;
    pixels(&sample)
}

fn no_frame(at: Duration) -> Error {
    Error::input("video.no_frame", "no frame can be decoded there")
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
