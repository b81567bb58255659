//! No statement of ours reads the whole of a table that grows, as SQLite and PostgreSQL plan them; what has to be counted is
//! counted by one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

#[path = "../database/mod.rs"]
mod database;
mod everything;
#[path = "../executed/mod.rs"]
mod executed;
mod postgres;
mod sqlite;
mod unrouted;

use tokio::sync::Mutex;

/// Tables with as many rows as there were jobs within the time that they are kept for.
const GROWING: [&str; 13] = [
    "mediaflow_jobs",
    "mediaflow_tags",
    "mediaflow_parts",
    "mediaflow_outputs",
    "mediaflow_waits",
    "mediaflow_batches",
    "mediaflow_batch_jobs",
    "mediaflow_events",
    "mediaflow_messages",
    "mediaflow_message_events",
    "mediaflow_attempts",
    "mediaflow_signals",
    "mediaflow_counted",
];

/// Indexes of what waits or is under way: as long as that, and no longer.
const SHORT: [&str; 13] = [
    "mediaflow_jobs_live",
    "mediaflow_jobs_worker",
    "mediaflow_jobs_parked",
    "mediaflow_parts_worker",
    "mediaflow_parts_parked",
    "mediaflow_waits_due",
    "mediaflow_messages_due",
    "mediaflow_messages_expires",
    "mediaflow_messages_sending",
    "mediaflow_messages_dead",
    "mediaflow_messages_open",
    "mediaflow_messages_next",
    "mediaflow_messages_escalates",
];

/// What one test does is not to be seen by the other.
static ONE: Mutex<()> = Mutex::const_new(());
