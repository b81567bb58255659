//! The contract of engines: who keeps jobs, decides when they run, and keeps events until they have been delivered.
//!
//! Uses: codes, error, event, executor, id, inspect, notify, outbox, plan, report, schedule, shutdown, spec, supervise,
//! time, wait.

mod memory;
mod record;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

pub use memory::MemoryEngine;
pub use record::{Next, Record};

use crate::codes;
use crate::event::Event;
use crate::executor::Executor;
use crate::id::{BatchId, JobId};
use crate::inspect::Inspect;
use crate::notify::Acknowledged;
use crate::report::{BatchReport, JobStatus};
use crate::schedule::{Schedule, Scheduled};
pub use crate::shutdown::Shutdown;
use crate::spec::JobSpec;
pub use crate::supervise::supervise;
use crate::wait::{Signal, Signalled};
use crate::{Error, Result};

/// Events as they happen. An error in it is no end: the stream goes on behind it.
pub type EventStream = BoxStream<'static, Result<Arc<Event>>>;

/// What a reader of events is told who has missed some that are not kept any more, for engines.
#[must_use]
pub fn gap(missed: u64) -> Error {
    Error::transient(codes::EVENTS_GAP, "events were missed that are not kept any more")
        .with("missed", missed)
        .help("look at the states of jobs that matter, and read on; read faster")
}

/// Keeps jobs and runs them: in memory, in one file, on many machines.
///
/// A job is delivered at least once and reaches one terminal state, with one terminal event, exactly once. A state and
/// the events that it causes become visible together.
#[async_trait]
pub trait Engine: fmt::Debug + Send + Sync + 'static {
    /// Connects, and makes or checks what is stored. Called once, before everything else.
    ///
    /// # Errors
    /// The engine can not be used: what is wrong, and what to do.
    async fn open(&self, executor: &Executor) -> Result<()>;

    /// Takes jobs, all or none, and returns at once. A job whose idempotency key is known already gives the id of the
    /// first, unless that one has failed or was cancelled.
    ///
    /// # Errors
    /// `engine.full`: later; `engine.stopped`; `job.key_reused`: see
    /// [`JobOptions::idempotency_key`](crate::spec::JobOptions::idempotency_key).
    async fn submit(&self, submission: Submission) -> Result<Submitted>;

    /// What is known of a job.
    ///
    /// # Errors
    /// `job.unknown`.
    async fn status(&self, job: JobId) -> Result<JobStatus>;

    /// What became of a batch, once all its jobs have ended; `None` before.
    ///
    /// # Errors
    /// `batch.unknown`.
    async fn batch(&self, batch: BatchId) -> Result<Option<BatchReport>>;

    /// Cancels a job. One that runs stops within a second or so; one that has ended stays as it is.
    ///
    /// # Errors
    /// `job.unknown`.
    async fn cancel(&self, job: JobId) -> Result<()>;

    /// Submits an ended job again, as a new one, with another spec if one is given.
    ///
    /// # Errors
    /// `job.unknown`, `job.not_ended`, and those of [`Engine::submit`].
    async fn replay(&self, job: JobId, spec: Option<JobSpec>) -> Result<JobId>;

    /// Takes what somebody says of work that goes on elsewhere, in one act with its replay key: the job that waits under the
    /// key goes on soon. One that comes before its wait is stored is kept for a day at least.
    ///
    /// # Errors
    /// The engine's store can not be reached.
    async fn signal(&self, signal: Signal) -> Result<Signalled>;

    /// Submits a job by the clock from now on, under a name that is the schedule's alone: an earlier one of this name is
    /// replaced, and keeps its next time if it is the same line.
    ///
    /// # Errors
    /// `schedule.cron`, `schedule.zone`; the engine's store can not be reached.
    async fn schedule(&self, schedule: Schedule) -> Result<()>;

    /// Ends a schedule. Gives false if there is none of this name.
    ///
    /// # Errors
    /// The engine's store can not be reached.
    async fn unschedule(&self, name: &str) -> Result<bool>;

    /// The schedules, by name.
    ///
    /// # Errors
    /// The engine's store can not be reached.
    async fn schedules(&self) -> Result<Vec<Scheduled>>;

    /// Tells nobody else of what somebody takes care of, and counts the events of that route from none again. Gives how many
    /// messages are not sent.
    ///
    /// # Errors
    /// The engine's store can not be reached.
    async fn acknowledge(&self, what: Acknowledged) -> Result<u64>;

    /// Takes no further jobs from the queue, in any process, until [`Engine::resume`]. Those that run go on, jobs are
    /// still accepted, and notifications go out.
    ///
    /// # Errors
    /// The engine's store can not be reached.
    async fn pause(&self) -> Result<()>;

    /// Takes jobs again.
    ///
    /// # Errors
    /// The engine's store can not be reached.
    async fn resume(&self) -> Result<()>;

    /// Events from now on, progress among them. A reader that falls behind misses nothing that is still kept; if something
    /// is not, it is told so, with `events.gap`, and goes on behind the gap.
    fn events(&self) -> EventStream;

    /// Lists, histories and numbers of what it keeps.
    fn inspect(&self) -> &dyn Inspect;

    /// Works on jobs and deliveries until it is told to stop.
    ///
    /// # Errors
    /// The engine can not go on.
    async fn run(&self, executor: Executor, shutdown: Shutdown) -> Result<()>;
}

/// Jobs to take.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Submission {
    /// The jobs.
    pub jobs: Vec<JobSpec>,
    /// Whether they form a batch, which has an event of its own when all have ended.
    pub batch: bool,
}

impl Submission {
    /// One job by itself.
    #[must_use]
    pub fn one(spec: JobSpec) -> Self {
        Self { jobs: vec![spec], batch: false }
    }

    /// Jobs that form a batch.
    #[must_use]
    pub fn batch(jobs: Vec<JobSpec>) -> Self {
        Self { jobs, batch: true }
    }
}

/// Jobs that were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Submitted {
    /// Their names, in the order of the submission.
    pub jobs: Vec<JobId>,
    /// The name of their batch.
    pub batch: Option<BatchId>,
}

impl Submitted {
    /// These jobs.
    #[must_use]
    pub fn new(jobs: Vec<JobId>, batch: Option<BatchId>) -> Self {
        Self { jobs, batch }
    }

    /// The job of a submission of one.
    ///
    /// # Errors
    /// An internal one, if the engine took none.
    pub fn job(&self) -> Result<JobId> {
        self.jobs
            .first()
            .copied()
            .ok_or_else(|| Error::internal(codes::ENGINE_SUBMIT, "a submission gave no job"))
    }
}
