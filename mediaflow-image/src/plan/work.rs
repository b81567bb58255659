use std::sync::Arc;

use mediaflow_core::geometry::Rect;
use mediaflow_core::media::{MediaInfo, OnDamage};
use mediaflow_core::ops::Kernel;
use mediaflow_core::plan::Demand;

use crate::pixels::{Tones, Turn};
use crate::word::{Canvas, Encoder, Finder, Part, Whole};

/// What runs.
#[derive(Debug)]
pub(crate) struct ImagePlan {
    /// In the order in which one thread runs them.
    pub(super) works: Vec<Work>,
    /// Each wanted result, and the work that gives it.
    pub(super) exits: Vec<(String, usize)>,
    /// What becomes of damage in its files.
    pub(super) on_damage: OnDamage,
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
    /// The source with which it is made: while its rows go by.
    pub(super) pass: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// Take an input, and decode it if it is a file. Stays as stored: turned by nobody.
    Source { name: String, info: MediaInfo },
    /// Crop and scale in one pass. What lies outside of `within`, if that is set, a crop has cut off: it is not mixed in.
    Resample { crop: Rect, within: Option<Rect>, kernel: Kernel, linear: bool },
    /// Crop alone.
    Cut { crop: Rect },
    /// Turn, change tones, put on a canvas.
    Finish { turn: Turn, tones: Tones, canvas: Option<Canvas> },
    /// Make another picture.
    Whole(Arc<dyn Whole>),
    /// Make a file.
    File(Arc<dyn Encoder>),
    /// Find something out.
    Facts(Arc<dyn Finder>),
    /// Make a file of a part of an input that is a file, as it stands.
    Copy { name: String, info: MediaInfo, part: Part, encoder: Arc<dyn Encoder> },
}

impl What {
    pub(super) fn is_encoder(&self) -> bool {
        matches!(self, Self::File(_) | Self::Copy { .. })
    }
}
