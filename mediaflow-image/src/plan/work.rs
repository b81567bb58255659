use mediaflow_core::geometry::Rect;
use mediaflow_core::media::MediaInfo;
use mediaflow_core::plan::Demand;

use crate::Color;
use crate::ops::{Flatten, Jpeg, Kernel, Png, Rotate, Watermark, Webp};
use crate::pixels::{Points, Turn};

/// What runs.
#[derive(Debug)]
pub(crate) struct ImagePlan {
    /// In the order in which they run.
    pub(super) works: Vec<Work>,
    /// Each wanted result, and the work that gives it.
    pub(super) exits: Vec<(String, usize)>,
}

/// One thing to be done.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) what: What,
    /// The works that it takes from, by index; all earlier.
    pub(super) from: Vec<usize>,
    /// The size of the result, if the source is decoded in full.
    pub(super) size: (u32, u32),
    /// Channels of the result, as far as they are known.
    pub(super) channels: u8,
    /// How much of that is wanted.
    pub(super) demand: Demand,
    /// The steps that it carries out.
    pub(super) steps: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// Take an input, and decode it if it is a file. Stays as stored: turned by nobody.
    Source {
        name: String,
        info: MediaInfo,
    },
    /// Crop and scale in one pass.
    Resample {
        crop: Rect,
        kernel: Kernel,
        linear: bool,
    },
    /// Crop alone.
    Cut {
        crop: Rect,
    },
    /// Turn, change tones, put on a canvas.
    Finish {
        turn: Turn,
        points: Points,
        canvas: Option<Canvas>,
    },
    Rotate(Rotate),
    Flatten(Flatten),
    Watermark(Watermark),
    Jpeg(Jpeg),
    Png(Png),
    Webp(Webp),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Canvas {
    pub(super) size: (u32, u32),
    pub(super) offset: (u32, u32),
    pub(super) ground: Color,
}

impl What {
    pub(super) fn is_encoder(&self) -> bool {
        matches!(self, Self::Jpeg(_) | Self::Png(_) | Self::Webp(_))
    }
}
