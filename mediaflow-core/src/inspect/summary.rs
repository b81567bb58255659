use std::sync::Arc;

use serde::Serialize;

use super::cursor::Cursor;
use crate::event::Event;
use crate::id::{BatchId, JobId};
use crate::report::JobState;
use crate::time::Timestamp;

/// One line of a list of jobs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JobSummary {
    /// Which job.
    pub job: JobId,
    /// The batch that it was submitted with.
    pub batch: Option<BatchId>,
    /// Its kind: `pipeline`, or a custom [`Job::KIND`](crate::Job::KIND).
    pub kind: String,
    /// Where it is in its life.
    pub state: JobState,
    /// How far it is, from 0 to 1.
    pub progress: f32,
    /// How often it was tried.
    pub attempts: u32,
    /// Whose it is, among those who share the host.
    pub tenant: Option<String>,
    /// Who asked for it.
    pub owner: Option<String>,
    /// The words to find it by.
    pub tags: Vec<String>,
    /// The code of what its last attempt failed with.
    pub failure: Option<String>,
    /// When it was submitted.
    pub queued_at: Timestamp,
    /// When its last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl JobSummary {
    /// A job that was just submitted, for engines.
    #[must_use]
    pub fn new(job: JobId, kind: impl Into<String>, queued_at: Timestamp) -> Self {
        Self {
            job,
            batch: None,
            kind: kind.into(),
            state: JobState::Queued,
            progress: 0.0,
            attempts: 0,
            tenant: None,
            owner: None,
            tags: Vec::new(),
            failure: None,
            queued_at,
            started_at: None,
            ended_at: None,
        }
    }
}

/// An event, and its place among all.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PlacedEvent {
    /// The place behind it: what a client of Server-Sent Events sends back as `Last-Event-ID`.
    pub cursor: Cursor,
    /// What happened.
    #[serde(serialize_with = "shared")]
    pub event: Arc<Event>,
}

impl PlacedEvent {
    /// This event, at this place.
    #[must_use]
    pub fn new(cursor: Cursor, event: Arc<Event>) -> Self {
        Self { cursor, event }
    }
}

fn shared<S: serde::Serializer>(event: &Arc<Event>, to: S) -> Result<S::Ok, S::Error> {
    event.as_ref().serialize(to)
}
