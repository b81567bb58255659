//! For tests of what runs on a database: a PostgreSQL server of one's own, and a network that breaks on demand. Not
//! covered by semantic versioning.
//!
//! Uses: nothing.

#[cfg(unix)]
mod postgres;
mod proxy;

#[cfg(unix)]
pub use postgres::{PrivatePostgres, PrivatePostgresBuilder};
pub use proxy::Proxy;

/// Lets something in this process fail so many times: a loop (`loop.dispatcher`, `loop.sweeper`, `loop.parked`, `loop.tail`,
/// `loop.watch`), which panics, or the answer to a commit (`progress.commit`, `outbox.commit`), which is lost.
pub fn fail_at(place: &'static str, times: u32) {
    crate::failpoint::arm(place, times);
}

/// How often it has still to fail.
#[must_use]
pub fn failures_left(place: &str) -> u32 {
    crate::failpoint::armed(place)
}
