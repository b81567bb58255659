use mediaflow_core::spec::Chain;

use crate::mp4::Mp4;

/// The video encoders as verbs of a [`Chain`].
///
/// ```
/// use mediaflow_core::geometry::Fit;
/// use mediaflow_core::spec::Pipeline;
/// use mediaflow_video::{Mp4, VideoEncoders};
///
/// let clip = Pipeline::from("uploads/clip.mov")
///     .output("public/clip.mp4", |clip| clip.trim(1.0, 3.5).resize((640, 360, Fit::Inside)).mp4(23))
///     .output("public/silent.mp4", |clip| clip.trim(1.0, 3.5).mp4(Mp4::crf(28).silent()))
///     .build()?;
/// assert_eq!(clip.steps["resize"].op, "resize");
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
pub trait VideoEncoders: Sized {
    /// As MP4, with H.264 of this constant rate factor, where 23 is usual, and AAC. See [`Mp4`].
    #[must_use]
    fn mp4(self, how: impl Into<Mp4>) -> Self;
}

impl VideoEncoders for Chain {
    fn mp4(self, how: impl Into<Mp4>) -> Self {
        self.then(how.into())
    }
}
