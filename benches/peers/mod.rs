//! The parts of the `image_peers` benchmark: who takes part, how they are asked, what is measured and printed.

pub(crate) mod child;
pub(crate) mod contest;
pub(crate) mod input;
pub(crate) mod jobs;
#[path = "../machine/mod.rs"]
pub(crate) mod machine;
pub(crate) mod mediaflow;
pub(crate) mod pixels;
pub(crate) mod report;

/// The program ends at the first error with its message, so no one needs to tell errors apart.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
