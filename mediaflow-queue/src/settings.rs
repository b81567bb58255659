//! What the host has set before the queue is opened.
//!
//! Uses: db.

use std::time::Duration;

use crate::db::Migration;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) retention: Duration,
    pub(crate) idempotency: Duration,
    pub(crate) lease: Duration,
    pub(crate) connections: u32,
    /// The schema of River's tables.
    #[cfg(feature = "postgres")]
    pub(crate) river: String,
    /// What a test adds to our migrations.
    pub(crate) further: Vec<Migration>,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention: 7 * DAY,
            idempotency: DAY,
            lease: Duration::from_secs(12),
            connections: 10,
            #[cfg(feature = "postgres")]
            river: "mediaflow_river".to_owned(),
            further: Vec::new(),
        }
    }
}
