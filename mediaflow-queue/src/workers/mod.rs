//! Worker processes: signs of life, takeover of what a dead one left behind, and the cleaning up.
//!
//! Uses: db, jobs, metrics, outbox, process, stats.

mod heartbeat;
mod lock;
mod lost;
mod retention;
mod sweep;
mod takeover;

pub(crate) use heartbeat::Heartbeat;
pub(crate) use sweep::sweep;
