//! The words for video in a chain of steps.

use mediaflow_core::geometry::Fit;
use mediaflow_core::spec::Chain;

use crate::exit::Position;
use crate::ops::{Fps, Mp4, Poster, Resize, Trim};

/// Begins the part of a chain that works on video.
///
/// ```
/// use mediaflow_core::spec::Pipeline;
/// use mediaflow_video::{Fit, Mp4, VideoSteps};
///
/// let clip = Pipeline::from("uploads/clip.mov")
///     .output("public/clip.mp4", |clip| clip.video().trim(1.0, 3.5).resize(640, 360, Fit::Inside).mp4(23))
///     .output("public/silent.mp4", |clip| clip.video().trim(1.0, 3.5).encode(Mp4::crf(28).silent()))
///     .build()?;
/// assert_eq!(clip.steps["resize"].op, "video.resize");
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
pub trait VideoSteps {
    /// From here the words mean video: `resize` is the same word as for pictures. An encoder or `poster` ends it.
    fn video(self) -> VideoChain;
}

impl VideoSteps for Chain {
    fn video(self) -> VideoChain {
        VideoChain(self)
    }
}

/// A branch of a pipeline that carries video.
#[derive(Clone, Debug)]
#[must_use]
pub struct VideoChain(Chain);

impl VideoChain {
    /// Into a box of this width and height. See [`Resize`] for more; add it with [`VideoChain::with`].
    pub fn resize(self, width: u32, height: u32, fit: Fit) -> Self {
        Self(self.0.then(Resize::new(width, height, fit)))
    }

    /// Keeps what lies between `start` and `end`, in seconds. See [`Trim`].
    pub fn trim(self, start: f64, end: f64) -> Self {
        Self(self.0.then(Trim::new(start, end)))
    }

    /// At a constant rate of frames per second. See [`Fps`].
    pub fn fps(self, fps: f64) -> Self {
        Self(self.0.then(Fps::new(fps)))
    }

    /// With any other step on video.
    pub fn with<O: mediaflow_core::Operation>(self, step: O) -> Self {
        Self(self.0.then(step))
    }

    /// Encodes to H.264 and AAC with this constant rate factor; 23 is usual. See [`Mp4`].
    pub fn mp4(self, crf: u8) -> Chain {
        self.encode(Mp4::crf(crf))
    }

    /// Encodes with these settings.
    pub fn encode<O: mediaflow_core::Operation>(self, encoder: O) -> Chain {
        self.0.then(encoder)
    }

    /// Takes one frame as a picture, for steps on pictures to go on with. See [`Poster`].
    pub fn poster(self, at: Position) -> Chain {
        self.0.then(Poster::at(at))
    }
}
