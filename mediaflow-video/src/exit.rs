//! What is asked of one source: files and frames, each with all that lies between it and the source.

use std::time::Duration;

use mediaflow_core::geometry::FitBox;
use mediaflow_core::media::{MediaInfo, MetadataPolicy};
use mediaflow_core::ops::Position;
use mediaflow_core::plan::Estimate;

use crate::gst::settings::{Aac, H264};
use crate::gst::upright::even_sides;

/// One source, and what is asked of it.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) info: MediaInfo,
    pub(crate) exits: Vec<Exit>,
}

/// One result: a file or a frame, with all that lies between it and the source.
#[derive(Clone, Debug)]
pub(crate) struct Exit {
    pub(crate) name: String,
    /// The steps that are merged into it, in the order of the pipeline.
    pub(crate) steps: Vec<String>,
    pub(crate) cut: Cut,
    pub(crate) boxes: Vec<FitBox>,
    pub(crate) fps: Option<f64>,
    pub(crate) product: Product,
}

/// Seconds by which the length of a result may differ: an AAC frame at either end, and rounding.
pub(crate) const LENGTH_SLACK: f64 = 0.1;

/// What lies at the end is its last frame.
const END: Duration = Duration::from_millis(1);

/// What an exit gives.
#[derive(Clone, Debug)]
pub(crate) enum Product {
    Mp4 { video: H264, audio: Option<Aac>, metadata: MetadataPolicy },
    Poster(Position),
}

/// The part of the source that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) start: Duration,
    pub(crate) end: Option<Duration>,
}

impl Cut {
    pub(crate) fn is_whole(self) -> bool {
        self == Self::default()
    }

    /// A position in this cut, as a time in a source of this length: at the latest its last frame.
    pub(crate) fn place(self, at: Position, duration: Option<Duration>) -> Duration {
        let end = match (self.end, duration) {
            (Some(end), Some(duration)) => Some(end.min(duration)),
            (end, duration) => end.or(duration),
        };
        let length = end.map(|end| end.saturating_sub(self.start));
        let time = match at {
            Position::Seconds(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or_default(),
            Position::Percent(percent) => {
                length.unwrap_or_default().mul_f64(percent.clamp(0.0, 100.0) / 100.0)
            }
        };
        let last = length.map(|length| length.saturating_sub(END));
        self.start.saturating_add(last.map_or(time, |last| time.min(last)))
    }

    /// A cut of this cut.
    pub(crate) fn then(self, start: Duration, end: Option<Duration>) -> Self {
        let end = end.map(|end| self.start.saturating_add(end));
        let end = match (self.end, end) {
            (Some(outer), Some(inner)) => Some(outer.min(inner)),
            (outer, inner) => outer.or(inner),
        };
        Self { start: self.start.saturating_add(start), end }
    }
}

impl Exit {
    /// Nothing lies before it.
    pub(crate) fn new(name: &str, product: Product) -> Self {
        let (name, steps) = (name.to_owned(), vec![name.to_owned()]);
        Self { name, steps, cut: Cut::default(), boxes: Vec::new(), fps: None, product }
    }

    /// Whether sound goes into it, if there is any.
    pub(crate) fn has_sound(&self) -> bool {
        matches!(self.product, Product::Mp4 { audio: Some(_), .. })
    }

    /// What is written of what the source says of itself.
    pub(crate) fn metadata(&self) -> MetadataPolicy {
        match self.product {
            Product::Mp4 { metadata, .. } => metadata,
            Product::Poster(_) => MetadataPolicy::Strip,
        }
    }

    /// The size of the result.
    pub(crate) fn size(&self, source: &MediaInfo) -> (u32, u32) {
        let shown = (source.width, source.height);
        let placed = self.boxes.iter().fold(shown, |size, next| next.place(size.0, size.1).canvas);
        match &self.product {
            Product::Poster(_) => placed,
            Product::Mp4 { .. } => even_sides(placed),
        }
    }
}

impl Source {
    /// MP4 exits that share a decode: those with the same cut. Indices into `exits`.
    pub(crate) fn ladders(&self) -> Vec<(Cut, Vec<usize>)> {
        let mut ladders: Vec<(Cut, Vec<usize>)> = Vec::new();
        for (index, exit) in self.exits.iter().enumerate() {
            if matches!(exit.product, Product::Poster(_)) {
                continue;
            }
            match ladders.iter_mut().find(|(cut, _)| *cut == exit.cut) {
                Some((_, members)) => members.push(index),
                None => ladders.push((exit.cut, vec![index])),
            }
        }
        ladders
    }

    pub(crate) fn posters(&self) -> impl Iterator<Item = &Exit> {
        self.exits.iter().filter(|exit| matches!(exit.product, Product::Poster(_)))
    }
}

/// What is in flight: plugins, the decoder's frames, and what the encoder of each rendition holds: those that it looks ahead at, and
/// for each of its threads one with all that is made of it.
pub(crate) fn estimate(input: &MediaInfo, renditions: &[(&Exit, (u32, u32))]) -> Estimate {
    const GSTREAMER: u64 = 128 << 20;
    const ENCODER: u64 = 8 << 20;
    const DECODER_FRAMES: u64 = 24;
    /// Bytes for each pixel: of a frame ahead, of a thread, and of those that wait for a later one.
    const AHEAD: u64 = 5;
    const THREAD: u64 = 12;
    const WAITING: u64 = 40;
    /// Frames on their way to another range of light, with four channels of 16 bits.
    const WIDE_FRAMES: u64 = 2;
    const WIDE_PIXEL: u64 = 8;
    let frame = |pixels: u64| pixels.saturating_mul(3) / 2;
    let is_wide = input.depth > 8;
    let decoder = frame(input.pixels()).saturating_mul(DECODER_FRAMES << u8::from(is_wide));
    let wide = if is_wide { input.pixels().saturating_mul(WIDE_FRAMES * WIDE_PIXEL) } else { 0 };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let encoders = renditions.iter().map(|(exit, (width, height))| {
        let Product::Mp4 { video, .. } = &exit.product else { return 0 };
        // As x264 counts them.
        let threads = (cores * 3 / 2).min(u64::from(height.div_ceil(32))).max(1);
        let waiting = if video.waits_for_later() { WAITING } else { 0 };
        let bytes = AHEAD * video.look_ahead() + THREAD * threads + waiting;
        ENCODER.saturating_add((u64::from(*width) * u64::from(*height)).saturating_mul(bytes))
    });
    let source = GSTREAMER.saturating_add(decoder).saturating_add(wide);
    Estimate::video(encoders.fold(source, u64::saturating_add))
}
