//! One decode, one pass per rendition.
//!
//! A group of steps is compiled into a graph of *works*, fewer than there were steps: crops, turns and mirrors cost
//! nothing until pixels are made, and are folded into the resize that comes after them; tones are one pass together;
//! equal works are one work. Then the pyramid: a rendition is resized from the smallest other rendition that is at
//! least twice its size, and the source is decoded no larger than the largest of them needs.

mod compile;
mod estimate;
mod execute;
mod explain;
mod pyramid;
mod schedule;

use async_trait::async_trait;
use mediaflow_core::backend::{Group, Plan};
use mediaflow_core::geometry::Rect;
use mediaflow_core::media::MediaInfo;
use mediaflow_core::plan::{Demand, Estimate, Explanation};
use mediaflow_core::{Inputs, Outputs, Result, RunContext};

use crate::Color;
use crate::ops::{Flatten, Jpeg, Kernel, Png, Rotate, Watermark, Webp};
use crate::pixels::{Points, Turn};

/// What runs.
#[derive(Debug)]
pub(crate) struct ImagePlan {
    /// In the order in which they run.
    works: Vec<Work>,
    /// Each wanted result, and the work that gives it.
    exits: Vec<(String, usize)>,
}

/// One thing to be done.
#[derive(Clone, Debug)]
struct Work {
    what: What,
    /// The works that it takes from, by index; all earlier.
    from: Vec<usize>,
    /// The size of the result, if the source is decoded in full.
    size: (u32, u32),
    /// Channels of the result, as far as they are known.
    channels: u8,
    /// How much of that is wanted.
    demand: Demand,
    /// The steps that it carries out.
    steps: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
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
struct Canvas {
    size: (u32, u32),
    offset: (u32, u32),
    ground: Color,
}

impl What {
    fn is_encoder(&self) -> bool {
        matches!(self, Self::Jpeg(_) | Self::Png(_) | Self::Webp(_))
    }
}

impl ImagePlan {
    /// Plans a group.
    ///
    /// # Errors
    /// `plan.unclaimed` for a step of a kind that is not from here, `plan.encoded` for a step behind an encoder,
    /// `limit.side` for a result that is too large.
    pub(crate) fn new(group: &Group) -> Result<Self> {
        let mut plan = compile::compile(group)?;
        pyramid::build(&mut plan.works);
        schedule::order(&mut plan);
        Ok(plan)
    }
}

#[async_trait]
impl Plan for ImagePlan {
    fn explain(&self) -> Explanation {
        explain::explain(self)
    }

    fn estimate(&self) -> Estimate {
        estimate::estimate(self)
    }

    async fn run(self: Box<Self>, inputs: Inputs, cx: &RunContext) -> Result<Outputs> {
        cx.cpu(move |cx| execute::execute(&self, inputs, cx)).await
    }
}
