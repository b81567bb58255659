use std::sync::Arc;

use mediaflow_core::engine::Next;
use mediaflow_core::executor::{Attempt, PartResult, PartSpec};
use mediaflow_core::report::JobState;
use mediaflow_core::{Error, ErrorKind, Event, Result};
use riverqueue::{WorkCancelled, WorkContext, WorkOutcome};
use tracing::Instrument as _;

use super::Told;
use super::attempt::{Recollection, Working, isolated, told, unreadable};
use super::scribe::Scribe;
use crate::db::Part;
use crate::home::Home;
use crate::jobs::{self, PartRow};
use crate::workers::failpoint;

/// Makes a part that River handed out.
pub(super) async fn run(
    home: &Arc<Home>,
    context: &WorkContext,
    job: &riverqueue::Job<Part>,
) -> Told {
    let (id, number) = (job.args.job, job.args.part);
    let part = match jobs::start_part(home, id, number).await {
        Ok(Some(part)) => part,
        Ok(None) => return Ok(WorkOutcome::Complete),
        Err(error) => return unreadable(home, id, &error).await,
    };
    failpoint("part.started");
    let span = tracing::info_span!("part", job = %id, part = number, attempt = part.attempts);
    attempt(home, context, &part).instrument(span).await
}

async fn attempt(home: &Arc<Home>, context: &WorkContext, part: &PartRow) -> Told {
    let working = Working::begin(home, part.river, context);
    let (observer, mut scribe) = Scribe::new();
    let attempt = Attempt::new(part.job.record.spec.clone(), working.stop.clone(), observer)
        .fenced(part.job.record.id.to_string(), u64::try_from(part.fence).unwrap_or_default())
        .recalling(Arc::new(Recollection(Arc::clone(home))));
    let work = isolated(make(Arc::clone(home), attempt, part.spec.clone()));
    // The job's own progress comes from all parts: what one says of itself is no progress of the job.
    let mut record = part.job.record.clone();
    record.progress = 1.0;
    let write = |_, done: Option<f32>, events| async move {
        jobs::part_progress(home, part, done.unwrap_or(0.0), events).await
    };
    let made = scribe.during(home, &mut record, &working.stop, work, write).await;
    let events = scribe.rest(&mut record, home);
    match made {
        Ok(made) => {
            let (made, events) = (&made, &events);
            let done =
                home.db.patiently(move || jobs::part_done(home, part, made, events.clone())).await;
            told(done, WorkOutcome::Complete)
        }
        Err(error) => failed(home, part, &error, &events).await,
    }
}

async fn make(home: Arc<Home>, attempt: Attempt, part: PartSpec) -> Result<PartResult> {
    let made = home.executor.part(&attempt, &part).await?;
    failpoint("part.made");
    Ok(made.detach())
}

async fn failed(home: &Home, part: &PartRow, error: &Error, events: &[Event]) -> Told {
    let mut record = part.job.record.clone();
    record.attempts = part.attempts;
    if error.kind() == ErrorKind::Cancelled {
        if home.halting() {
            let back = home.db.patiently(move || jobs::part_retry(home, part, false, None)).await;
            return told(back, WorkOutcome::Complete).and(Err(WorkCancelled));
        }
        // The job was cancelled, or another part has ended it.
        record.cancelled = true;
    }
    tracing::warn!(%error, "an attempt at a part failed");
    match record.failed(error, home.executor.retry()) {
        Next::Retry(wait) => {
            let back =
                home.db.patiently(move || jobs::part_retry(home, part, true, Some(error))).await;
            told(back, WorkOutcome::Snooze(wait))
        }
        Next::End(state) => {
            let ended = home
                .db
                .patiently(move || jobs::part_failed(home, part, state, error, events.to_vec()))
                .await;
            clear(home, part).await;
            let outcome = match state {
                JobState::Cancelled => WorkOutcome::Cancel,
                _ => WorkOutcome::Discard,
            };
            told(ended, outcome)
        }
    }
}

/// Discards what the parts of a job that will not be assembled have staged.
async fn clear(home: &Home, part: &PartRow) {
    let job = part.job.record.id;
    match jobs::parts_of(home, job).await {
        Ok(parts) => home.executor.discard(&job.to_string(), parts).await,
        Err(error) => tracing::warn!(%error, "what was staged could not be discarded"),
    }
}
