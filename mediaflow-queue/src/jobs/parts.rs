//! A job that was split: parts that any worker takes, and an assembly that runs when the last one is done.

use mediaflow_core::executor::{PartResult, PartSpec};
use mediaflow_core::report::JobState;
use mediaflow_core::{Error, Event, Failure, JobId, Result, Timestamp};
use sqlx::AssertSqlSafe;

use super::lock::lock;
use super::park::park_part;
use super::row::{COLUMNS, ClaimedJob, counts, needs_of};
use crate::db::{AssemblyTask, NewTask, PartTask, Tx, places, to_json, together, values};
use crate::events;
use crate::failpoint::{failpoint, lost_answer};
use crate::process::Process;

/// The share of a job's progress that its parts make; the rest is the assembly.
const PARTS: f32 = 0.95;

/// A part that this process holds, and its job.
#[derive(Clone, Debug)]
pub(crate) struct ClaimedPart {
    pub(crate) job: ClaimedJob,
    pub(crate) spec: PartSpec,
    pub(crate) fence: i64,
    pub(crate) attempts: u32,
    pub(crate) river: i64,
}

/// Replaces the run of a job by runs of its parts.
pub(crate) async fn split(
    process: &Process,
    claimed: &ClaimedJob,
    parts: &[PartSpec],
) -> Result<()> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let record = &claimed.record;
    let waits = tx
        .run(
            "UPDATE mediaflow_jobs SET parts_left = $3, worker = NULL WHERE id = $1 AND fence = $2 AND ended_at IS NULL",
            values![record.id, claimed.fence, parts.len() as i64],
        )
        .await?;
    counts(waits, record.id)?;
    let queue = claimed.queue(process);
    let (job, priority) = (record.id, record.spec.options.priority);
    let task =
        |part: &PartSpec| NewTask::new(&PartTask { job, part: part.number }, &queue, priority);
    let tasks = parts.iter().map(task).collect::<Result<Vec<_>>>()?;
    let rivers = tx.enqueue_many(&process.db, &tasks).await?;
    let mut rows = Vec::with_capacity(parts.len() * 5);
    for (part, river) in parts.iter().zip(rivers) {
        let input = to_json(&part.input)?;
        rows.extend_from_slice(values![job, part.number, river, "queued", input]);
    }
    for rows in together(&rows, 5) {
        let insert = format!(
            "INSERT INTO mediaflow_parts (job, number, river, state, input) VALUES {}",
            places(rows.len() / 5, 5)
        );
        tx.run(AssertSqlSafe(insert), rows).await?;
    }
    tx.complete(&process.db, &[claimed.river]).await?;
    failpoint("split.rows");
    transaction.commit().await?;
    failpoint("split.commit");
    process.queued(&queue, parts.len());
    Ok(())
}

/// Begins an attempt at a part, with a new token. Gives nothing if it is done, nobody wants it any more, or it is parked for
/// a worker that knows more.
pub(crate) async fn start_part(
    process: &Process,
    job: JobId,
    part: u32,
) -> Result<Option<ClaimedPart>> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let find = format!(
        "SELECT {COLUMNS} FROM mediaflow_jobs WHERE id = $1 AND ended_at IS NULL AND cancelled = 0"
    );
    let Some(row) = tx.row(AssertSqlSafe(find), values![job]).await? else { return Ok(None) };
    let needs = needs_of(&row)?;
    if !process.executor.knows(&needs) {
        lock(&mut tx, job).await?;
        let parked = park_part(process, &mut tx, job, part, &needs).await?;
        tx.complete(&process.db, &parked.into_iter().collect::<Vec<_>>()).await?;
        let needs = needs.to_string();
        let keep = "UPDATE mediaflow_jobs SET needs = $2 WHERE id = $1 AND needs IS NULL";
        tx.run(keep, values![job, needs]).await?;
        transaction.commit().await?;
        return Ok(None);
    }
    let claimed = ClaimedJob::read(&row)?;
    let taken = tx
        .row(
            "UPDATE mediaflow_parts SET state = 'running', fence = fence + 1, attempts = attempts + 1, worker = $3
             WHERE job = $1 AND number = $2 AND state = 'queued' RETURNING river, input, fence, attempts",
            values![job, part, &process.id],
        )
        .await?;
    let Some(row) = taken else { return Ok(None) };
    let part = ClaimedPart {
        job: claimed,
        spec: PartSpec::new(part, row.json("input")?),
        fence: row.int("fence")?,
        attempts: u32::try_from(row.int("attempts")?).unwrap_or(u32::MAX),
        river: row.int("river")?,
    };
    transaction.commit().await?;
    Ok(Some(part))
}

/// Notes that a part is done. The last one queues the assembly, in the same transaction. Gives false if the job has ended
/// meanwhile, so that nobody will take up what the part has staged.
pub(crate) async fn part_done(
    process: &Process,
    part: &ClaimedPart,
    result: &PartResult,
    mut events: Vec<Event>,
) -> Result<bool> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let job = part.job.record.id;
    lock(&mut tx, job).await?;
    let done = tx
        .run(
            "UPDATE mediaflow_parts SET state = 'done', result = $4, progress = 1, worker = NULL
             WHERE job = $1 AND number = $2 AND fence = $3 AND state = 'running'",
            values![job, part.spec.number, part.fence, to_json(result)?],
        )
        .await?;
    counts(done, job)?;
    failpoint("part.row");
    let left = tx
        .row(
            "UPDATE mediaflow_jobs SET parts_left = parts_left - 1 WHERE id = $1 AND ended_at IS NULL RETURNING parts_left",
            values![job],
        )
        .await?;
    let (wanted, queue) = (left.is_some(), part.job.queue(process));
    let mut assembly = 0;
    if let Some(left) = left {
        events.extend(advance(process, &mut tx, part).await?);
        if left.int("parts_left")? == 0 {
            let priority = part.job.record.spec.options.priority;
            let task = NewTask::new(&AssemblyTask { job }, &queue, priority)?;
            let river = tx.enqueue(&process.db, task).await?;
            assembly = 1;
            tx.run("UPDATE mediaflow_jobs SET river = $2 WHERE id = $1", values![job, river])
                .await?;
        }
    }
    events::record(process, &mut tx, &events).await?;
    tx.complete(&process.db, &[part.river]).await?;
    failpoint("part.river");
    transaction.commit().await?;
    failpoint("part.commit");
    process.committed(events);
    process.queued(&queue, assembly);
    Ok(wanted)
}

/// The progress of a job is that of its parts.
async fn advance(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    part: &ClaimedPart,
) -> Result<Option<Event>> {
    let job = part.job.record.id;
    let mean = "SELECT avg(progress) AS done FROM mediaflow_parts WHERE job = $1";
    let Some(row) = tx.row(mean, values![job]).await? else { return Ok(None) };
    let mut record = part.job.record.clone();
    record.progress = 0.0;
    let event = record.advance(row.share("done")? * PARTS, process.now());
    let grown = tx
        .run(
            "UPDATE mediaflow_jobs SET progress = $2 WHERE id = $1 AND progress < $2",
            values![job, record.progress],
        )
        .await?;
    Ok(event.filter(|_| grown > 0))
}

/// Notes how far a part is. Gives false if the attempt does not count any more.
pub(crate) async fn part_progress(
    process: &Process,
    part: &ClaimedPart,
    done: f32,
    events: Vec<Event>,
) -> Result<bool> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    lock(&mut tx, part.job.record.id).await?;
    let counts = tx
        .run(
            "UPDATE mediaflow_parts SET progress = $4 WHERE job = $1 AND number = $2 AND fence = $3 AND state = 'running'",
            values![part.job.record.id, part.spec.number, part.fence, done],
        )
        .await?;
    if counts == 0 {
        return Ok(false);
    }
    let mut events = events;
    events.extend(advance(process, &mut tx, part).await?);
    events::record(process, &mut tx, &events).await?;
    transaction.commit().await?;
    lost_answer("progress.commit")?;
    process.committed(events);
    Ok(true)
}

/// Puts a part back into the queue: for another attempt at this time after one that failed, or as if the attempt had not been.
/// Gives false if that is left to River, as [`Tx::put_back`] says.
pub(crate) async fn part_retry(
    process: &Process,
    part: &ClaimedPart,
    failed: Option<(&Failure, Timestamp)>,
    events: Vec<Event>,
) -> Result<bool> {
    let attempts = part.attempts.saturating_sub(u32::from(failed.is_none()));
    let due = failed.map(|(_, due)| due).filter(|due| *due > process.now());
    let failure = failed.map(|(failure, _)| to_json(failure)).transpose()?;
    let (job, number) = (part.job.record.id, part.spec.number);
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let back =
        "UPDATE mediaflow_parts SET state = 'queued', worker = NULL, attempts = $4, failure = $5
                WHERE job = $1 AND number = $2 AND fence = $3 AND state = 'running'";
    counts(tx.run(back, values![job, number, part.fence, attempts, failure]).await?, job)?;
    events::record(process, &mut tx, &events).await?;
    let again = tx.put_back(&process.db, part.river, due).await?;
    if let Some(river) = again {
        let follow = "UPDATE mediaflow_parts SET river = $3 WHERE job = $1 AND number = $2";
        tx.run(follow, values![job, number, river]).await?;
    }
    transaction.commit().await?;
    process.committed(events);
    Ok(again.is_some())
}

/// Ends a job because one of its parts can not be made, or was cancelled. Gives false if it had ended already.
pub(crate) async fn part_failed(
    process: &Process,
    part: &ClaimedPart,
    state: JobState,
    error: &Error,
    events: Vec<Event>,
) -> Result<bool> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let job = part.job.record.id;
    lock(&mut tx, job).await?;
    let failed = tx
        .run(
            "UPDATE mediaflow_parts SET state = 'failed', worker = NULL
             WHERE job = $1 AND number = $2 AND fence = $3 AND state = 'running'",
            values![job, part.spec.number, part.fence],
        )
        .await?;
    counts(failed, job)?;
    events::record(process, &mut tx, &events).await?;
    let others = stop(process, &mut tx, job).await?;
    let ended = super::fail_by_name(process, &mut tx, job, state, error).await?;
    transaction.commit().await?;
    let has_ended = ended.is_some();
    process.committed(events);
    ended.unwrap_or_default().tell(process);
    others.into_iter().for_each(|river| process.stop(river));
    Ok(has_ended)
}

/// Cancels the parts that are not done. Gives River's numbers of those that may be running.
pub(crate) async fn stop(process: &Process, tx: &mut Tx<'_, '_>, job: JobId) -> Result<Vec<i64>> {
    let find =
        "SELECT river, state FROM mediaflow_parts WHERE job = $1 AND state IN ('queued', 'running')
                ORDER BY number";
    let waiting_or_running = tx.rows(find, values![job]).await?;
    let end = "UPDATE mediaflow_parts SET state = 'cancelled', parked = NULL
               WHERE job = $1 AND state IN ('queued', 'parked')";
    tx.run(end, values![job]).await?;
    let mut stopped = Vec::new();
    for row in waiting_or_running {
        let river = row.int("river")?;
        tx.cancel(&process.river, river).await?;
        if row.text("state")? == "running" {
            stopped.push(river);
        }
    }
    Ok(stopped)
}

/// What the parts of a job have made, in their order.
pub(crate) async fn results(process: &Process, job: JobId) -> Result<Vec<PartResult>> {
    let find = "SELECT result FROM mediaflow_parts WHERE job = $1 ORDER BY number";
    let rows = process.db.rows(find, values![job]).await?;
    rows.iter().map(|row| row.json("result")).collect()
}

/// Makes a part again whose results were lost, and lets the assembly wait for it.
pub(crate) async fn remake(process: &Process, claimed: &ClaimedJob, part: u32) -> Result<()> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let (record, queue) = (&claimed.record, claimed.queue(process));
    lock(&mut tx, record.id).await?;
    let args = PartTask { job: record.id, part };
    let task = NewTask::new(&args, &queue, record.spec.options.priority)?;
    let river = tx.enqueue(&process.db, task).await?;
    tx.run(
        "UPDATE mediaflow_parts SET state = 'queued', river = $3, result = NULL, progress = 0 WHERE job = $1 AND number = $2",
        values![record.id, part, river],
    )
    .await?;
    let waits = tx
        .run(
            "UPDATE mediaflow_jobs SET parts_left = 1, worker = NULL WHERE id = $1 AND fence = $2 AND ended_at IS NULL",
            values![record.id, claimed.fence],
        )
        .await?;
    counts(waits, record.id)?;
    tx.complete(&process.db, &[claimed.river]).await?;
    transaction.commit().await?;
    process.queued(&queue, 1);
    Ok(())
}
