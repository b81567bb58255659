use std::sync::Arc;

use mediaflow_core::engine::Next;
use mediaflow_core::executor::{Attempt, PartResult, PartSpec};
use mediaflow_core::report::JobState;
use mediaflow_core::{Error, ErrorKind, Event, Failure, Result, codes};
use riverqueue::{WorkCancelled, WorkContext, WorkOutcome};
use tracing::Instrument as _;

use super::attempt::{Earlier, Working, isolated, unreadable};
use super::outcome::{Outcome, outcome, put_back};
use super::progress::ProgressWriter;
use crate::db::PartTask;
use crate::failpoint::failpoint;
use crate::jobs::{self, ClaimedPart, Jobs};
use crate::process::Process;

/// Makes a part that River handed out.
pub(super) async fn run(
    jobs: &Jobs,
    context: &WorkContext,
    job: &riverqueue::Job<PartTask>,
) -> Outcome {
    let process = &jobs.process;
    let (id, number) = (job.args.job, job.args.part);
    let part = match jobs::start_part(process, id, number).await {
        Ok(Some(part)) => part,
        Ok(None) => return Ok(WorkOutcome::Complete),
        Err(error) => return unreadable(process, id, &error).await,
    };
    failpoint("part.started");
    let span = tracing::info_span!("part", job = %id, part = number, attempt = part.attempts);
    attempt(process, context, &part).instrument(span).await
}

async fn attempt(process: &Arc<Process>, context: &WorkContext, part: &ClaimedPart) -> Outcome {
    let working = Working::begin(process, part.river, context);
    let (observer, mut writer) = ProgressWriter::new();
    let attempt = Attempt::new(part.job.record.spec.clone(), working.stop.clone(), observer)
        .fenced(part.job.record.id.to_string(), u64::try_from(part.fence).unwrap_or_default())
        .recalling(Earlier::than(process, &part.job))
        .following(Earlier::than(process, &part.job));
    let work = isolated(make(Arc::clone(process), attempt, part.spec.clone()));
    // The job's own progress comes from all parts: what one says of itself is no progress of the job.
    let mut record = part.job.record.clone();
    record.progress = 1.0;
    let write = |_, done: Option<f32>, events| async move {
        jobs::part_progress(process, part, done.unwrap_or(0.0), events).await
    };
    let made = writer.during(process, &mut record, &working.stop, work, write).await;
    let events = writer.rest(&mut record, process);
    match made {
        Ok(made) => {
            let (made, events) = (&made, &events);
            let done = process
                .patiently(move || jobs::part_done(process, part, made, events.clone()))
                .await;
            match &done {
                Ok(true) => {}
                // Whoever has ended the job has discarded what was staged before.
                Ok(false) => superseded(process, part).await,
                Err(error) if error.code() == codes::QUEUE_FENCED => {
                    superseded(process, part).await;
                }
                Err(_) => {}
            }
            outcome(done.map(drop), WorkOutcome::Complete)
        }
        Err(error) => failed(process, part, &error, events).await,
    }
}

async fn make(process: Arc<Process>, attempt: Attempt, part: PartSpec) -> Result<PartResult> {
    let made = process.executor.part(&attempt, &part).await?;
    failpoint("part.made");
    Ok(made.detach())
}

async fn failed(
    process: &Process,
    part: &ClaimedPart,
    error: &Error,
    mut events: Vec<Event>,
) -> Outcome {
    let mut record = part.job.record.clone();
    record.attempts = part.attempts;
    if error.kind() == ErrorKind::Cancelled {
        if process.halting() {
            let events = &events;
            let back = process
                .patiently(move || jobs::part_retry(process, part, None, events.clone()))
                .await;
            return outcome(back.map(drop), WorkOutcome::Complete).and(Err(WorkCancelled));
        }
        // The job was cancelled, or another part has ended it.
        record.cancelled = true;
    }
    tracing::warn!(%error, "an attempt at a part failed");
    match record.failed(error, process.executor.retry()) {
        Next::Retry(wait) => {
            let (now, failure) = (process.now(), Failure::from(error));
            let due = now.plus(wait);
            events.push(record.retrying(failure.clone(), Some(part.spec.number), due, now));
            let (failed, events) = (Some((&failure, due)), &events);
            let back = process
                .patiently(move || jobs::part_retry(process, part, failed, events.clone()))
                .await;
            put_back(back, wait)
        }
        Next::End(state) => {
            let events = &events;
            let ended = process
                .patiently(move || jobs::part_failed(process, part, state, error, events.clone()))
                .await;
            match &ended {
                // The parts of a job that will not be assembled have staged for nobody. Finding them lists every storage,
                // which one of them does.
                Ok(true) => process.executor.discard([part.job.record.id]).await,
                _ => superseded(process, part).await,
            }
            let reached = match state {
                JobState::Cancelled => WorkOutcome::Cancel,
                _ => WorkOutcome::Discard,
            };
            outcome(ended.map(drop), reached)
        }
    }
}

/// Discards what an attempt has staged that does not count any more.
async fn superseded(process: &Process, part: &ClaimedPart) {
    let fence = u64::try_from(part.fence).unwrap_or_default();
    process.executor.discard_part(part.job.record.id, part.spec.number, fence).await;
}
