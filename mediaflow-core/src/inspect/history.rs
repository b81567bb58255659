use serde::Serialize;

use super::message::{Answer, MessageSummary};
use super::summary::{JobSummary, PlacedEvent};
use crate::Failure;
use crate::event::{Event, EventData, EventKind};
use crate::executor::KnownWait;
use crate::report::JobStatus;
use crate::time::Timestamp;

/// All that is kept of one job.
///
/// How the work was done is in [`Report::plan`](crate::report::Report::plan), once the job has ended. Which process made an
/// attempt, and which of its steps were made in which part is not kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JobHistory {
    /// The job, as lists show it.
    pub summary: JobSummary,
    /// What is known of it, with its outputs, and its report once it has ended.
    pub status: JobStatus,
    /// Each attempt, the oldest first, as far as its events are kept. Attempts at parts are among the events only.
    pub attempts: Vec<AttemptSummary>,
    /// What it was split into; empty if it was not, and once it has ended.
    pub parts: Vec<PartSummary>,
    /// What of it waits for work that goes on elsewhere.
    pub waits: Vec<WaitSummary>,
    /// What happened, the first [`JobHistory::EVENTS`] events.
    pub events: Vec<PlacedEvent>,
    /// Who is told of it, the newest [`JobHistory::MESSAGES`] messages. The engine in memory keeps those that have not ended.
    pub messages: Vec<MessageHistory>,
}

impl JobHistory {
    /// How many events are given; [`Inspect::events`](super::Inspect::events) gives the others.
    pub const EVENTS: usize = 1000;
    /// How many messages are given; [`Inspect::messages`](super::Inspect::messages) gives the others.
    pub const MESSAGES: usize = 100;

    /// A job of which this is known, for engines.
    #[must_use]
    pub fn new(summary: JobSummary, status: JobStatus, events: Vec<PlacedEvent>) -> Self {
        Self {
            attempts: AttemptSummary::of(&events),
            summary,
            status,
            parts: Vec::new(),
            waits: Vec::new(),
            events,
            messages: Vec::new(),
        }
    }
}

/// An attempt at a job.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AttemptSummary {
    /// When it began. One that puts the parts of a job together again tells only when it was due.
    pub begun: Timestamp,
    /// When it ended. One that is under way has none, and one that was handed back because its process stopped.
    pub ended: Option<Timestamp>,
    /// What it failed with; `job.worker_lost` if its worker died.
    pub failure: Option<Failure>,
}

impl AttemptSummary {
    fn of(events: &[PlacedEvent]) -> Vec<Self> {
        let mut attempts: Vec<Self> = Vec::new();
        let mut due = None;
        for Event { kind, time, data, .. } in events.iter().map(|placed| &*placed.event) {
            let begun = |begun| Self { begun, ended: None, failure: None };
            let (failure, next) = match data {
                EventData::Retry(failed) if failed.part.is_none() => {
                    (Some(failed.failure.clone()), Some(failed.due))
                }
                EventData::Job(report) => (report.failure.clone(), None),
                EventData::None if *kind == EventKind::JobStarted => {
                    attempts.push(begun(*time));
                    due = None;
                    continue;
                }
                _ => continue,
            };
            attempts.extend(due.map(begun));
            if let Some(last) = attempts.last_mut() {
                (last.ended, last.failure) = (Some(*time), failure);
            }
            due = next;
        }
        attempts
    }
}

/// A part of a job that several workers make.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PartSummary {
    /// Its number, from 1.
    pub number: u32,
    /// Where it is in its life.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// How far it is, from 0 to 1.
    pub progress: f32,
    /// What it failed with.
    pub failure: Option<Failure>,
}

impl PartSummary {
    /// A part in this state, for engines.
    #[must_use]
    pub fn new(number: u32, state: impl Into<String>) -> Self {
        Self { number, state: state.into(), attempts: 0, progress: 0.0, failure: None }
    }
}

/// Steps that wait for work that goes on elsewhere. The backend's own state, which may hold secrets, is not told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WaitSummary {
    /// The backend that goes on with them.
    pub backend: String,
    /// The steps.
    pub steps: Vec<String>,
    /// What an update names.
    pub key: String,
    /// How far the work elsewhere is, from 0 to 1, as far as that is known.
    pub progress: f32,
    /// When it is looked at without an update.
    pub due: Timestamp,
    /// When it is given up.
    pub until: Timestamp,
    /// How often going on with it has failed since it last worked.
    pub failures: u32,
    /// How many updates came in that were not heard yet.
    pub updates: usize,
}

impl From<&KnownWait> for WaitSummary {
    fn from(known: &KnownWait) -> Self {
        let (group, wait) = (&known.group, &known.group.wait);
        Self {
            backend: group.backend.clone(),
            steps: group.steps.clone(),
            key: wait.key.clone(),
            progress: wait.progress,
            due: group.due(),
            until: wait.until,
            failures: group.failures,
            updates: known.updates.len(),
        }
    }
}

/// A message, and what its receiver has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MessageHistory {
    /// The message.
    pub message: MessageSummary,
    /// Attempts at it, the oldest first.
    pub answers: Vec<Answer>,
}

impl MessageHistory {
    /// This message, with these answers.
    #[must_use]
    pub fn new(message: MessageSummary, answers: Vec<Answer>) -> Self {
        Self { message, answers }
    }
}
