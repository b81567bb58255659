use std::collections::HashMap;

use mediaflow_core::event::EventData;
use mediaflow_core::report::JobState;
use mediaflow_core::{EventKind, JobId, Result, Timestamp};
use sqlx::AssertSqlSafe;

use super::lock::update_in_order;
use super::park::park;
use super::row::{COLUMNS, ClaimedJob, needs_of};
use crate::db::{GroupCommit, Row, Tx, values};
use crate::events;
use crate::failpoint::failpoint;
use crate::process::Process;

/// What to do with a job that River handed out.
#[derive(Debug)]
pub(crate) enum Start {
    /// Work on it.
    Go(Box<ClaimedJob>),
    /// Nothing is left to do here: it has ended, waits for its parts, or is parked for a worker that knows more.
    Nothing,
    /// Somebody else holds it at this moment.
    Busy,
}

/// Begins to put the parts of a job together, with a new token.
pub(crate) async fn start_assembly(process: &Process, job: JobId) -> Result<Start> {
    let starts = begin(process, &[job], true).await?;
    Ok(starts.into_iter().next().unwrap_or(Start::Nothing))
}

/// An attempt that is to begin.
#[derive(Debug)]
pub(super) struct NewAttempt(pub(super) JobId);

impl GroupCommit for NewAttempt {
    type Context = Process;
    type Done = Start;

    async fn commit(process: &Process, items: &[Self]) -> Result<Vec<Start>> {
        begin(process, &items.iter().map(|item| item.0).collect::<Vec<_>>(), false).await
    }
}

async fn begin(process: &Process, jobs: &[JobId], assembly: bool) -> Result<Vec<Start>> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let (now, mut events) = (process.now(), Vec::new());
    let mut taken = take(process, &mut tx, jobs, assembly, now).await?;
    let (mut starts, mut unknown) = (Vec::with_capacity(jobs.len()), Vec::new());
    for job in jobs {
        let Some(row) = taken.remove(&job.to_string()) else {
            starts.push(missed(&mut tx, *job, assembly).await?);
            continue;
        };
        let needs = needs_of(&row)?;
        if !process.executor.knows(&needs) {
            unknown.push((*job, needs, row.opt_text("taken")?));
            starts.push(Start::Nothing);
            continue;
        }
        let mut claimed = ClaimedJob::read(&row)?;
        claimed.record.state = JobState::Running;
        if !assembly && claimed.record.checkpoint.is_none() {
            events.push(claimed.record.event(EventKind::JobStarted, now, EventData::None));
        }
        starts.push(Start::Go(Box::new(claimed)));
    }
    let queues = park(process, &mut tx, &unknown, !assembly).await?;
    failpoint(if assembly { "assembly.row" } else { "start.row" });
    events::record(process, &mut tx, &events).await?;
    transaction.commit().await?;
    process.committed(events);
    process.all_queued(&queues);
    Ok(starts)
}

/// Takes those that are ready. Gives their rows by their names.
async fn take(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    jobs: &[JobId],
    assembly: bool,
    now: Timestamp,
) -> Result<HashMap<String, Row>> {
    let (ready, counted) = if assembly {
        ("state = 'running' AND parts_left = 0 AND worker IS NULL", "")
    } else {
        ("state = 'queued'", "attempts = attempts + 1, started_at = column3, ")
    };
    let mut rows = Vec::with_capacity(jobs.len() * 3);
    jobs.iter().for_each(|job| rows.extend_from_slice(values![*job, &process.id, now]));
    let set = format!("{counted}state = 'running', fence = fence + 1, worker = column2");
    let and = format!("{ready} RETURNING {COLUMNS}");
    let take = update_in_order(tx, &set, (jobs.len(), 3), &and);
    let taken = tx.rows(AssertSqlSafe(take), &rows).await?;
    taken.into_iter().map(|row| Ok((row.text("id")?, row))).collect()
}

/// What is to be done about a job that was not ready.
async fn missed(tx: &mut Tx<'_, '_>, job: JobId, assembly: bool) -> Result<Start> {
    let find = "SELECT state, parts_left FROM mediaflow_jobs WHERE id = $1";
    let Some(found) = tx.row(find, values![job]).await? else { return Ok(Start::Nothing) };
    let running = found.text("state")? == "running";
    let waits_for_parts = found.opt_int("parts_left")?.is_some() && !assembly;
    Ok(if running && !waits_for_parts { Start::Busy } else { Start::Nothing })
}
