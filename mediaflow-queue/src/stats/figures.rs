use std::collections::BTreeMap;
use std::time::Duration;

use crate::outbox::Breaker;

/// What goes on in a queue at one moment. `Display` writes it as a table.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Jobs by state.
    pub jobs: JobCounts,
    /// How long the oldest job has been waiting that could run now; `None` if nothing waits.
    pub oldest_queued: Option<Duration>,
    /// Jobs that are running, by class: `image`, `video`.
    pub running: BTreeMap<String, u64>,
    /// How many jobs end.
    pub throughput: Throughput,
    /// Jobs that failed within the last 24 hours, by the code of their failure.
    pub failures: BTreeMap<String, u64>,
    /// Jobs for which no running worker knows what they need, for some minutes already, by that:
    /// `job:pipeline@1 op:image.resize@2 storage:archive`. A job that runs is among them if a part of it waits so.
    pub unclaimed: BTreeMap<String, u64>,
    /// Where events go, by channel and origin.
    pub destinations: Vec<DestinationStats>,
    /// The processes that work on jobs, the oldest first.
    pub workers: Vec<WorkerStats>,
}

/// Numbers of jobs. Those that have ended are counted for 24 hours, and no longer than
/// [`Queue::retention`](crate::Queue::retention).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobCounts {
    /// Wait for their turn, their time or their next attempt.
    pub queued: u64,
    /// Are being worked on.
    pub running: u64,
    /// Wait for work that goes on elsewhere.
    pub waiting: u64,
    /// Ended with every output published.
    pub succeeded: u64,
    /// Ended with some outputs published.
    pub partial: u64,
    /// Ended without an output.
    pub failed: u64,
    /// Were cancelled.
    pub cancelled: u64,
    /// Are in a state that only a newer version knows.
    pub other: u64,
}

/// How many jobs ended, per minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Throughput {
    /// Within the last minute.
    pub last_minute: f64,
    /// On average over the last 5 minutes.
    pub last_5_minutes: f64,
    /// On average over the last hour.
    pub last_hour: f64,
}

/// What goes to one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestinationStats {
    /// The name of the notifier.
    pub channel: String,
    /// What its addresses have in common, as far as it is no secret: `https://host:443`; empty for a notifier's own address
    /// that tells none.
    pub origin: String,
    /// Deliveries that are due, under way, or wait for their next attempt.
    pub pending: u64,
    /// Deliveries that arrived within the last hour.
    pub delivered: u64,
    /// Deliveries that were given up and are still stored.
    pub dead: u64,
    /// Whether it is being tried.
    pub breaker: Breaker,
    /// The age of the oldest pending delivery.
    pub oldest_pending: Option<Duration>,
}

impl DestinationStats {
    pub(super) fn new(channel: String, origin: String, breaker: Breaker) -> Self {
        Self { channel, origin, pending: 0, delivered: 0, dead: 0, breaker, oldest_pending: None }
    }
}

/// A process that works on jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStats {
    /// Its name; another one with each start.
    pub id: String,
    /// The machine.
    pub host: String,
    /// Its number on that machine.
    pub pid: u32,
    /// How long it has been at work.
    pub uptime: Duration,
    /// How long ago it gave its last sign of life. One every quarter of [`Queue::lease`](crate::Queue::lease) is due.
    pub beat: Duration,
}
