use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use mediaflow_core::engine::Next;
use mediaflow_core::executor::{
    Attempt, Attempted, Finished, GroupWait, Journal, Outcomes, PartSpec, Recall, Suspended,
};
use mediaflow_core::report::{JobState, JobStatus, OutputReport};
use mediaflow_core::spec::JobSpec;
use mediaflow_core::{CancellationToken, Error, ErrorKind, Event, JobId, Result, codes};
use riverqueue::{WorkCancelled, WorkContext, WorkOutcome};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::outcome::{LATER, Outcome, outcome, put_back};
use super::progress::ProgressWriter;
use crate::db::JobTask;
use crate::failpoint::failpoint;
use crate::jobs::{self, ClaimedJob, Jobs, Start};
use crate::process::{ActiveAttempt, Process};

/// Runs a job that River handed out: one attempt, or its split into parts.
pub(super) async fn run(
    jobs: &Jobs,
    context: &WorkContext,
    job: &riverqueue::Job<JobTask>,
) -> Outcome {
    let id = job.args.job;
    let mut claimed = match begun(&jobs.process, id, jobs.start(id).await).await {
        Ok(claimed) => claimed,
        Err(outcome) => return outcome,
    };
    failpoint("job.started");
    let span = tracing::info_span!("job", job = %id, attempt = claimed.record.attempts, class = %claimed.class);
    attempt(jobs, context, &mut claimed).instrument(span).await
}

/// The job, if it is for this worker to work on now; otherwise what River is told instead.
pub(super) async fn begun(
    process: &Process,
    job: JobId,
    start: Result<Start>,
) -> Result<ClaimedJob, Outcome> {
    match start {
        Ok(Start::Go(claimed)) => Ok(*claimed),
        Ok(Start::Nothing) => Err(Ok(WorkOutcome::Complete)),
        Ok(Start::Busy) => Err(Ok(WorkOutcome::Snooze(LATER))),
        Err(error) => Err(unreadable(process, job, &error).await),
    }
}

/// What an attempt came to.
enum Made {
    Whole(Box<Finished>),
    Waits(Box<Suspended>),
    Parts(Vec<PartSpec>),
}

async fn attempt(jobs: &Jobs, context: &WorkContext, claimed: &mut ClaimedJob) -> Outcome {
    let process = &jobs.process;
    let working = Working::begin(process, claimed.river, context);
    let (observer, mut writer) = ProgressWriter::new();
    let journal = Arc::new(WaitJournal::new(process, claimed));
    let attempt = Attempt::new(claimed.record.spec.clone(), working.stop.clone(), observer)
        .fenced(claimed.record.id.to_string(), u64::try_from(claimed.fence).unwrap_or_default())
        .recalling(Earlier::than(process, claimed))
        .following(Earlier::than(process, claimed));
    let work = isolated(make(Arc::clone(process), claimed.clone(), attempt, Arc::clone(&journal)));
    let held = claimed.clone();
    let write = |record, _, events| {
        let claimed = ClaimedJob { record, ..held.clone() };
        async move { jobs::progress(process, &claimed, events).await }
    };
    let made = writer.during(process, &mut claimed.record, &working.stop, work, write).await;
    let mut events = writer.rest(&mut claimed.record, process);
    claimed.waits |= journal.used();
    match made {
        Ok(Made::Whole(made)) => {
            events.extend(claimed.record.succeeded(*made, process.now()));
            let ended = ended(jobs, claimed, events).await;
            if claimed.waits {
                process.executor.discard([claimed.record.id]).await;
            }
            ended
        }
        Ok(Made::Waits(suspended)) => wait(jobs, claimed, &suspended, events).await,
        Ok(Made::Parts(parts)) => {
            let (claimed, parts) = (&*claimed, &parts);
            let split = process.patiently(move || jobs::split(process, claimed, parts)).await;
            outcome(split, WorkOutcome::Complete)
        }
        Err(error) => failed(jobs, claimed, &error, events).await,
    }
}

/// Lets what is left of a job wait.
async fn wait(
    jobs: &Jobs,
    claimed: &mut ClaimedJob,
    suspended: &Suspended,
    mut events: Vec<Event>,
) -> Outcome {
    let process = &jobs.process;
    let mut waits = claimed.clone();
    let told = waits.record.suspended(suspended.checkpoint.clone(), process.now());
    let waiting = {
        let (waits, events) = (&waits, &events.iter().cloned().chain(told).collect::<Vec<_>>());
        let wait = move || jobs::suspend(process, waits, suspended, events.clone());
        process.patiently(wait).await
    };
    match waiting {
        Ok(false) => failed(jobs, claimed, &Error::cancelled(), std::mem::take(&mut events)).await,
        waiting => outcome(waiting.map(drop), WorkOutcome::Complete),
    }
}

async fn make(
    process: Arc<Process>,
    claimed: ClaimedJob,
    attempt: Attempt,
    journal: Arc<WaitJournal>,
) -> Result<Made> {
    let executor = &process.executor;
    let waits = match claimed.waits {
        true => jobs::waits(&process, claimed.record.id).await?,
        false => Vec::new(),
    };
    let checkpoint = claimed.record.checkpoint.as_deref().cloned();
    let attempt = attempt.journaled(journal, checkpoint, waits);
    let parts = executor.split(&attempt).await?;
    if !parts.is_empty() {
        return Ok(Made::Parts(parts));
    }
    let mut made = match executor.attempt(&attempt).await? {
        Attempted::Finished(made) => made,
        Attempted::Waiting(suspended) => return Ok(Made::Waits(Box::new(suspended))),
    };
    failpoint("job.made");
    publish(&process, &claimed, &attempt, &mut made).await?;
    failpoint("job.published");
    Ok(Made::Whole(Box::new(made)))
}

/// Publishes what was made, if the attempt still counts and nobody has asked for its end.
pub(super) async fn publish(
    process: &Process,
    claimed: &ClaimedJob,
    attempt: &Attempt,
    made: &mut Finished,
) -> Result<()> {
    let asked = process.patiently(move || jobs::asked(process, claimed)).await?;
    if asked || attempt.cancel.is_cancelled() {
        return Err(Error::cancelled());
    }
    failpoint("publish.asked");
    made.publish().await
}

/// Writes the end of a job.
pub(super) async fn ended(jobs: &Jobs, claimed: &ClaimedJob, events: Vec<Event>) -> Outcome {
    let reached = match claimed.record.state {
        JobState::Cancelled => WorkOutcome::Cancel,
        JobState::Failed => WorkOutcome::Discard,
        _ => WorkOutcome::Complete,
    };
    let events = &events;
    let ended = jobs.process.patiently(move || jobs.end(claimed, events.clone())).await;
    outcome(ended, reached)
}

/// Decides what follows a failed attempt, and writes it.
pub(super) async fn failed(
    jobs: &Jobs,
    claimed: &mut ClaimedJob,
    error: &Error,
    mut events: Vec<Event>,
) -> Outcome {
    let process = &jobs.process;
    let asked = {
        let claimed = &*claimed;
        process.patiently(move || jobs::asked(process, claimed)).await
    };
    match asked {
        Ok(asked) => claimed.record.cancelled = asked,
        Err(error) => return outcome(Err(error), WorkOutcome::Complete),
    }
    if error.kind() == ErrorKind::Cancelled && !claimed.record.cancelled {
        if process.halting() {
            let (claimed, events) = (&*claimed, &events);
            let back =
                process.patiently(move || jobs::give_back(process, claimed, events.clone())).await;
            // River makes it available again when it hears that the work was interrupted.
            return outcome(back.map(drop), WorkOutcome::Complete).and(Err(WorkCancelled));
        }
        // Cancelled through River itself: an operator in River UI.
        claimed.record.cancelled = true;
    }
    tracing::warn!(%error, "an attempt failed");
    match claimed.record.failed(error, process.executor.retry()) {
        Next::Retry(wait) => {
            let (now, due) = (process.now(), process.now().plus(wait));
            events.push(claimed.record.retrying(error.into(), None, due, now));
            let (claimed, events) = (&*claimed, &events);
            let back =
                process.patiently(move || jobs::retry(process, claimed, due, events.clone())).await;
            put_back(back, wait)
        }
        Next::End(state) => {
            events.extend(claimed.record.end(state, None, process.now()));
            let ended = ended(jobs, claimed, events).await;
            if claimed.waits {
                process.executor.discard([claimed.record.id]).await;
            }
            ended
        }
    }
}

/// A job whose row can not be read fails; anything else that is in the way of a start may pass.
pub(super) async fn unreadable(process: &Process, job: JobId, error: &Error) -> Outcome {
    if error.code() != codes::QUEUE_CORRUPT_ROW {
        tracing::warn!(%job, %error, "a job could not be started; trying again");
        return Ok(WorkOutcome::Snooze(LATER));
    }
    let fail = async || {
        let mut transaction = process.db.begin().await?;
        let ended =
            jobs::fail_by_name(process, &mut transaction.tx(), job, JobState::Failed, error)
                .await?;
        transaction.commit().await?;
        ended.unwrap_or_default().tell(process);
        Ok(())
    };
    outcome(fail().await, WorkOutcome::Discard)
}

/// Runs work in a task of its own, so that a panic in it ends the attempt and not the engine.
pub(super) async fn isolated<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let task = tokio::spawn(work.instrument(tracing::Span::current()));
    AbortOnDropHandle::new(task).await.unwrap_or_else(|e| {
        Err(Error::internal(codes::JOB_PANICKED, "the job panicked")
            .help("this is a defect: please report it")
            .because(e))
    })
}

/// Something under way here, for as long as this lives.
pub(super) struct Working<'a> {
    process: &'a Process,
    river: i64,
    /// Ends the attempt: because River says so, or because this process does.
    pub(super) stop: CancellationToken,
}

impl<'a> Working<'a> {
    pub(super) fn begin(process: &'a Process, river: i64, context: &WorkContext) -> Self {
        let stop = context.cancellation_token().child_token();
        process.active().insert(river, ActiveAttempt { stop: stop.clone() });
        Self { process, river, stop }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.process.active().remove(&self.river);
    }
}

/// Writes down what is handed over to somebody else, under the token of its attempt.
struct WaitJournal {
    process: Arc<Process>,
    claimed: ClaimedJob,
    used: AtomicBool,
}

impl WaitJournal {
    fn new(process: &Arc<Process>, claimed: &ClaimedJob) -> Self {
        let (process, claimed) = (Arc::clone(process), claimed.clone());
        Self { process, claimed, used: AtomicBool::new(false) }
    }

    /// Whether something was written.
    fn used(&self) -> bool {
        self.used.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Journal for WaitJournal {
    async fn waiting(&self, wait: &GroupWait, heard: &[u64]) -> Result<()> {
        self.used.store(true, Ordering::SeqCst);
        failpoint("wait.begun");
        let store = move || jobs::store_wait(&self.process, &self.claimed, wait, heard);
        self.process.patiently(store).await
    }
}

impl fmt::Debug for WaitJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitJournal").finish_non_exhaustive()
    }
}

/// What earlier jobs have made, for the attempts at a job.
pub(super) struct Earlier {
    process: Arc<Process>,
    later: JobSpec,
}

impl Earlier {
    pub(super) fn than(process: &Arc<Process>, claimed: &ClaimedJob) -> Arc<Self> {
        Arc::new(Self { process: Arc::clone(process), later: claimed.record.spec.clone() })
    }
}

#[async_trait]
impl Recall for Earlier {
    async fn recall(&self, key: &str) -> Result<Vec<OutputReport>> {
        jobs::recalled(&self.process, self.later.options.tenant.as_deref(), key).await
    }
}

#[async_trait]
impl Outcomes for Earlier {
    async fn outcome(&self, job: JobId) -> Result<JobStatus> {
        jobs::outcome(&self.process, &self.later, job).await
    }
}

impl fmt::Debug for Earlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Earlier").finish_non_exhaustive()
    }
}
