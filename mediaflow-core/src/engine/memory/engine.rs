use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::inner::Inner;
use super::outbox::Outbox;
use super::ring::Ring;
use super::run;
use super::state::State;
use crate::codes;
use crate::engine::{Engine, EventStream, Shutdown, Submission, Submitted};
use crate::executor::Executor;
use crate::id::{BatchId, JobId};
use crate::inspect::{Cursor, Inspect};
use crate::notify::Acknowledged;
use crate::report::{BatchReport, JobStatus};
use crate::schedule::{Schedule, Scheduled};
use crate::spec::JobSpec;
use crate::time::{Clock, SystemClock};
use crate::wait::{Signal, Signalled};
use crate::{Error, Result};

/// Keeps jobs in memory. Clones share.
///
/// At most [`MemoryEngine::QUEUE`] jobs wait; the newest [`MemoryEngine::HISTORY`] ended ones can be asked for.
#[derive(Clone)]
pub struct MemoryEngine(pub(super) Arc<Inner>);

impl MemoryEngine {
    /// How many jobs may wait.
    pub const QUEUE: usize = 10_000;
    /// How many ended jobs are remembered.
    pub const HISTORY: usize = State::HISTORY;
    /// How many notifications may wait for each job that may wait, before no further job is taken.
    const ROWS_PER_JOB: usize = 10;

    /// Empty, with the machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock::default()))
    }

    /// Empty, with this clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self::with(clock, Self::QUEUE)
    }

    /// Empty, with this clock and room for `queue` waiting jobs.
    #[must_use]
    pub fn with(clock: Arc<dyn Clock>, queue: usize) -> Self {
        let (state, ring) = (Arc::default(), Arc::new(Ring::new()));
        Self(Arc::new(Inner {
            outbox: Arc::new(Outbox::new(Arc::clone(&ring), Arc::clone(&state))),
            state,
            work: Notify::new(),
            ring,
            store: Cursor::new_store(),
            clock,
            queue,
        }))
    }
}

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryEngine").finish_non_exhaustive()
    }
}

#[async_trait]
impl Engine for MemoryEngine {
    async fn open(&self, executor: &Executor) -> Result<()> {
        self.0.outbox.open(executor);
        self.0.lock().executor = Some(executor.clone());
        Ok(())
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted> {
        let now = self.0.clock.now();
        // Before the state is locked: `settle` locks the outbox first and the state second.
        let notifications = self.0.outbox.len();
        let submitted = {
            let mut state = self.0.lock();
            let waiting = state.waiting() + submission.jobs.len();
            if waiting > self.0.queue
                || notifications > self.0.queue.saturating_mul(Self::ROWS_PER_JOB)
            {
                return Err(Error::transient(
                    codes::ENGINE_FULL,
                    "too many jobs or notifications are waiting",
                )
                .with("limit", self.0.queue)
                .help("submit again later, or use an engine that keeps its queue on disk"));
            }
            state.submit(submission, now)?
        };
        self.0.settle();
        self.0.work.notify_one();
        Ok(submitted)
    }

    async fn status(&self, job: JobId) -> Result<JobStatus> {
        self.0.lock().status(job)
    }

    async fn batch(&self, batch: BatchId) -> Result<Option<BatchReport>> {
        self.0.lock().batch(batch)
    }

    async fn cancel(&self, job: JobId) -> Result<()> {
        let now = self.0.clock.now();
        self.0.lock().cancel(job, now)?;
        self.0.settle();
        // There may be something to stop elsewhere.
        self.0.work.notify_one();
        Ok(())
    }

    async fn replay(&self, job: JobId, spec: Option<JobSpec>) -> Result<JobId> {
        let spec = self.0.lock().replayable(job, spec)?;
        self.submit(Submission::one(spec)).await?.job()
    }

    async fn signal(&self, signal: Signal) -> Result<Signalled> {
        let signalled = self.0.lock().signal(signal);
        self.0.work.notify_one();
        Ok(signalled)
    }

    async fn schedule(&self, schedule: Schedule) -> Result<()> {
        let now = self.0.clock.now();
        self.0.lock().schedules.set(schedule, now)?;
        self.0.work.notify_one();
        Ok(())
    }

    async fn unschedule(&self, name: &str) -> Result<bool> {
        Ok(self.0.lock().schedules.remove(name))
    }

    async fn schedules(&self) -> Result<Vec<Scheduled>> {
        Ok(self.0.lock().schedules.all())
    }

    async fn acknowledge(&self, what: Acknowledged) -> Result<u64> {
        Ok(self.0.outbox.lock().acknowledge(&what))
    }

    async fn pause(&self) -> Result<()> {
        self.0.lock().paused = true;
        Ok(())
    }

    async fn resume(&self) -> Result<()> {
        self.0.lock().paused = false;
        self.0.work.notify_one();
        Ok(())
    }

    fn events(&self) -> EventStream {
        self.0.ring.subscribe()
    }

    fn inspect(&self) -> &dyn Inspect {
        self
    }

    async fn run(&self, executor: Executor, shutdown: Shutdown) -> Result<()> {
        run::run(&self.0, executor, shutdown).await
    }
}
