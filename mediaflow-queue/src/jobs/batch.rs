//! Batches that are too large for one transaction: they are written a part at a time, and let go a part at a time.
//!
//! While a batch is being written, its row among the open ones says so; its jobs are held, and nobody hears of them. The last
//! part makes it whole: before that it is as if nothing had been submitted, and what a process leaves that ends meanwhile is
//! deleted again. Then its jobs are let go in their order, by the process that has submitted them, or by a worker if that
//! one is gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::engine::{Record, Submission, Submitted};
use mediaflow_core::event::EventData;
use mediaflow_core::spec::JobSpec;
use mediaflow_core::{BatchId, Error, Event, EventKind, JobId, Result, codes};
use sqlx::AssertSqlSafe;

use super::after::settle_in;
use super::ready::{Left, names};
use super::submit::{Together, list, take};
use crate::db::{Row, places, through_conflicts, to_json, together, values};
use crate::events;
use crate::failpoint::failpoint;
use crate::process::Process;

/// How many jobs one transaction writes or lets go, and how many bytes their specs may have: with all that belongs to them, and
/// the copies that a server makes of pages, they stay below a megabyte.
const JOBS: usize = 128;
const BYTES: usize = 128 << 10;

/// How long nothing was done for a whole batch before any worker goes on with it, and how many leases for one that is not
/// before it is deleted.
const LEFT: Duration = Duration::from_secs(2);
const LEASES: u32 = 5;

/// Finds those that somebody has left.
pub(crate) fn batches_left(process: &Process) -> String {
    format!("SELECT batch, whole FROM mediaflow_open_batches WHERE {}", is_left(process))
}

/// Whether an open batch was left.
fn is_left(process: &Process) -> String {
    let (whole, others) = (LEFT.as_millis(), (process.settings.lease * LEASES).as_millis());
    let clock = process.db.clock();
    format!("touched_at <= {clock} - CASE WHEN whole = 1 THEN {whole} ELSE {others} END")
}

/// The parts in which a batch is written; nothing if one transaction is enough. Jobs with keys are written together: others
/// may submit the same ones at the same moment, and all or none are new.
pub(super) fn parts(submission: &Submission) -> Result<Option<Vec<&[JobSpec]>>> {
    let keyed = |spec: &JobSpec| spec.options.idempotency_key.is_some();
    if !submission.batch || submission.jobs.iter().any(keyed) {
        return Ok(None);
    }
    let (mut parts, mut rest) = (Vec::new(), &*submission.jobs);
    let sizes = rest.iter().map(|spec| to_json(spec).map(|spec| spec.len()));
    let sizes = sizes.collect::<Result<Vec<_>>>()?;
    let mut sizes = &*sizes;
    while !rest.is_empty() {
        let part = part_of(sizes);
        parts.push(&rest[..part]);
        (rest, sizes) = (&rest[part..], &sizes[part..]);
    }
    Ok(Some(parts).filter(|parts| parts.len() > 1))
}

/// How many of these, by their bytes, are one part: at least one.
fn part_of(sizes: &[usize]) -> usize {
    let mut sum = 0_usize;
    let fits = sizes.iter().take(JOBS).take_while(|bytes| {
        sum = sum.saturating_add(**bytes);
        sum <= BYTES
    });
    fits.count().max(1)
}

/// Takes a batch, all of it or nothing.
pub(super) async fn submit(
    process: &Arc<Process>,
    submission: &Submission,
    parts: &[&[JobSpec]],
) -> Result<Submitted> {
    let batch = BatchId::new();
    match write(process, submission, parts, batch).await {
        Ok(jobs) => {
            tokio::spawn(let_go(Arc::clone(process), batch));
            Ok(Submitted::new(jobs, Some(batch)))
        }
        Err(error) => {
            if let Err(left) = delete(process, batch).await {
                tracing::debug!(%batch, error = %left, "what was written of a batch is deleted later");
            }
            Err(error)
        }
    }
}

async fn write(
    process: &Process,
    submission: &Submission,
    parts: &[&[JobSpec]],
    batch: BatchId,
) -> Result<Vec<JobId>> {
    let mut jobs = Vec::with_capacity(submission.jobs.len());
    for part in parts {
        let (from, whole) = (jobs.len(), jobs.len() + part.len() == submission.jobs.len());
        let write = move || write_part(process, submission, part, batch, (from, whole));
        jobs.extend(through_conflicts(write).await?);
        failpoint("batch.part");
    }
    Ok(jobs)
}

/// Writes the jobs of a batch from a place on, and makes it whole if they are the last.
async fn write_part(
    process: &Process,
    submission: &Submission,
    part: &[JobSpec],
    batch: BatchId,
    (from, whole): (usize, bool),
) -> Result<Vec<JobId>> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let (now, clock) = (process.now(), process.db.clock());
    if from == 0 {
        let options = part.first().map(|first| &first.options);
        let (options, jobs) = (to_json(&options)?, submission.jobs.len() as i64);
        tx.run(
            "INSERT INTO mediaflow_batches (id, options, jobs_left, created_at) VALUES ($1, $2, $3, $4)",
            values![batch, options, jobs, now],
        )
        .await?;
        let open = format!(
            "INSERT INTO mediaflow_open_batches (batch, whole, touched_at) VALUES ($1, $2, {clock})"
        );
        tx.run(AssertSqlSafe(open), values![batch, whole]).await?;
    } else {
        let go_on = format!(
            "UPDATE mediaflow_open_batches SET whole = $2, touched_at = {clock} WHERE batch = $1 AND whole = 0"
        );
        if tx.run(AssertSqlSafe(go_on), values![batch, whole]).await? == 0 {
            return Err(Error::transient(
                codes::QUEUE_UNAVAILABLE,
                "the batch took too long to be written, and was given up",
            )
            .help("submit it again; nothing of it is stored"));
        }
    }
    let together = Together { batch: Some(batch), now, later: false, held: true };
    // Its events are written when it is let go.
    let jobs = take(process, &mut tx, part.iter(), &together, &mut Vec::new()).await?;
    let jobs: Vec<_> = jobs.into_iter().map(|(job, _)| job).collect();
    list(&mut tx, batch, from, &jobs).await?;
    transaction.commit().await?;
    Ok(jobs)
}

/// Lets go all of a batch, unless something is in the way: workers go on then.
async fn let_go(process: Arc<Process>, batch: BatchId) {
    loop {
        match release(&process, batch).await {
            Ok(Left::More) => {}
            Ok(Left::Nothing | Left::Locked) => return,
            Err(error) => {
                tracing::debug!(%batch, %error, "the jobs of a batch are let go later");
                return;
            }
        }
    }
}

/// Lets the next part of a whole batch go.
async fn release(process: &Process, batch: BatchId) -> Result<Left> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let find = format!(
        "SELECT next, passed FROM mediaflow_open_batches WHERE batch = $1 AND whole = 1{}",
        process.db.skip_locked()
    );
    // Somebody else does it, or has done it.
    let Some(row) = tx.row(AssertSqlSafe(find), values![batch]).await? else {
        return Ok(Left::Nothing);
    };
    let (next, passed) = (row.int("next")?, row.int("passed")? != 0);
    let page = format!(
        "SELECT b.position, b.job, j.held, CAST(length(j.spec) AS BIGINT) AS bytes
         FROM mediaflow_batch_jobs b JOIN mediaflow_jobs j ON j.id = b.job
         WHERE b.batch = $1 AND b.position >= $2 ORDER BY b.position LIMIT {JOBS}"
    );
    let rows = tx.rows(AssertSqlSafe(page), values![batch, next]).await?;
    if rows.is_empty() {
        // What somebody had locked is looked at again.
        let over = match passed {
            true => "UPDATE mediaflow_open_batches SET next = 0, passed = 0 WHERE batch = $1",
            false => "DELETE FROM mediaflow_open_batches WHERE batch = $1",
        };
        tx.run(over, values![batch]).await?;
        transaction.commit().await?;
        return Ok(if passed { Left::Locked } else { Left::Nothing });
    }
    let size = |row: &Row| row.int("bytes").map(|bytes| usize::try_from(bytes).unwrap_or(BYTES));
    let sizes = rows.iter().map(size).collect::<Result<Vec<_>>>()?;
    let rows = &rows[..part_of(&sizes)];
    // Those that were let go before may be at work, and are left alone.
    let held = |row: &&Row| row.opt_text("held").is_ok_and(|held| held.as_deref() == Some("batch"));
    let jobs = rows.iter().filter(held).map(|row| row.parsed("job"));
    let jobs = jobs.collect::<Result<BTreeSet<JobId>>>()?;
    let behind = rows.last().map_or(Ok(next), |row| row.int("position"))? + 1;
    let mut events = Vec::new();
    let note = |job, row: &Row| events.extend(created(process, job, batch, row));
    let settled = settle_in(process, &mut tx, &jobs, "batch", note).await?;
    events::record(process, &mut tx, &events).await?;
    let go_on = format!(
        "UPDATE mediaflow_open_batches SET next = $2, passed = $3, touched_at = {} WHERE batch = $1",
        process.db.clock()
    );
    let passed = passed || settled.left == Left::Locked;
    tx.run(AssertSqlSafe(go_on), values![batch, behind, passed]).await?;
    transaction.commit().await?;
    failpoint("batch.released");
    process.committed(events);
    process.all_queued(&settled.queues);
    Ok(Left::More)
}

/// The event of a job that is held with its batch. One that can not be read here is told of by whoever starts the job.
pub(super) fn created(process: &Process, job: JobId, batch: BatchId, row: &Row) -> Option<Event> {
    let now = process.now();
    let mut record = Record::new(row.json("spec").ok()?, Some(batch), now);
    record.id = job;
    Some(record.event(EventKind::JobCreated, now, EventData::None))
}

/// Goes on with batches that others have left: lets go what is whole, beside what else the worker does, and deletes what is
/// not.
pub(crate) async fn go_on_with_batches(process: &Arc<Process>) -> Result<()> {
    for row in process.db.rows(AssertSqlSafe(batches_left(process)), &[]).await? {
        let batch = row.parsed("batch")?;
        if row.int("whole")? == 1 {
            let is_left = is_left(process);
            let mine = format!(
                "UPDATE mediaflow_open_batches SET touched_at = {} WHERE batch IN (
                     SELECT batch FROM mediaflow_open_batches WHERE batch = $1 AND {is_left}{})",
                process.db.clock(),
                process.db.skip_locked()
            );
            // Every worker finds it; one lets it go.
            if process.db.run(AssertSqlSafe(mine), values![batch]).await? == 1 {
                tokio::spawn(let_go(Arc::clone(process), batch));
            }
            continue;
        }
        tracing::warn!(%batch, "a batch was not submitted to its end: what was written of it is deleted");
        if let Err(error) = delete(process, batch).await {
            // Others, and what else waits, are not to wait for this one.
            tracing::warn!(%batch, %error, "a batch could not be deleted; trying again");
        }
    }
    Ok(())
}

/// Deletes what was written of a batch, unless it is whole.
async fn delete(process: &Process, batch: BatchId) -> Result<()> {
    let give_up = "UPDATE mediaflow_open_batches SET whole = -1 WHERE batch = $1 AND whole <> 1";
    if process.db.run(give_up, values![batch]).await? == 0 {
        return Ok(());
    }
    let find = format!(
        "SELECT position, job FROM mediaflow_batch_jobs WHERE batch = $1 ORDER BY position LIMIT {JOBS}"
    );
    loop {
        let mut transaction = process.db.begin().await?;
        let mut tx = transaction.tx();
        // Every worker finds it; one deletes.
        let mine = format!(
            "SELECT whole FROM mediaflow_open_batches WHERE batch = $1 AND whole = -1 {}",
            process.db.skip_locked()
        );
        if tx.row(AssertSqlSafe(mine), values![batch]).await?.is_none() {
            return Ok(());
        }
        let rows = tx.rows(AssertSqlSafe(find.clone()), values![batch]).await?;
        let jobs = rows.iter().map(|row| row.parsed("job")).collect::<Result<BTreeSet<JobId>>>()?;
        for jobs in together(&names(&jobs), 1) {
            // One that was cancelled has ended, and leaves as every other.
            let delete = format!(
                "DELETE FROM mediaflow_jobs WHERE id IN {} AND held = 'batch'",
                places(1, jobs.len())
            );
            tx.run(AssertSqlSafe(delete), jobs).await?;
        }
        if let Some(last) = rows.last() {
            let delete = "DELETE FROM mediaflow_batch_jobs WHERE batch = $1 AND position <= $2";
            tx.run(delete, values![batch, last.int("position")?]).await?;
        } else {
            tx.run("DELETE FROM mediaflow_batches WHERE id = $1", values![batch]).await?;
            tx.run("DELETE FROM mediaflow_open_batches WHERE batch = $1", values![batch]).await?;
        }
        transaction.commit().await?;
        if rows.is_empty() {
            return Ok(());
        }
    }
}
