use std::time::Duration;

use serde::Serialize;

use crate::event::EventKind;
use crate::id::{EventId, JobId, MessageId};
use crate::time::Timestamp;
use crate::wire::wire_enum;

wire_enum! {
    /// Where a message is in its life.
    pub enum MessageState {
        /// Waits to be sent, or to be sent again.
        Pending = "pending",
        /// Under way.
        Sending = "sending",
        /// Arrived.
        Delivered = "delivered",
        /// Given up.
        Dead = "dead",
    }
}

/// Which messages: those that everything said here is true of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct MessageFilter {
    /// In this state.
    pub state: Option<MessageState>,
    /// To this destination: a notifier, and the origin of its addresses (`https://host:443`; empty for a notifier's own).
    pub destination: Option<(String, String)>,
    /// About this job.
    pub job: Option<JobId>,
}

impl MessageFilter {
    /// All.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those in this state.
    pub fn state(mut self, state: MessageState) -> Self {
        self.state = Some(state);
        self
    }

    /// Those through this notifier to this origin.
    pub fn destination(mut self, channel: impl Into<String>, origin: impl Into<String>) -> Self {
        self.destination = Some((channel.into(), origin.into()));
        self
    }

    /// Those about this job.
    pub fn job(mut self, job: JobId) -> Self {
        self.job = Some(job);
        self
    }
}

/// One line of a list of messages. Of its address only the origin is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MessageSummary {
    /// Its number in the store.
    pub number: i64,
    /// The name that every attempt carries.
    pub message: MessageId,
    /// The event that it tells of, or the first of them.
    pub event: EventId,
    /// The kind of that event.
    pub kind: EventKind,
    /// The job that it is about.
    pub job: Option<JobId>,
    /// The notifier.
    pub channel: String,
    /// What its addresses have in common: `https://host:443`; empty for a notifier's own.
    pub origin: String,
    /// Where it is in its life.
    pub state: MessageState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is sent, or sent again, at the earliest.
    pub due: Timestamp,
    /// The status of the last answer.
    pub status: Option<u16>,
    /// What the last attempt failed with.
    pub error: Option<String>,
    /// When it arrived, or was given up.
    pub ended_at: Option<Timestamp>,
}

impl MessageSummary {
    /// A message that was not tried yet, for engines.
    #[must_use]
    pub fn new(
        number: i64,
        (message, event, kind): (MessageId, EventId, EventKind),
        (channel, origin): (String, String),
        due: Timestamp,
    ) -> Self {
        Self {
            number,
            message,
            event,
            kind,
            job: None,
            channel,
            origin,
            state: MessageState::Pending,
            attempts: 0,
            due,
            status: None,
            error: None,
            ended_at: None,
        }
    }
}

/// What a receiver has answered to one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Answer {
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// How it went: `delivered`, `retryable`, `throttled` and so on.
    pub outcome: String,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What it failed with.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub body: Option<String>,
}

impl Answer {
    /// An attempt that ended like this, for engines.
    #[must_use]
    pub fn new(attempt: u32, at: Timestamp, took: Duration, outcome: impl Into<String>) -> Self {
        let outcome = outcome.into();
        Self { attempt, at, took, outcome, status: None, error: None, body: None }
    }
}
