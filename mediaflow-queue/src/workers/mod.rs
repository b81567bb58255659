//! Worker processes: signs of life, takeover of what a dead one left behind, and the cleaning up.
//!
//! Uses: db, failpoint, inspect, jobs, metrics, outbox, process, stats.

mod aged;
mod heartbeat;
mod lock;
mod lost;
mod parked;
mod retention;
mod staged;
mod sweep;
mod takeover;

pub(crate) use heartbeat::Heartbeat;
pub(crate) use parked::parked;
pub(crate) use sweep::sweep;
