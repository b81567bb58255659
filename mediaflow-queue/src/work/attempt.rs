use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use mediaflow_core::engine::Next;
use mediaflow_core::executor::{Attempt, Finished, PartSpec, Recall};
use mediaflow_core::report::{JobState, OutputReport};
use mediaflow_core::{CancellationToken, Error, ErrorKind, Event, JobId, Result};
use riverqueue::{WorkCancelled, WorkContext, WorkOutcome};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::scribe::Scribe;
use super::{LATER, Told, foreign};
use crate::db::{Run, values};
use crate::jobs::{self, End, Held, Start};
use crate::process::{Active, Process};
use crate::workers::failpoint;

/// Runs a job that River handed out: one attempt, or its split into parts.
pub(super) async fn run(
    process: &Arc<Process>,
    context: &WorkContext,
    job: &riverqueue::Job<Run>,
) -> Told {
    let id = job.args.job;
    let mut held = match begun(process, id, jobs::start(process, id).await).await {
        Ok(held) => held,
        Err(told) => return told,
    };
    failpoint("job.started");
    let span =
        tracing::info_span!("job", job = %id, attempt = held.record.attempts, class = %held.class);
    attempt(process, context, &mut held).instrument(span).await
}

/// The job, if it is for this worker to work on now; otherwise what River is told instead.
pub(super) async fn begun(
    process: &Process,
    job: JobId,
    start: Result<Start>,
) -> Result<Held, Told> {
    match start {
        Ok(Start::Go(held)) => Ok(*held),
        Ok(Start::Nothing) => Err(Ok(WorkOutcome::Complete)),
        Ok(Start::Foreign) => Err(Ok(foreign())),
        Ok(Start::Held) => Err(Ok(WorkOutcome::Snooze(LATER))),
        Err(error) => Err(unreadable(process, job, &error).await),
    }
}

/// What an attempt came to.
enum Made {
    Whole(Box<Finished>),
    Parts(Vec<PartSpec>),
}

async fn attempt(process: &Arc<Process>, context: &WorkContext, held: &mut Held) -> Told {
    let working = Working::begin(process, held.river, context);
    let (observer, mut scribe) = Scribe::new();
    let attempt = Attempt::new(held.record.spec.clone(), working.stop.clone(), observer)
        .fenced(held.record.id.to_string(), u64::try_from(held.fence).unwrap_or_default())
        .recalling(Arc::new(Recollection(Arc::clone(process))));
    let work = isolated(make(Arc::clone(process), held.clone(), attempt));
    let (fence, river, class) = (held.fence, held.river, held.class.clone());
    let write = |record, _, events| {
        let held = Held { record, fence, river, class: class.clone() };
        async move { jobs::progress(process, &held, events).await }
    };
    let made = scribe.during(process, &mut held.record, &working.stop, work, write).await;
    let mut events = scribe.rest(&mut held.record, process);
    match made {
        Ok(Made::Whole(made)) => {
            events.extend(held.record.succeeded(*made, process.now()));
            ended(process, held, events, End::Complete).await
        }
        Ok(Made::Parts(parts)) => {
            let (held, parts) = (&*held, &parts);
            let split = process.db.patiently(move || jobs::split(process, held, parts)).await;
            told(split, WorkOutcome::Complete)
        }
        Err(error) => failed(process, held, &error, events).await,
    }
}

async fn make(process: Arc<Process>, held: Held, attempt: Attempt) -> Result<Made> {
    let executor = &process.executor;
    let parts = executor.split(&attempt).await?;
    if !parts.is_empty() {
        return Ok(Made::Parts(parts));
    }
    let mut made = executor.attempt(&attempt).await?;
    failpoint("job.made");
    publish(&process, &held, &attempt, &mut made).await?;
    failpoint("job.published");
    Ok(Made::Whole(Box::new(made)))
}

/// Publishes what was made, if the attempt still counts and nobody has asked for its end.
pub(super) async fn publish(
    process: &Process,
    held: &Held,
    attempt: &Attempt,
    made: &mut Finished,
) -> Result<()> {
    let asked = process.db.patiently(move || jobs::asked(process, held)).await?;
    if asked || attempt.cancel.is_cancelled() {
        return Err(Error::cancelled());
    }
    failpoint("publish.asked");
    made.publish().await
}

/// Writes the end of a job.
pub(super) async fn ended(
    process: &Arc<Process>,
    held: &Held,
    events: Vec<Event>,
    river: End,
) -> Told {
    let outcome = match held.record.state {
        JobState::Cancelled => WorkOutcome::Cancel,
        JobState::Failed if river == End::Elsewhere => WorkOutcome::Discard,
        _ => WorkOutcome::Complete,
    };
    let events = &events;
    let ended = process.db.patiently(move || jobs::end(process, held, events.clone(), river)).await;
    told(ended, outcome)
}

/// Decides what follows a failed attempt, and writes it.
pub(super) async fn failed(
    process: &Arc<Process>,
    held: &mut Held,
    error: &Error,
    mut events: Vec<Event>,
) -> Told {
    let asked = {
        let held = &*held;
        process.db.patiently(move || jobs::asked(process, held)).await
    };
    match asked {
        Ok(asked) => held.record.cancelled = asked,
        Err(error) => return told(Err(error), WorkOutcome::Complete),
    }
    if error.kind() == ErrorKind::Cancelled && !held.record.cancelled {
        if process.halting() {
            let (held, events) = (&*held, &events);
            let back =
                process.db.patiently(move || jobs::give_back(process, held, events.clone())).await;
            // River makes it available again when it hears that the work was interrupted.
            return told(back, WorkOutcome::Complete).and(Err(WorkCancelled));
        }
        // Cancelled through River itself: an operator in River UI.
        held.record.cancelled = true;
    }
    tracing::warn!(%error, "an attempt failed");
    match held.record.failed(error, process.executor.retry()) {
        Next::Retry(wait) => {
            let (held, events, due) = (&*held, &events, process.now().plus(wait));
            let back =
                process.db.patiently(move || jobs::retry(process, held, due, events.clone())).await;
            told(back, WorkOutcome::Snooze(wait))
        }
        Next::End(state) => {
            events.extend(held.record.end(state, None, process.now()));
            ended(process, held, events, End::Elsewhere).await
        }
    }
}

/// What River is told after something was written, or could not be.
pub(super) fn told(written: Result<()>, outcome: WorkOutcome) -> Told {
    match written {
        Ok(()) => Ok(outcome),
        Err(error) if error.code() == "queue.fenced" => {
            tracing::warn!(%error, "this attempt does not count any more");
            Ok(WorkOutcome::Complete)
        }
        Err(error) => {
            tracing::error!(%error, "the end of an attempt could not be written; it is done again later");
            Ok(WorkOutcome::Snooze(LATER))
        }
    }
}

/// A job whose row can not be read fails; anything else that is in the way of a start may pass.
pub(super) async fn unreadable(process: &Process, job: JobId, error: &Error) -> Told {
    if error.code() != "queue.corrupt_row" {
        tracing::warn!(%job, %error, "a job could not be started; trying again");
        return Ok(WorkOutcome::Snooze(LATER));
    }
    let fail = async || {
        let mut transaction = process.db.begin().await?;
        let ended =
            jobs::fail_by_name(process, &mut transaction.tx(), job, JobState::Failed, error)
                .await?;
        transaction.commit().await?;
        process.settled(ended.unwrap_or_default());
        Ok(())
    };
    told(fail().await, WorkOutcome::Discard)
}

/// Runs work in a task of its own, so that a panic in it ends the attempt and not the engine.
pub(super) async fn isolated<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let task = tokio::spawn(work.instrument(tracing::Span::current()));
    AbortOnDropHandle::new(task).await.unwrap_or_else(|e| {
        Err(Error::internal("job.panicked", "the job panicked")
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
        process.active().insert(river, Active { stop: stop.clone() });
        Self { process, river, stop }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.process.active().remove(&self.river);
    }
}

/// Remembers outputs by what they were made from and how.
pub(super) struct Recollection(pub(super) Arc<Process>);

#[async_trait]
impl Recall for Recollection {
    async fn recall(&self, key: &str) -> Result<Option<OutputReport>> {
        let find = "SELECT report FROM mediaflow_outputs WHERE content_key = $1 LIMIT 1";
        let row = self.0.db.row(find, values![key]).await?;
        row.map(|row| row.json("report")).transpose()
    }
}

impl fmt::Debug for Recollection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recollection").finish_non_exhaustive()
    }
}
