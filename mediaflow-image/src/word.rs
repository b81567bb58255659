//! What the compiler knows of an operation: a few views of a picture, which it folds into one another and into the works
//! that it plans, and two kinds of work, which it only puts in their place. It knows no operation by name.
//!
//! Uses: pixels.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use mediaflow_core::geometry::Rect;
use mediaflow_core::media::{Facts, Format, Image, MediaFile, MediaInfo};
use mediaflow_core::ops::Kernel;
use mediaflow_core::{AnyOperation, Color, Error, Operation, Registry, Result, RunContext, codes};

use crate::pixels::{Bounds, Tone, Turn};

/// One thing that an operation does with a picture, as it is after what came before.
#[derive(Clone, Debug)]
pub(crate) enum View {
    /// Keeps a part, on whole pixels.
    Part { left: u32, top: u32, size: (u32, u32) },
    /// Turns it by quarters, or mirrors it.
    Turn(Turn),
    /// Keeps a part, and brings it to a size.
    Scale { crop: Rect, size: (u32, u32), kernel: Kernel, linear: bool },
    /// Changes each pixel by itself.
    Tone(Tone),
    /// Lays it on a larger ground.
    Canvas(Canvas),
    /// Makes another picture of it, or of several.
    Whole(Arc<dyn Whole>),
    /// Makes a file of it.
    File(Arc<dyn Encoder>),
    /// Finds something out of it.
    Facts(Arc<dyn Finder>),
}

impl View {
    pub(crate) fn whole(work: impl Whole) -> Self {
        Self::Whole(Arc::new(work))
    }

    pub(crate) fn file(encoder: impl Encoder) -> Self {
        Self::File(Arc::new(encoder))
    }

    /// What finds something out of a copy of a picture of this size.
    pub(crate) fn facts(copy: &impl Compile, size: (u32, u32), finder: impl Finder) -> Vec<Self> {
        let mut views = copy.views(size);
        views.push(Self::Facts(Arc::new(finder)));
        views
    }
}

/// A ground of one colour, and where a picture lies on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Canvas {
    pub(crate) size: (u32, u32),
    /// From the left and the top.
    pub(crate) offset: (u32, u32),
    pub(crate) ground: Color,
}

/// An operation that the compiler can read.
pub(crate) trait Compile: Operation {
    /// What it does with a picture of this size, one after the other. Nothing leaves the picture as it is.
    fn views(&self, size: (u32, u32)) -> Vec<View>;
}

/// Work on all of a picture.
pub(crate) trait Whole: fmt::Debug + Same + Send + Sync {
    /// The verb and how, for people.
    fn explain(&self) -> (&'static str, String);

    /// Bytes that it takes beside its inputs and its result. Default: next to nothing.
    fn memory(&self, _input: Extent, _output: Extent) -> u64 {
        0
    }

    /// Does it. `inputs` are as many as the operation takes, in sRGB. Every loop over rows goes through
    /// [`bands`](crate::pixels::bands).
    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image>;
}

/// Writes a picture, in sRGB, as a file.
pub(crate) trait Encoder: fmt::Debug + Same + Send + Sync {
    fn format(&self) -> Format;

    /// The format and how, for people.
    fn explain(&self) -> String;

    /// Bytes that it takes beside the picture and the file, for so many pixels.
    fn memory(&self, pixels: u64) -> u64;

    fn encode(&self, image: Image, cx: &RunContext) -> Result<Vec<u8>>;

    /// How a part of a file becomes one of this format as it stands, without being decoded, for people. `None` if it does not, or
    /// if more than that is asked for. Default: it does not.
    fn copies(&self, _info: &MediaInfo, _part: &Part) -> Option<&'static str> {
        None
    }

    /// Makes that file. `None` if the other one has to be decoded after all: it is damaged, or has something odd.
    fn copy(&self, _file: &MediaFile, _part: &Part, _cx: &RunContext) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// Finds something out of a picture, in sRGB.
pub(crate) trait Finder: fmt::Debug + Same + Send + Sync {
    /// What, and how, for people.
    fn explain(&self) -> String;

    /// Does it, with next to no memory beside a copy of the picture. Every loop over rows goes through
    /// [`bands`](crate::pixels::bands).
    fn find(&self, image: Image, cx: &RunContext) -> Result<Facts>;
}

/// A part of a picture as it is stored, and how that is turned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) crop: Bounds,
    pub(crate) turn: Turn,
}

/// The size of a picture in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) width: u64,
    pub(crate) height: u64,
    /// Bytes of one pixel.
    pub(crate) channels: u64,
}

/// Whether two works are one: equal steps are computed once.
pub(crate) trait Same: Any {
    fn same(&self, other: &dyn Any) -> bool;
}

impl<T: Any + PartialEq> Same for T {
    fn same(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }
}

impl PartialEq for dyn Whole {
    fn eq(&self, other: &Self) -> bool {
        self.same(other)
    }
}

impl PartialEq for dyn Finder {
    fn eq(&self, other: &Self) -> bool {
        self.same(other)
    }
}

impl PartialEq for dyn Encoder {
    fn eq(&self, other: &Self) -> bool {
        self.same(other)
    }
}

/// The entry of an operation in a table.
#[derive(Clone, Copy)]
pub(crate) struct Word {
    pub(crate) kind: &'static str,
    views: fn(&AnyOperation, (u32, u32)) -> Option<Vec<View>>,
    enter: fn(&mut Registry),
}

impl Word {
    pub(crate) const fn of<O: Compile>() -> Self {
        Self {
            kind: O::KIND,
            views: |op, size| op.downcast_ref::<O>().map(|op| op.views(size)),
            enter: |registry| {
                registry.word::<O>();
            },
        }
    }

    /// What this operation does, if it is the one of this entry.
    pub(crate) fn views(&self, op: &AnyOperation, size: (u32, u32)) -> Option<Vec<View>> {
        (self.views)(op, size)
    }

    /// Makes it known to an engine that does not have it among its own words.
    pub(crate) fn enter(&self, registry: &mut Registry) {
        (self.enter)(registry);
    }
}

/// The only picture of a work that takes one.
pub(crate) fn one(inputs: Vec<Image>) -> Result<Image> {
    first(inputs).map(|(image, _)| image)
}

/// The two pictures of a work that takes two.
pub(crate) fn two(inputs: Vec<Image>) -> Result<(Image, Image)> {
    let (image, mut others) = first(inputs)?;
    others.next().map(|other| (image, other)).ok_or_else(missing)
}

/// The first picture of a work, and the others.
pub(crate) fn first(inputs: Vec<Image>) -> Result<(Image, impl Iterator<Item = Image>)> {
    let mut inputs = inputs.into_iter();
    inputs.next().map(|image| (image, inputs)).ok_or_else(missing)
}

fn missing() -> Error {
    Error::internal(codes::PLAN_NO_INPUT, "a work was given too few pictures")
}
