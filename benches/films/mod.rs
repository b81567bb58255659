//! The parts of the `video_peers` benchmark: the source, what is made of it by whom, the meter, and what has to be equal.

pub(crate) mod equal;
#[path = "../ffmpeg/mod.rs"]
pub(crate) mod ffmpeg;
pub(crate) mod job;
pub(crate) mod meter;
pub(crate) mod source;
pub(crate) mod work;

pub(crate) use ffmpeg::{Result, machine};
