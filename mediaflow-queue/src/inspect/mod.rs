//! A look into the tables: lists by page, one job's history, and numbers. Each statement has its index.
//!
//! Uses: db, jobs, outbox, process.

mod counts;
mod events;
mod jobs;
mod messages;
#[cfg(all(test, feature = "testing", feature = "sqlite", feature = "postgres"))]
mod plans;
mod store;
mod walk;

pub(crate) use counts::{count_ended, counts};
pub(crate) use events::{events, newest};
pub(crate) use jobs::{history, jobs};
pub(crate) use messages::messages;
