use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Format, Image, Layout, MediaInfo, Medium, Stop};
use crate::codes;
use crate::{Error, Limits, Result};

/// Pictures one after the other, pulled one by one: never all of them are in memory.
///
/// The size, the layout and how often they repeat are known before; how many there are, and how long they take, may be.
/// Clones share the source, of which each taker [opens](Frames::open) a pass of its own.
///
/// Frames are pulled by plain calls, which block, inside of [`RunContext::cpu`](crate::RunContext::cpu): decoding one is pixel
/// work, which never runs on an async worker, and a step on frames that hands its input on frame by frame is then one call
/// inside another, without a queue and a thread between any two.
#[derive(Clone)]
pub struct Frames {
    width: u32,
    height: u32,
    layout: Layout,
    count: Option<u64>,
    duration: Option<Duration>,
    loops: Loops,
    source: Arc<dyn FrameSource>,
}

/// Where frames come from: a decoder, or a step on the frames of another.
pub trait FrameSource: fmt::Debug + Send + Sync + 'static {
    /// A new pass, from the first frame. Blocking. Every pass gives the same.
    ///
    /// # Errors
    /// What is wrong with the source.
    fn open(&self) -> Result<Box<dyn FrameReader>>;
}

/// One pass over frames.
pub trait FrameReader: Send {
    /// The next frame; none after the last. Blocking. What takes long asks `stop` between rows.
    ///
    /// # Errors
    /// What is wrong with the source, or that the work is to stop. Nothing comes after an error.
    fn next(&mut self, stop: &dyn Stop) -> Result<Option<Frame>>;
}

/// One picture, and when it is shown.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Frame {
    /// The whole picture, of the size and layout of all: not only what has changed.
    pub image: Image,
    /// When it is shown first, counted from the first frame.
    pub start: Duration,
    /// How long it is shown.
    pub duration: Duration,
}

/// How often frames are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loops {
    /// Again and again.
    Forever,
    /// So often: once is 1.
    Times(u32),
}

impl Frame {
    /// This picture, shown from `start` on for `duration`.
    #[must_use]
    pub fn new(image: Image, start: Duration, duration: Duration) -> Self {
        Self { image, start, duration }
    }
}

impl Frames {
    /// Frames of this size in pixels and this layout, shown once.
    #[must_use]
    pub fn new(width: u32, height: u32, layout: Layout, source: impl FrameSource) -> Self {
        let (count, duration, loops) = (None, None, Loops::Times(1));
        Self { width, height, layout, count, duration, loops, source: Arc::new(source) }
    }

    /// Of which it is known how many there are.
    #[must_use]
    pub fn with_count(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }

    /// Of which it is known how long they take, shown once.
    #[must_use]
    pub fn with_duration(self, duration: Duration) -> Self {
        Self { duration: Some(duration), ..self }
    }

    /// Shown so often.
    #[must_use]
    pub fn with_loops(self, loops: Loops) -> Self {
        Self { loops, ..self }
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Which channels a pixel has.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// How many there are, if that is known.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        self.count
    }

    /// How long they take, shown once, if that is known.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// How often they are shown.
    #[must_use]
    pub fn loops(&self) -> Loops {
        self.loops
    }

    /// A new pass, from the first frame. Blocking. It keeps to the limits of pixels and frames, and to what is said here.
    ///
    /// # Errors
    /// What the source gives.
    pub fn open(&self, limits: &Limits) -> Result<OpenFrames> {
        limits.check_pixels(self.width, self.height, self.count.unwrap_or(1))?;
        let (reader, given, last) = (self.source.open()?, 0, Duration::ZERO);
        Ok(OpenFrames { frames: self.clone(), limits: limits.clone(), reader, given, last })
    }

    /// The first frame's picture. Pixel work: for the CPU pool.
    ///
    /// # Errors
    /// `frames.none` if there is none, or what the source gives.
    pub fn first(&self, limits: &Limits, stop: &dyn Stop) -> Result<Image> {
        let first = self.open(limits)?.next(stop)?;
        first.map(|frame| frame.image).ok_or_else(|| {
            Error::input(codes::FRAMES_NONE, "there is no frame in it")
                .help("the file has no picture")
        })
    }

    /// What is known of them.
    #[must_use]
    pub fn info(&self) -> MediaInfo {
        let info = MediaInfo::still(Format::RAW, self.width, self.height)
            .with_medium(Medium::Animation)
            .with_channels(self.layout.channels());
        MediaInfo { frames: self.count.unwrap_or(0), duration: self.duration, ..info }
    }
}

/// A pass over [`Frames`] that looks at what it gives.
pub struct OpenFrames {
    frames: Frames,
    limits: Limits,
    reader: Box<dyn FrameReader>,
    given: u64,
    last: Duration,
}

impl OpenFrames {
    /// The next frame; none after the last. Blocking.
    ///
    /// # Errors
    /// What the source gives; `limit.frames`, `limit.pixels`; `frames.shape` if a frame has another size or layout than said,
    /// `frames.time` if it begins before the one before, `frames.count` if there are more or fewer than said.
    pub fn next(&mut self, stop: &dyn Stop) -> Result<Option<Frame>> {
        stop.check()?;
        let Some(frame) = self.reader.next(stop)? else {
            return match self.frames.count.filter(|count| *count != self.given) {
                Some(count) => Err(self.counted(count)),
                None => Ok(None),
            };
        };
        self.given += 1;
        let (width, height) = (self.frames.width, self.frames.height);
        self.limits.check_pixels(width, height, self.given)?;
        let image = &frame.image;
        if (image.width(), image.height(), image.layout()) != (width, height, self.frames.layout) {
            return Err(Error::internal(codes::FRAMES_SHAPE, "a frame has another size than all")
                .with("frame", self.given)
                .with("size", format_args!("{}x{}", image.width(), image.height()))
                .with("expected", format_args!("{width}x{height}")));
        }
        if frame.start < self.last {
            return Err(Error::internal(
                codes::FRAMES_TIME,
                "a frame begins before the one before it",
            )
            .with("frame", self.given));
        }
        self.last = frame.start;
        match self.frames.count.filter(|count| self.given > *count) {
            Some(count) => Err(self.counted(count)),
            None => Ok(Some(frame)),
        }
    }

    fn counted(&self, count: u64) -> Error {
        Error::input(codes::FRAMES_COUNT, "there are more or fewer frames than was said")
            .with("expected", count)
            .with("found", self.given)
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels = self.layout.channels();
        write!(f, "Frames({}x{}x{channels}, {:?})", self.width, self.height, self.source)
    }
}

impl fmt::Debug for OpenFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenFrames({:?}, {} given)", self.frames, self.given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of these sizes and starts.
    #[derive(Clone, Debug)]
    struct Given(Vec<(u32, u64)>);

    impl FrameSource for Given {
        fn open(&self) -> Result<Box<dyn FrameReader>> {
            Ok(Box::new(self.clone()))
        }
    }

    impl FrameReader for Given {
        fn next(&mut self, _stop: &dyn Stop) -> Result<Option<Frame>> {
            if self.0.is_empty() {
                return Ok(None);
            }
            let (side, start) = self.0.remove(0);
            let image = Image::new(side, 1, 1, vec![0; side as usize])?;
            Ok(Some(Frame::new(image, Duration::from_millis(start), Duration::from_millis(10))))
        }
    }

    struct Never;

    impl Stop for Never {
        fn check(&self) -> Result<()> {
            Ok(())
        }
    }

    fn pulled(frames: &Frames, limits: &Limits) -> Result<u64> {
        let mut pass = frames.open(limits)?;
        let mut count = 0;
        while pass.next(&Never)?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn a_pass_gives_what_was_said_within_the_limits() {
        let frames = |given: &[(u32, u64)]| Frames::new(2, 1, Layout::Gray, Given(given.to_vec()));
        let (two, limits) = (frames(&[(2, 0), (2, 10)]), Limits::default());
        assert_eq!(pulled(&two, &limits).unwrap(), 2);
        assert_eq!(pulled(&two, &limits).unwrap(), 2, "each pass begins at the first");
        let code = |frames: &Frames| pulled(frames, &limits).unwrap_err().code().to_owned();
        assert_eq!(code(&two.clone().with_count(1)), "frames.count");
        assert_eq!(code(&two.clone().with_count(3)), "frames.count");
        assert_eq!(code(&frames(&[(2, 0), (3, 10)])), "frames.shape");
        assert_eq!(code(&frames(&[(2, 5), (2, 0)])), "frames.time");
        let one = Limits { frames: 1, ..Limits::default() };
        assert_eq!(pulled(&two, &one).unwrap_err().code(), "limit.frames");
        let error = frames(&[]).first(&limits, &Never).unwrap_err();
        assert_eq!(error.code(), "frames.none");
    }
}
