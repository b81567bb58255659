use mediaflow_core::geometry::Fit;
use mediaflow_core::spec::{Chain, Source};

use crate::Color;
use crate::ops::{
    AutoOrient, Crop, Flatten, Flip, Flop, Grayscale, Jpeg, Negate, Png, Resize, Rotate, Watermark,
    Webp,
};

/// The image steps as verbs of a [`Chain`]. For options that a verb does not take, give the step itself to
/// [`Chain::then`]: `photo.then(Resize::width(800).linear())`.
///
/// ```
/// use mediaflow_core::geometry::Fit;
/// use mediaflow_core::spec::Pipeline;
/// use mediaflow_image::ImageSteps;
///
/// let photo = Pipeline::from("uploads/cat.jpg")
///     .output("public/large.webp", |photo| photo.resize(1600, 1600, Fit::Inside).webp(82))
///     .output("public/thumb.jpg", |photo| {
///         photo.resize(320, 320, Fit::Cover).watermark("uploads/logo.png").jpeg(78)
///     })
///     .build()?;
/// assert_eq!(photo.outputs.len(), 2);
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
pub trait ImageSteps: Sized {
    /// Upright, as the camera says. See [`AutoOrient`].
    #[must_use]
    fn auto_orient(self) -> Self;
    /// Into a box, in pixels. See [`Resize`].
    #[must_use]
    fn resize(self, width: u32, height: u32, fit: Fit) -> Self;
    /// A rectangle, in pixels of the upright picture. See [`Crop`].
    #[must_use]
    fn crop(self, left: u32, top: u32, width: u32, height: u32) -> Self;
    /// Clockwise, in degrees. See [`Rotate`].
    #[must_use]
    fn rotate(self, degrees: f64) -> Self;
    /// Top becomes bottom.
    #[must_use]
    fn flip(self) -> Self;
    /// Left becomes right.
    #[must_use]
    fn flop(self) -> Self;
    /// Each colour becomes its opposite.
    #[must_use]
    fn negate(self) -> Self;
    /// Only the luma.
    #[must_use]
    fn grayscale(self) -> Self;
    /// On an opaque ground.
    #[must_use]
    fn flatten(self, background: Color) -> Self;
    /// With another picture in the south-east corner.
    #[must_use]
    fn watermark(self, mark: impl Into<Source>) -> Self;
    /// With another picture laid over it. See [`Watermark`].
    #[must_use]
    fn watermark_with(self, mark: impl Into<Source>, how: Watermark) -> Self;
    /// As JPEG, at a quality from 1 to 100. See [`Jpeg`].
    #[must_use]
    fn jpeg(self, quality: u8) -> Self;
    /// As PNG. See [`Png`].
    #[must_use]
    fn png(self) -> Self;
    /// As lossy WebP, at a quality from 1 to 100. See [`Webp`].
    #[must_use]
    fn webp(self, quality: u8) -> Self;
}

impl ImageSteps for Chain {
    fn auto_orient(self) -> Self {
        self.then(AutoOrient {})
    }

    fn resize(self, width: u32, height: u32, fit: Fit) -> Self {
        self.then(Resize::new(width, height, fit))
    }

    fn crop(self, left: u32, top: u32, width: u32, height: u32) -> Self {
        self.then(Crop::new(left, top, width, height))
    }

    fn rotate(self, degrees: f64) -> Self {
        self.then(Rotate::by(degrees))
    }

    fn flip(self) -> Self {
        self.then(Flip {})
    }

    fn flop(self) -> Self {
        self.then(Flop {})
    }

    fn negate(self) -> Self {
        self.then(Negate {})
    }

    fn grayscale(self) -> Self {
        self.then(Grayscale {})
    }

    fn flatten(self, background: Color) -> Self {
        self.then(Flatten::on(background))
    }

    fn watermark(self, mark: impl Into<Source>) -> Self {
        self.watermark_with(mark, Watermark::new())
    }

    fn watermark_with(self, mark: impl Into<Source>, how: Watermark) -> Self {
        self.then_with(how, [Self::source(mark)])
    }

    fn jpeg(self, quality: u8) -> Self {
        self.then(Jpeg::quality(quality))
    }

    fn png(self) -> Self {
        self.then(Png::new())
    }

    fn webp(self, quality: u8) -> Self {
        self.then(Webp::quality(quality))
    }
}
