//! What goes on in a queue: numbers to look at, and metrics to watch.
//!
//! Uses: db, jobs, metrics, outbox, process.

mod figures;
mod gather;
mod gauges;
mod table;

pub use figures::{DestinationStats, JobCounts, Stats, Throughput, WorkerStats};

pub(crate) use gather::gather;
pub(crate) use gauges::gauge;
