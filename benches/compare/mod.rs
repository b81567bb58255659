//! The parts of `compare_ffmpeg`: what is converted, by whom, what is measured of the results, and the page.

pub(crate) mod cases;
pub(crate) mod clip;
pub(crate) mod convert;
#[path = "../ffmpeg/mod.rs"]
pub(crate) mod ffmpeg;
pub(crate) mod measured;
pub(crate) mod page;
pub(crate) mod verdict;

pub(crate) use ffmpeg::{Result, machine};
