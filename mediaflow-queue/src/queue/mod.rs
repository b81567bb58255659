//! The queue as the host holds it: how it is opened, what is asked of it, and the engine that it is.
//!
//! Uses: broadcast, db, inspect, jobs, outbox, process, reader, settings, stats, supervise, tail, work.

mod deliveries;
mod engine;
mod handle;
mod inspect;
mod stats;

#[cfg(feature = "postgres")]
pub use handle::Postgres;
pub use handle::Queue;
#[cfg(feature = "sqlite")]
pub use handle::Sqlite;
