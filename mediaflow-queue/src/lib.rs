//! Durable engines of mediaflow: jobs in one SQLite file, or on a PostgreSQL server for many workers.
//!
//! Both run on River (`riverqueue`), whose tables are in the same database as ours: the job and its outputs, parts, the
//! outbox and its deliveries, and a heartbeat for each worker process. On PostgreSQL River's are in a schema of their own,
//! [`mediaflow_river`](Queue::river_schema), for River UI and River's other clients to read, and apart from those of a host
//! that works with River itself.
//!
//! Processes of different versions can work on one database, as in a rolling deploy: new tables say from which version on
//! they can be used, and who is older than that is told so at its start.
//!
//! Inside, modules use one another in one direction, and the header of each names those that it uses: `db`, then
//! `process`, then `jobs` and `outbox`, then `inspect`, the loops in `work`, `workers` and `stats`, and on top `queue`.
//!
//! ```no_run
//! use mediaflow_core::Mediaflow;
//! use mediaflow_queue::Sqlite;
//!
//! # async fn example() -> mediaflow_core::Result<()> {
//! let media = Mediaflow::builder()
//!     .engine(Sqlite::open("jobs.db"))
//!     .storage("public", "file:///var/media")
//!     .start()
//!     .await?;
//! # Ok(())
//! # }
//! ```

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
compile_error!("mediaflow-queue needs a database: turn on the feature `sqlite` or `postgres`");

mod broadcast;
mod calls;
mod clock;
mod db;
mod events;
mod failpoint;
mod inspect;
mod jobs;
mod metrics;
mod outbox;
mod process;
mod queue;
mod reader;
mod settings;
mod stats;
mod supervise;
mod tail;
#[cfg(feature = "testing")]
pub mod testing;
mod work;
mod workers;

pub use db::HostTransaction;
pub use outbox::{
    Breaker, Delivery, DeliveryAttempt, DeliveryFilter, DeliveryOutcome, DeliveryState, Destination,
};
#[cfg(feature = "postgres")]
pub use queue::Postgres;
pub use queue::Queue;
#[cfg(feature = "sqlite")]
pub use queue::Sqlite;
pub use stats::{DestinationStats, JobCounts, Stats, Throughput, WorkerStats};
