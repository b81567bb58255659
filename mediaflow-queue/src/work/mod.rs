//! Working on jobs: River hands out what is due, and this runs it.
//!
//! Uses: calls, db, failpoint, jobs, outbox, process, supervise, workers.

mod assembly;
mod attempt;
mod client;
#[cfg(feature = "postgres")]
mod listen;
mod outcome;
mod part;
mod progress;
mod run;
mod watch;

pub(crate) use client::{JobsCell, client};
pub(crate) use run::{pause, run};
