use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Inputs, Operation, Outputs};
use crate::media::{MediaInfo, Medium, Stop};
use crate::plan::{CostClass, Estimate};
use crate::{Result, RunContext};

/// An operation that runs by itself: media in, media out, idempotent. It is used wherever no backend claims the
/// operation. One that tells the planner its [`demand`](Operation::demand) lets the source be decoded smaller; one that
/// does not gets its input in full.
///
/// ```
/// use mediaflow_core::media::Image;
/// use mediaflow_core::{Inputs, OpContext, Operation, Outputs, Result, Run, async_trait};
/// use serde::{Deserialize, Serialize};
///
/// /// Keeps the darkest tones and clips the rest.
/// #[derive(Debug, Serialize, Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Posterize {
///     levels: u8,
/// }
///
/// impl Operation for Posterize {
///     const KIND: &'static str = "acme.posterize";
/// }
///
/// #[async_trait]
/// impl Run for Posterize {
///     async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
///         let image = inputs.into_first()?.into_image()?;
///         let step = 255 / self.levels.max(1);
///         let image = cx
///             .cpu(move |cx| {
///                 cx.check()?;
///                 let (width, height, channels) = (image.width(), image.height(), image.channels());
///                 let pixels = image.into_pixels().iter().map(|value| value / step * step).collect();
///                 Image::new(width, height, channels, pixels)
///             })
///             .await?;
///         Ok(Outputs::one(image))
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how it runs",
    note = "implement `Run` for it, or register it with `Registry::word` if a backend does its work"
)]
pub trait Run: Operation {
    /// In which form inputs come: as a picture, as frames, as encoded files.
    const TAKES: Takes = Takes::Decoded;

    /// Does the work. May run twice; must give the same result and leave nothing behind when it fails.
    ///
    /// # Errors
    /// Whatever goes wrong. The kind decides on a retry: `input` is final, `transient` is tried again.
    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs>;

    /// Which kind of work it is. Default: `image`.
    fn class() -> CostClass {
        CostClass::Image
    }

    /// What it will cost, above what the inputs take. Default: room for each input and one copy of it, in its
    /// [class](Run::class).
    fn estimate(&self, inputs: &[MediaInfo]) -> Estimate {
        let bytes = inputs.iter().map(|input| input.decoded_bytes().saturating_mul(2));
        Estimate::of(Self::class(), bytes.fold(0, u64::saturating_add))
    }
}

/// In which form a step wants its inputs. The planner sees to the decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Takes {
    /// One picture each: of frames or pages the first. What is no picture comes as it is.
    Decoded,
    /// Frames: of animations and films.
    Frames,
    /// Sound: of sound files and films.
    Audio,
    /// Pages: of documents.
    Pages,
    /// Encoded files as they are: a virus scan, a checksum, a remux.
    Encoded,
}

impl Takes {
    /// The media that have this form; empty for any.
    pub(super) fn media(self) -> &'static [Medium] {
        match self {
            Self::Decoded | Self::Encoded => &[],
            Self::Frames => &[Medium::Animation, Medium::Video],
            Self::Audio => &[Medium::Audio, Medium::Video],
            Self::Pages => &[Medium::Document],
        }
    }
}

/// What a running operation can see and use: a [`RunContext`], and the name of the step.
#[derive(Clone, Debug)]
pub struct OpContext {
    run: RunContext,
    step: Arc<str>,
}

impl OpContext {
    /// For the step of this name.
    #[must_use]
    pub fn new(run: RunContext, step: &str) -> Self {
        Self { run, step: step.into() }
    }

    /// The name of the step in its pipeline.
    #[must_use]
    pub fn step(&self) -> &str {
        &self.step
    }
}

impl Deref for OpContext {
    type Target = RunContext;

    fn deref(&self) -> &RunContext {
        &self.run
    }
}

// Here and not beside `RunContext`, which media must not import.
impl Stop for RunContext {
    fn check(&self) -> Result<()> {
        Self::check(self)
    }
}

impl Stop for OpContext {
    fn check(&self) -> Result<()> {
        self.run.check()
    }
}
