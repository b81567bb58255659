//! What the host has set before the queue is opened.
//!
//! Uses: nothing.

use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) retention: Duration,
    pub(crate) idempotency: Duration,
    pub(crate) lease: Duration,
    pub(crate) connections: u32,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention: 7 * DAY,
            idempotency: DAY,
            lease: Duration::from_secs(12),
            connections: 10,
        }
    }
}
