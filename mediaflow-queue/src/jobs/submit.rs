use std::collections::{BTreeSet, HashSet};

use mediaflow_core::engine::{Record, Submission, Submitted};
use mediaflow_core::event::EventData;
use mediaflow_core::report::JobState;
use mediaflow_core::spec::JobSpec;
use mediaflow_core::{BatchId, Error, Event, EventKind, JobId, Result, Timestamp};
use sqlx::AssertSqlSafe;

use super::lock::update_in_order;
use crate::db::{
    GroupCommit, JobTask, Transaction, Tx, Value, class_of, classes, places, priority_of,
    through_conflicts, to_json, values,
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

/// Takes jobs that are submitted together, all or none. What is in the way of another transaction is done again.
pub(super) async fn several(process: &Process, submission: &Submission) -> Result<Submitted> {
    through_conflicts(move || all(process, submission)).await
}

async fn all(process: &Process, submission: &Submission) -> Result<Submitted> {
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
    for key in keys(specs()) {
        if !tx.try_key(key).await? {
            return Err(key_is_taken().help("submit again when it has ended"));
        }
    }
    let jobs = take(process, &mut tx, specs(), batch, now, &mut events).await?;
    if let Some(batch) = batch {
        events.extend(fill(&mut tx, batch, &jobs, now).await?);
    }
    store(process, transaction, events, specs()).await?;
    Ok(Submitted::new(jobs, batch))
}

fn key_is_taken() -> Error {
    Error::transient(
        "queue.conflict",
        "another transaction is submitting a job under the same idempotency key",
    )
}

/// The idempotency keys of jobs, in order.
fn keys<'s>(specs: impl Iterator<Item = &'s JobSpec>) -> BTreeSet<&'s str> {
    specs.filter_map(|spec| spec.options.idempotency_key.as_deref()).collect()
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
    // Whoever else needs the key sees that it is taken, and does not wait for this transaction inside of theirs.
    if let Some(key) = &spec.options.idempotency_key
        && !tx.try_key(key).await?
    {
        return Err(key_is_taken().help("roll back, and try again"));
    }
    let jobs = take(process, tx, std::iter::once(&spec), None, process.now(), &mut events).await?;
    events::record(process, tx, &events).await?;
    Submitted::new(jobs, None).job()
}

/// Takes jobs. What has no key is stored many at a time; what has one comes after it, in the order of the keys: two who
/// submit the same keys do not wait for one another.
async fn take<'s>(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    specs: impl Iterator<Item = &'s JobSpec>,
    batch: Option<BatchId>,
    now: Timestamp,
    events: &mut Vec<Event>,
) -> Result<Vec<JobId>> {
    let (mut jobs, mut rows, mut keyed) = (Vec::new(), Vec::new(), Vec::new());
    let mut tagged = Vec::new();
    for (place, spec) in specs.enumerate() {
        if let Some(key) = &spec.options.idempotency_key {
            keyed.push((key, place, spec));
            continue;
        }
        let (job, row) = enqueue(process, tx, spec, batch, now, events).await?;
        jobs.push((place, job));
        tagged.push((job, spec));
        rows.extend(row);
    }
    for rows in rows.chunks(TOGETHER * COLUMNS) {
        tx.run(AssertSqlSafe(insert(rows)), rows).await?;
    }
    keyed.sort_by_key(|(key, place, _)| (*key, *place));
    for (key, place, spec) in keyed {
        let told = events.len();
        let job = one(process, tx, spec, key, batch, now, events).await?;
        jobs.push((place, job));
        // One that was known keeps the tags that it has.
        if events.len() > told {
            tagged.push((job, spec));
        }
    }
    tag(tx, &tagged).await?;
    jobs.sort_unstable();
    Ok(jobs.into_iter().map(|(_, job)| job).collect())
}

/// Writes down the words by which jobs are found. Most have none.
async fn tag(tx: &mut Tx<'_, '_>, jobs: &[(JobId, &JobSpec)]) -> Result<()> {
    let words = |spec: &JobSpec| spec.options.tags.iter().cloned().collect::<BTreeSet<_>>();
    let rows: Vec<_> = jobs
        .iter()
        .flat_map(|(job, spec)| words(spec).into_iter().map(|word| values![word, *job].clone()))
        .flatten()
        .collect();
    for rows in rows.chunks(TOGETHER * 2) {
        let insert =
            format!("INSERT INTO mediaflow_tags (tag, job) VALUES {}", places(rows.len() / 2, 2));
        tx.run(AssertSqlSafe(insert), rows).await?;
    }
    Ok(())
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
    if let Some(known) = known(tx, spec, key, now).await? {
        return Ok(known);
    }
    let (job, row) = enqueue(process, tx, spec, batch, now, events).await?;
    let unless = "ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING";
    let insert = format!("{} {unless}", insert(&row));
    for _ in 0..RACES {
        if tx.run(AssertSqlSafe(insert.clone()), &row).await? > 0 {
            return Ok(job);
        }
        if let Some(known) = known(tx, spec, key, now).await? {
            // Somebody else was first, a moment ago.
            let [_, river, ..] = row;
            tx.delete_task(&process.db, river).await?;
            events.pop();
            return Ok(known);
        }
        // Whoever was first does not hold the key any more.
    }
    Err(Error::transient("queue.conflict", "others use the same idempotency key all the time"))
}

/// How often a key can be lost to somebody else who does not keep it.
const RACES: usize = 5;

/// Columns of a new row, and how many rows one statement writes.
const COLUMNS: usize = 16;
const TOGETHER: usize = 16;

fn insert(rows: &[Value]) -> String {
    format!(
        "INSERT INTO mediaflow_jobs
         (id, river, class, state, spec, batch, batched, idempotency_key, key_until, queued_at, due, notify, needs,
          key_digest, kind, owner) VALUES {}",
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
        notify,
        spec.needs().to_string(),
        key.map(|_| spec.digest()),
        &spec.kind,
        spec.options.owner.clone()
    ];
    Ok((id, row.clone()))
}

/// The job that a key stands for. It is free again when its time is over, or its job has failed or was cancelled.
async fn known(
    tx: &mut Tx<'_, '_>,
    spec: &JobSpec,
    key: &str,
    now: Timestamp,
) -> Result<Option<JobId>> {
    let expire = "UPDATE mediaflow_jobs SET idempotency_key = NULL
                  WHERE idempotency_key = $1 AND (key_until <= $2 OR state IN ('failed', 'cancelled'))";
    tx.run(expire, values![key, now]).await?;
    let find = "SELECT id, key_digest FROM mediaflow_jobs WHERE idempotency_key = $1";
    let Some(row) = tx.row(find, values![key]).await? else { return Ok(None) };
    let job = row.parsed("id")?;
    // One that an older version has taken has none.
    if row.opt_text("key_digest")?.is_some_and(|digest| digest != spec.digest()) {
        return Err(Error::key_reused().with("job", job));
    }
    Ok(Some(job))
}

/// Writes down which jobs a batch waits for. Some may have ended before, under their idempotency keys.
async fn fill(
    tx: &mut Tx<'_, '_>,
    batch: BatchId,
    jobs: &[JobId],
    now: Timestamp,
) -> Result<Vec<Event>> {
    for (first, jobs) in (0_i64..).step_by(TOGETHER).zip(jobs.chunks(TOGETHER)) {
        let rows: Vec<_> =
            (first..).zip(jobs).flat_map(|(at, job)| values![batch, at, *job].clone()).collect();
        let insert = format!(
            "INSERT INTO mediaflow_batch_jobs (batch, position, job) VALUES {}",
            places(jobs.len(), 3)
        );
        tx.run(AssertSqlSafe(insert), &rows).await?;
    }
    let distinct: Vec<_> = jobs.iter().collect::<BTreeSet<_>>().into_iter().copied().collect();
    let mut waits = HashSet::new();
    for jobs in distinct.chunks(TOGETHER) {
        // The update also keeps a job from ending, elsewhere, before this batch is there to see it.
        let wait =
            update_in_order(tx, "batched = 1", (jobs.len(), 1), "ended_at IS NULL RETURNING id");
        let names: Vec<_> = jobs.iter().copied().map(Value::from).collect();
        for row in tx.rows(AssertSqlSafe(wait), &names).await? {
            waits.insert(row.parsed::<JobId>("id")?);
        }
    }
    // A job that is twice in the batch is waited for twice, and ends twice.
    let left = jobs.iter().filter(|job| waits.contains(job)).count() as i64;
    tx.run("UPDATE mediaflow_batches SET jobs_left = $2 WHERE id = $1", values![batch, left])
        .await?;
    if left > 0 {
        return Ok(Vec::new());
    }
    super::end::batch_ended(tx, batch, now).await.map(|event| vec![event])
}
