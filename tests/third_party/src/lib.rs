//! Operations, formats, backends, a job and a notifier of somebody else's; and a sandbox that runs backends and readers in a
//! child process.

mod backend;
mod faulty;
mod flipbook;
mod format;
mod frames;
mod job;
mod ledger;
mod operations;
pub mod sandbox;
mod tiles;

pub use backend::{Duotone, PrintBackend};
pub use faulty::{Fault, Faults, FaultyBackend};
pub use flipbook::{FLIP, FlipReader, Flipbook, flip};
pub use format::{RAWF, RawfReader, rawf};
pub use frames::{Backwards, Thin};
pub use job::FileAway;
pub use ledger::Ledger;
pub use operations::{Brightness, Darkroom, Paper};
pub use tiles::Tiles;
