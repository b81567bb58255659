use std::collections::HashMap;

use mediaflow_core::event::EventData;
use mediaflow_core::report::JobState;
use mediaflow_core::{Event, EventKind, JobId, Result, Timestamp};
use sqlx::AssertSqlSafe;

use super::lock::update_in_order;
use super::park::park;
use super::row::{COLUMNS, ClaimedJob, needs_of};
use crate::db::{Row, Tx, values};
use crate::events;
use crate::failpoint::failpoint;
use crate::process::{Process, Queued};

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
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let begun = begin(process, &mut tx, &[job], true).await?;
    events::record(process, &mut tx, &begun.events).await?;
    transaction.commit().await?;
    process.committed(begun.events);
    process.all_queued(&begun.queues);
    Ok(begun.starts.into_iter().next().unwrap_or(Start::Nothing))
}

/// Attempts that have begun, and what follows from that once it is committed.
pub(super) struct Begun {
    /// For each job in its order.
    pub(super) starts: Vec<Start>,
    pub(super) events: Vec<Event>,
    pub(super) queues: Queued,
}

/// Begins attempts, or to put the parts of jobs together, in a transaction that may do more, and that stores the events.
pub(super) async fn begin(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    jobs: &[JobId],
    assembly: bool,
) -> Result<Begun> {
    let (now, mut events) = (process.now(), Vec::new());
    let mut taken = take(process, tx, jobs, assembly, now).await?;
    let (mut starts, mut unknown) = (Vec::with_capacity(jobs.len()), Vec::new());
    for job in jobs {
        let Some(row) = taken.remove(&job.to_string()) else {
            starts.push(missed(tx, *job, assembly).await?);
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
    let queues = park(process, tx, &unknown, !assembly).await?;
    failpoint(if assembly { "assembly.row" } else { "start.row" });
    Ok(Begun { starts, events, queues })
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
