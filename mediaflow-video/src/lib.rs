//! Video for mediaflow, with GStreamer.
//!
//! Everything asked of one clip becomes as few pipelines as can be: renditions with the same cut share one decode, and
//! trim, frame rate, resize and encode are one pass without a file in between. GStreamer is chosen because its codecs
//! come from the distribution, its elements can be watched buffer by buffer, and a frame never leaves the process.
//!
//! ```
//! use mediaflow_core::geometry::Fit;
//! use mediaflow_core::spec::Pipeline;
//! use mediaflow_video::VideoEncoders;
//!
//! let clip = Pipeline::from("uploads/clip.mov")
//!     .output("public/clip-720.mp4", |clip| clip.resize((1280, 720, Fit::Inside)).mp4(23))
//!     .output("public/clip-360.mp4", |clip| clip.resize((640, 360, Fit::Inside)).mp4(25))
//!     .build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! What fails is told with what to do: a missing plugin names the package that brings it, a file without an index says
//! so before anything waits for it, and a source that ends early is an error that counts the missing seconds. Damage is told as
//! far as files and decoders show it: packets and pictures that are missing, and holes. Bits that are others inside a picture are
//! hidden by `FFmpeg`'s decoders, which fill in what was there before and say so in their log only.
//!
//! GStreamer's own initialisation is the one thing that is global to the process. Decoders run inside it.

mod backend;
mod container;
mod damage;
mod encoders;
mod error;
mod exit;
mod gst;
mod isobmff;
mod left_out;
mod mp4;
mod mpegts;
mod plan;
mod probe;
mod reader;
mod run;
mod tags;

pub use backend::VideoBackend;
pub use encoders::VideoEncoders;
pub use mediaflow_core::media::MetadataPolicy;
pub use mp4::{Mp4, Preset, Profile, Sound};
pub use reader::VideoReader;

use mediaflow_core::Registry;

/// The name of reader and backend in explanations and errors.
const NAME: &str = "video";

/// Makes the video encoders, reader and backend known: `.with(mediaflow_video::operations)`.
pub fn operations(registry: &mut Registry) {
    registry.word::<Mp4>().reader(VideoReader::new()).backend(VideoBackend::new());
}
