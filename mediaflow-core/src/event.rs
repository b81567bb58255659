//! What happened, for whom, and how bad it is.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::id::{BatchId, EventId, JobId};
use crate::report::{BatchSummary, OutputReport, Report};
use crate::spec::digest::{digest, sorted};
use crate::spec::{JobOptions, NotifyTarget};
use crate::wire::wire_enum;
use crate::{Error, Failure, Timestamp};

/// Something that happened. It is stored before it is sent, and keeps its id through every attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Event {
    /// Its own name; a receiver that has seen it ignores the repetition.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub time: Timestamp,
    /// Whom it concerns.
    pub audience: Audience,
    /// How bad it is.
    pub severity: Severity,
    /// The job that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// The batch that it is about, or that the job belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// Whose job it is, among those who share the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Who asked for the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What the job's owner wants to find again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// The words to find the job by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Notifiers that the job names, with addresses of its own. They are secrets of the job: an event that is written down
    /// or sent has none.
    #[serde(default, skip_serializing)]
    pub notify: Vec<NotifyTarget>,
    /// What there is to say.
    #[serde(default, skip_serializing_if = "EventData::is_none")]
    pub data: EventData,
}

wire_enum! {
    /// What can happen.
    #[derive(PartialOrd, Ord)]
    pub enum EventKind {
        /// A job was accepted.
        JobCreated = "job.created",
        /// An attempt began.
        JobStarted = "job.started",
        /// An attempt failed, or its worker died, and another follows.
        JobRetrying = "job.retrying",
        /// What is left of a job waits for work that goes on elsewhere. It is told once for each job.
        JobWaiting = "job.waiting",
        /// The work went on. The last value is kept with the job; as an event it is told to readers, and kept only by a process
        /// that has a notifier which wants it. Readers in other processes hear of it within a second.
        JobProgress = "job.progress",
        /// A step, or a group of steps that ran as one, is done.
        StepCompleted = "step.completed",
        /// A step failed.
        StepFailed = "step.failed",
        /// An output is verified and in its place.
        OutputReady = "output.ready",
        /// A job ended `succeeded` or `partial`.
        JobCompleted = "job.completed",
        /// A job ended `failed`.
        JobFailed = "job.failed",
        /// A job ended `cancelled`.
        JobCancelled = "job.cancelled",
        /// Every job of a batch has ended.
        BatchCompleted = "batch.completed",
        /// Notifications to a destination are lost, or held back because it refuses our credentials. Told once until
        /// something arrives there again.
        DeliveryFailed = "delivery.failed",
        /// Nothing is sent to a destination any more: for days nothing has arrived there.
        DestinationDisabled = "destination.disabled",
        /// Times of a schedule have passed while nobody was there. The latest is run.
        ScheduleMissed = "schedule.missed",
        /// Jobs wait for a worker that knows what they need, and for a while none has come.
        JobsUnclaimed = "jobs.unclaimed",
    }
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::JobCreated,
        Self::JobStarted,
        Self::JobRetrying,
        Self::JobWaiting,
        Self::JobProgress,
        Self::StepCompleted,
        Self::StepFailed,
        Self::OutputReady,
        Self::JobCompleted,
        Self::JobFailed,
        Self::JobCancelled,
        Self::BatchCompleted,
        Self::DeliveryFailed,
        Self::DestinationDisabled,
        Self::ScheduleMissed,
        Self::JobsUnclaimed,
    ];

    /// Whether it tells of notifications themselves, and what can not be told of it is told to nobody.
    #[must_use]
    pub fn is_of_delivery(self) -> bool {
        matches!(self, Self::DeliveryFailed | Self::DestinationDisabled)
    }

    /// How bad an event of this kind can be.
    pub(crate) fn severities(self) -> Vec<Severity> {
        match self {
            Self::JobCompleted => vec![Severity::Info, Severity::Warning],
            Self::BatchCompleted => vec![Severity::Info, Severity::Warning, Severity::Error],
            other => vec![Event::new(other, Timestamp::default(), EventData::None).severity],
        }
    }

    /// Whether the job or batch has ended with it.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::JobCompleted | Self::JobFailed | Self::JobCancelled | Self::BatchCompleted
        )
    }
}

wire_enum! {
    /// Whom an event concerns.
    pub enum Audience {
        /// Whoever asked for the job.
        Owner = "owner",
        /// Whoever answers for the application: failures of jobs.
        Admin = "admin",
        /// Whoever keeps the machines running: deliveries that fail.
        Ops = "ops",
    }
}

wire_enum! {
    /// How bad it is.
    #[derive(PartialOrd, Ord)]
    pub enum Severity {
        /// For programs: progress, steps.
        Debug = "debug",
        /// As it should be.
        Info = "info",
        /// Went on, with a loss.
        Warning = "warning",
        /// Failed.
        Error = "error",
    }
}

/// What there is to say of an event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventData {
    /// Nothing more than the kind says.
    #[default]
    None,
    /// How far the job is, from 0 to 1.
    Progress(f32),
    /// Which step, or which steps that ran as one, and why if they failed.
    Step {
        /// The names in the pipeline.
        steps: Vec<String>,
        /// Why they failed.
        failure: Option<Failure>,
    },
    /// Which attempt failed, and when the next one comes.
    Retry(Box<FailedAttempt>),
    /// The output that is in its place.
    Output(Box<OutputReport>),
    /// What became of the job.
    Job(Box<Report>),
    /// What became of the batch: counts, and what failed. Single reports are read when they are needed.
    Batch(Box<BatchSummary>),
    /// What could not be delivered, and why.
    Delivery(Box<DeliveryFailure>),
    /// Which destination is not sent to any more.
    Disabled {
        /// The notifier.
        channel: String,
        /// The destination as far as it is no secret: `https://host:443`; empty for a notifier's own.
        destination: String,
        /// Since when nothing has arrived there.
        since: Timestamp,
        /// What the last attempt failed with.
        reason: String,
        /// How many messages were given up.
        dead: u64,
    },
    /// Which times of a schedule have passed.
    Missed {
        /// The schedule.
        schedule: String,
        /// How many times; 1,000 stands for that and more.
        times: u64,
        /// The first of them.
        since: Timestamp,
    },
    /// Which jobs wait for a worker.
    Unclaimed {
        /// What they need and nobody knows: `op:image.resize@2 storage:archive`.
        needs: String,
        /// How many they are; a job that was split counts if a part of it waits.
        jobs: u64,
    },
    /// What only a newer version can say. It is kept as it was read.
    #[serde(untagged)]
    Other(Value),
}

/// An attempt that another one follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// Its number, from 1.
    pub attempt: u32,
    /// The part of the job that it was at, from 1, if the job was split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
    /// What it failed with; `job.worker_lost` if its worker died.
    pub failure: Failure,
    /// When the next one may begin.
    pub due: Timestamp,
}

impl FailedAttempt {
    /// An attempt at a whole job, for engines.
    #[must_use]
    pub fn new(attempt: u32, failure: Failure, due: Timestamp) -> Self {
        Self { attempt, part: None, failure, due }
    }
}

/// How many characters of a reason are kept.
const REASON: usize = 2000;

/// What is lost, or held back, at one destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DeliveryFailure {
    /// The notifier. Empty if it was not found out who is to be told: the host's
    /// [`Recipients`](crate::notify::Recipients) have failed until the event was too old, and only those that are configured are
    /// told of it.
    pub channel: String,
    /// The destination as far as it is no secret: `https://host:443`; empty for a notifier's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub destination: String,
    /// The first event that is not told.
    pub event: EventId,
    /// How often that was tried.
    pub attempts: u32,
    /// What the last attempt failed with.
    pub reason: String,
    /// How many messages were given up together with it.
    #[serde(default)]
    pub dead: u64,
    /// How many still wait there.
    #[serde(default)]
    pub waiting: u64,
}

impl DeliveryFailure {
    /// The first event that is not told at a destination, and why.
    #[must_use]
    pub fn new(channel: impl Into<String>, event: EventId, reason: impl Into<String>) -> Self {
        Self {
            channel: channel.into(),
            destination: String::new(),
            event,
            attempts: 0,
            reason: reason.into(),
            dead: 0,
            waiting: 0,
        }
    }

    /// The recipients of this event could not be looked up.
    pub(crate) fn of_recipients(event: EventId, error: &Error) -> Self {
        let reason: String = error.to_string().chars().take(REASON).collect();
        Self { dead: 1, ..Self::new("", event, reason) }
    }

    /// The event that tells of it, about the job whose event is not told.
    #[must_use]
    pub fn into_event(self, job: Option<JobId>, time: Timestamp) -> Event {
        let data = EventData::Delivery(Box::new(self));
        Event { job, ..Event::new(EventKind::DeliveryFailed, time, data) }
    }
}

impl EventData {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl Event {
    /// An event of no job, with the audience and severity that its kind has.
    #[must_use]
    pub fn new(kind: EventKind, time: Timestamp, data: EventData) -> Self {
        let (audience, severity) = match kind {
            EventKind::JobCreated
            | EventKind::JobStarted
            | EventKind::JobWaiting
            | EventKind::OutputReady => (Audience::Owner, Severity::Info),
            EventKind::JobProgress | EventKind::StepCompleted => (Audience::Owner, Severity::Debug),
            EventKind::JobCompleted | EventKind::JobCancelled => {
                (Audience::Owner, severity_of(&data))
            }
            EventKind::BatchCompleted => (Audience::Owner, severity_of(&data)),
            EventKind::StepFailed | EventKind::JobRetrying => (Audience::Admin, Severity::Warning),
            EventKind::JobFailed => (Audience::Admin, Severity::Error),
            EventKind::DeliveryFailed | EventKind::DestinationDisabled => {
                (Audience::Ops, Severity::Error)
            }
            EventKind::ScheduleMissed | EventKind::JobsUnclaimed => {
                (Audience::Ops, Severity::Warning)
            }
            EventKind::Other(_) => (Audience::Ops, Severity::Info),
        };
        Self {
            id: EventId::new(),
            kind,
            time,
            audience,
            severity,
            job: None,
            batch: None,
            tenant: None,
            owner: None,
            metadata: BTreeMap::new(),
            tags: Vec::new(),
            notify: Vec::new(),
            data,
        }
    }

    /// Whether a newer build has written it, and this one can not tell what it says.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        matches!(self.kind, EventKind::Other(_)) || matches!(self.data, EventData::Other(_))
    }

    /// Whether it concerns these people: those whose it is first of all ([`audience`](Self::audience)). A job that failed
    /// concerns its owner as well, and the end of any that lost something on the way whoever answers for the application.
    #[must_use]
    pub fn concerns(&self, audience: Audience) -> bool {
        audience == self.audience
            || match audience {
                Audience::Owner => self.kind == EventKind::JobFailed,
                Audience::Admin => self.kind.is_terminal() && self.severity >= Severity::Warning,
                Audience::Ops | Audience::Other(_) => false,
            }
    }

    /// A short name for what this build can read: builds that have the same can read the same events, and what one of them
    /// finds [foreign](Self::is_foreign), the others do as well.
    #[must_use]
    pub fn vocabulary() -> String {
        let schema = sorted(schema_for!(Self).as_value());
        let mut name = digest(&json!([env!("CARGO_PKG_VERSION"), schema]));
        name.truncate(16);
        name
    }

    /// About this job, with what its options say.
    #[must_use]
    pub fn about(mut self, job: JobId, batch: Option<BatchId>, options: &JobOptions) -> Self {
        (self.job, self.batch) = (Some(job), batch);
        self.of(options)
    }

    /// About this batch, with what the options of its first job say.
    #[must_use]
    pub fn about_batch(mut self, batch: BatchId, options: &JobOptions) -> Self {
        self.batch = Some(batch);
        self.of(options)
    }

    fn of(mut self, options: &JobOptions) -> Self {
        self.tenant.clone_from(&options.tenant);
        self.owner.clone_from(&options.owner);
        self.metadata.clone_from(&options.metadata);
        self.tags.clone_from(&options.tags);
        self.notify.clone_from(&options.notify);
        self
    }
}

/// A job or batch that lost something on the way warns, even though it ended well.
fn severity_of(data: &EventData) -> Severity {
    use crate::report::JobState;
    let state = match data {
        EventData::Job(report) => report.state,
        EventData::Batch(report) => report.state,
        _ => return Severity::Info,
    };
    match state {
        JobState::Partial => Severity::Warning,
        JobState::Failed => Severity::Error,
        JobState::Queued
        | JobState::Running
        | JobState::Waiting
        | JobState::Succeeded
        | JobState::Cancelled
        | JobState::Other(_) => Severity::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(kind: &str, data: &Value) -> Value {
        json!({ "id": "018bcfe5-6800-7000-8000-000000000000", "kind": kind, "time": "2026-01-31T12:00:00.000Z",
                "audience": "owner", "severity": "info", "data": data })
    }

    #[test]
    fn what_only_a_newer_version_says_is_kept() {
        for data in
            [json!({ "rating": { "stars": 5 } }), json!({ "job": { "state": 7 } }), json!("new")]
        {
            let mut stored = stored("job.rated", &data);
            stored["audience"] = "jury".into();
            stored["severity"] = "splendid".into();
            let event: Event = serde_json::from_value(stored.clone()).unwrap();
            assert!(event.is_foreign());
            assert_eq!(serde_json::to_value(&event).unwrap(), stored);
        }
        let known: Event =
            serde_json::from_value(stored("job.progress", &json!({ "progress": 0.5 }))).unwrap();
        assert_eq!((known.is_foreign(), known.data), (false, EventData::Progress(0.5)));
    }

    #[test]
    fn what_an_older_version_has_said_of_a_batch_and_of_a_delivery_is_read() {
        let batch = json!({ "batch": { "batch": "018bcfe5-6800-7000-8000-000000000001", "state": "partial", "jobs": [] } });
        let event: Event = serde_json::from_value(stored("batch.completed", &batch)).unwrap();
        assert!(matches!(event.data, EventData::Batch(summary) if summary.counts.is_empty()));
        let delivery = json!({ "delivery": { "channel": "webhook", "event": "018bcfe5-6800-7000-8000-000000000002",
                                             "attempts": 3, "reason": "no" } });
        let event: Event = serde_json::from_value(stored("delivery.failed", &delivery)).unwrap();
        assert!(matches!(event.data, EventData::Delivery(failure) if failure.attempts == 3));
    }

    #[test]
    fn addresses_of_targets_are_not_written_down() {
        let options = JobOptions::new().notify("webhook", "https://hooks.example/secret");
        let event = Event::new(EventKind::JobCreated, Timestamp::default(), EventData::None);
        let event = event.about(JobId::new(), None, &options);
        assert_eq!(event.notify.len(), 1);
        assert!(!serde_json::to_string(&event).unwrap().contains("secret"));
    }
}
