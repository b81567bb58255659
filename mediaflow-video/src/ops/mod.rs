//! The steps, as they stand in a spec.
//!
//! A step on video says what is wanted and nothing else: pictures flow between them only inside one pipeline of the
//! backend, so a step other than an encoder can not run by itself.
//!
//! Uses: error, exit, gst, probe, run.

mod fps;
mod mp4;
mod poster;
mod resize;
mod trim;

pub use fps::Fps;
pub use mp4::{Mp4, Preset, Profile, Sound};
pub use poster::Poster;
pub use resize::Resize;
pub use trim::Trim;

use mediaflow_core::geometry::FitBox;
use mediaflow_core::media::{MediaInfo, StreamKind};
use mediaflow_core::{Error, Inputs, Outputs, Result, RunContext};

use crate::error;
use crate::exit::{Exit, Source};
use crate::gst::upright::layout;
use crate::probe::probe;
use crate::run::run;

/// The name of the only input of a step that runs alone.
const ALONE: &str = "source";

/// Runs an encoder on a file that no planner has seen: as a plan of one step.
async fn run_alone(step: Exit, inputs: Inputs, cx: &RunContext) -> Result<Outputs> {
    let file = inputs.into_first()?.into_file()?;
    let info = probe(&file, cx.limits()).await?;
    let source = Source { name: ALONE.to_owned(), info, exits: vec![step] };
    run(vec![source], Inputs::one(file), cx).await
}

/// The error of a step that only the backend can carry out.
fn needs_backend(kind: &'static str) -> Error {
    Error::unsupported("video.needs_backend", format!("`{kind}` runs only as a part of a video pipeline"))
        .help("register the backend with `.with(mediaflow_video::operations)`, and end the branch with an encoder")
}

/// Whether there is a picture, as far as is known: a file that was not probed says nothing of its streams.
///
/// # Errors
/// `video.no_stream`.
fn require_video(input: &MediaInfo) -> Result<()> {
    if input.streams.is_empty() || input.stream(StreamKind::Video).is_some() {
        return Ok(());
    }
    Err(error::no_stream("video"))
}

/// The size that a box makes of a video; unknown stays unknown.
fn sized(input: &MediaInfo, fit_box: Option<&FitBox>) -> (u32, u32) {
    match input.upright_size() {
        (0, _) | (_, 0) => (0, 0),
        shown => layout(shown, shown, fit_box).canvas,
    }
}
