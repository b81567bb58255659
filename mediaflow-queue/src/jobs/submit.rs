use std::collections::HashSet;

use mediaflow_core::engine::{Record, Submission, Submitted};
use mediaflow_core::event::EventData;
use mediaflow_core::report::JobState;
use mediaflow_core::spec::JobSpec;
use mediaflow_core::{BatchId, Error, Event, EventKind, JobId, Result, Timestamp};
use sqlx::AssertSqlSafe;

use crate::db::{
    GroupCommit, JobTask, Transaction, Tx, Value, class_of, classes, places, priority_of, to_json,
    values,
};
use crate::events;
use crate::failpoint::failpoint;
use crate::process::Process;

/// A job that is to be taken, by itself.
#[derive(Debug)]
pub(super) struct NewJob(pub(super) JobSpec);

impl GroupCommit for NewJob {
    type Context = Process;
    type Done = JobId;

    async fn commit(process: &Process, items: &[Self]) -> Result<Vec<JobId>> {
        let mut transaction = process.db.begin().await?;
        let mut tx = transaction.tx();
        let (now, mut events) = (process.now(), Vec::new());
        let specs = || items.iter().map(|Self(spec)| spec);
        let jobs = take(process, &mut tx, specs(), None, now, &mut events).await?;
        store(process, transaction, events, specs()).await?;
        Ok(jobs)
    }
}

/// Takes jobs that are submitted together, all or none.
pub(super) async fn several(process: &Process, submission: &Submission) -> Result<Submitted> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let (now, mut events) = (process.now(), Vec::new());
    let batch = submission.batch.then(BatchId::new);
    if let (Some(batch), Some(first)) = (batch, submission.jobs.first()) {
        tx.run(
            "INSERT INTO mediaflow_batches (id, options, jobs_left, created_at) VALUES ($1, $2, 0, $3)",
            values![batch, to_json(&first.options)?, now],
        )
        .await?;
    }
    let specs = || submission.jobs.iter();
    let jobs = take(process, &mut tx, specs(), batch, now, &mut events).await?;
    if let Some(batch) = batch {
        events.extend(fill(&mut tx, batch, &jobs, now).await?);
    }
    store(process, transaction, events, specs()).await?;
    Ok(Submitted::new(jobs, batch))
}

/// Stores what was taken, and tells of it.
async fn store<'s>(
    process: &Process,
    mut transaction: Transaction,
    events: Vec<Event>,
    specs: impl Iterator<Item = &'s JobSpec> + Clone,
) -> Result<()> {
    failpoint("submit.rows");
    events::record(process, &mut transaction.tx(), &events).await?;
    failpoint("submit.outbox");
    transaction.commit().await?;
    failpoint("submit.commit");
    process.committed(events);
    for class in classes() {
        if specs.clone().any(|spec| class_of(spec) == class) {
            process.wake(class);
        }
    }
    Ok(())
}

/// Takes a job within the host's transaction. Nobody is told before the host commits: the tail finds it then.
pub(crate) async fn submit_in(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    spec: JobSpec,
) -> Result<JobId> {
    let mut events = Vec::new();
    let jobs = take(process, tx, std::iter::once(&spec), None, process.now(), &mut events).await?;
    events::record(process, tx, &events).await?;
    jobs.first()
        .copied()
        .ok_or_else(|| Error::internal("engine.submit", "a submission gave no job"))
}

/// Takes jobs one after the other. What has no key is stored many at a time.
async fn take<'s>(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    specs: impl Iterator<Item = &'s JobSpec>,
    batch: Option<BatchId>,
    now: Timestamp,
    events: &mut Vec<Event>,
) -> Result<Vec<JobId>> {
    let (mut jobs, mut rows) = (Vec::new(), Vec::new());
    for spec in specs {
        let Some(key) = &spec.options.idempotency_key else {
            let (job, row) = enqueue(process, tx, spec, batch, now, events).await?;
            jobs.push(job);
            rows.extend(row);
            continue;
        };
        jobs.push(one(process, tx, spec, key, batch, now, events).await?);
    }
    for rows in rows.chunks(TOGETHER * COLUMNS) {
        tx.run(AssertSqlSafe(insert(rows)), rows).await?;
    }
    Ok(jobs)
}

/// Takes a job that has a key.
async fn one(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    spec: &JobSpec,
    key: &str,
    batch: Option<BatchId>,
    now: Timestamp,
    events: &mut Vec<Event>,
) -> Result<JobId> {
    if let Some(known) = known(tx, key, now).await? {
        return Ok(known);
    }
    let (job, row) = enqueue(process, tx, spec, batch, now, events).await?;
    let unless = "ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING";
    let stored = tx.run(AssertSqlSafe(format!("{} {unless}", insert(&row))), &row).await?;
    if stored == 0
        && let Some(known) = known(tx, key, now).await?
    {
        // Somebody else was first, a moment ago.
        let [_, river, ..] = row;
        tx.delete_task(&process.db, river).await?;
        events.pop();
        return Ok(known);
    }
    Ok(job)
}

/// Columns of a new row, and how many rows one statement writes.
const COLUMNS: usize = 12;
const TOGETHER: usize = 16;

fn insert(rows: &[Value]) -> String {
    format!(
        "INSERT INTO mediaflow_jobs
         (id, river, class, state, spec, batch, batched, idempotency_key, key_until, queued_at, due, notify) VALUES {}",
        places(rows.len() / COLUMNS, COLUMNS)
    )
}

/// Puts a job into River's queue. Gives the row that is to be stored.
async fn enqueue(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    spec: &JobSpec,
    batch: Option<BatchId>,
    now: Timestamp,
    events: &mut Vec<Event>,
) -> Result<(JobId, [Value; COLUMNS])> {
    let record = Record::new(spec.clone(), batch, now);
    let (id, class) = (record.id, class_of(spec));
    let due = spec.options.run_at.filter(|due| *due > now);
    let river =
        tx.enqueue(&process.river, JobTask { job: id }, class, priority_of(spec), due).await?;
    events.push(record.event(EventKind::JobCreated, now, EventData::None));
    let key = spec.options.idempotency_key.as_ref();
    let targets = Some(&spec.options.notify).filter(|targets| !targets.is_empty());
    let notify = targets.map(to_json).transpose()?;
    let row: &[Value; COLUMNS] = values![
        id,
        river,
        class,
        JobState::Queued.as_str(),
        to_json(spec)?,
        batch,
        batch.is_some(),
        key.cloned(),
        key.map(|_| now.plus(process.settings.idempotency)),
        now,
        due.unwrap_or(now),
        notify
    ];
    Ok((id, row.clone()))
}

/// The job that a key stands for, if its time is not over.
async fn known(tx: &mut Tx<'_, '_>, key: &str, now: Timestamp) -> Result<Option<JobId>> {
    let expire = "UPDATE mediaflow_jobs SET idempotency_key = NULL WHERE idempotency_key = $1 AND key_until <= $2";
    tx.run(expire, values![key, now]).await?;
    let find = "SELECT id FROM mediaflow_jobs WHERE idempotency_key = $1";
    tx.row(find, values![key]).await?.map(|row| row.parsed("id")).transpose()
}

/// Writes down which jobs a batch waits for. Some may have ended before, under their idempotency keys.
async fn fill(
    tx: &mut Tx<'_, '_>,
    batch: BatchId,
    jobs: &[JobId],
    now: Timestamp,
) -> Result<Vec<Event>> {
    let mut left = 0_i64;
    for (first, jobs) in (0_i64..).step_by(TOGETHER).zip(jobs.chunks(TOGETHER)) {
        let rows: Vec<_> =
            (first..).zip(jobs).flat_map(|(at, job)| values![batch, at, *job].clone()).collect();
        let insert = format!(
            "INSERT INTO mediaflow_batch_jobs (batch, position, job) VALUES {}",
            places(jobs.len(), 3)
        );
        tx.run(AssertSqlSafe(insert), &rows).await?;
        // The update also keeps a job from ending, elsewhere, before this batch is there to see it.
        let wait = format!(
            "UPDATE mediaflow_jobs SET batched = 1 WHERE id IN {} AND ended_at IS NULL RETURNING id",
            places(1, jobs.len())
        );
        let names: Vec<_> = jobs.iter().copied().map(Value::from).collect();
        let waits = tx.rows(AssertSqlSafe(wait), &names).await?;
        let waits = waits.iter().map(|row| row.parsed("id")).collect::<Result<HashSet<JobId>>>()?;
        // A job that is twice in the batch is waited for twice, and ends twice.
        left += jobs.iter().filter(|job| waits.contains(job)).count() as i64;
    }
    tx.run("UPDATE mediaflow_batches SET jobs_left = $2 WHERE id = $1", values![batch, left])
        .await?;
    if left > 0 {
        return Ok(Vec::new());
    }
    super::end::batch_ended(tx, batch, now).await.map(|event| vec![event])
}
