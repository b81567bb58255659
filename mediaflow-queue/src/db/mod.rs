//! The database, whichever it is: SQL is written once, with `$1` placeholders, in the dialect that SQLite and
//! PostgreSQL both understand.
//!
//! Uses: failpoint.

mod conflict;
mod database;
mod dialect;
mod distinct;
mod error;
mod group_commit;
#[cfg(feature = "postgres")]
mod listen;
mod migrate;
mod migration_lock;
mod patience;
#[cfg(feature = "postgres")]
mod postgres;
mod query;
mod river;
mod river_insert;
mod river_schema;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tx;

pub(crate) use conflict::through_conflicts;
pub(crate) use database::Db;
pub(crate) use dialect::BY_BYTES;
pub(crate) use distinct::distinct;
pub(crate) use error::failed;
pub(crate) use group_commit::{CommitQueue, GroupCommit};
#[cfg(feature = "postgres")]
pub(crate) use listen::Listener;
pub(crate) use migrate::Migration;
pub(crate) use patience::patiently;
pub(crate) use river::{
    AssemblyTask, JobTask, PREFIX, PartTask, Requeued, class_and_capability, class_queue,
    failed as river_failed, missing, queue_of,
};
pub(crate) use river_insert::{NewTask, insert_given, next_number};
pub(crate) use row::{Row, Value, in_parts, places, to_json, together, values};
pub use tx::HostTransaction;
pub(crate) use tx::{Name, Transaction, Tx};
