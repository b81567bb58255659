use mediaflow_core::engine::{Record, Submission, Submitted};
use mediaflow_core::event::EventData;
use mediaflow_core::spec::JobSpec;
use mediaflow_core::{BatchId, Event, EventKind, JobId, Result, Timestamp};

use crate::db::{Run, Tx, class_of, priority_of, to_json, values};
use crate::home::Home;
use crate::outbox;

/// Takes jobs, all or none.
pub(crate) async fn submit(home: &Home, submission: &Submission) -> Result<Submitted> {
    let mut transaction = home.db.begin().await?;
    let mut tx = transaction.tx();
    let (now, mut events) = (home.now(), Vec::new());
    let batch = submission.batch.then(BatchId::new);
    if let (Some(batch), Some(first)) = (batch, submission.jobs.first()) {
        tx.run(
            "INSERT INTO mediaflow_batches (id, options, jobs_left, created_at) VALUES ($1, $2, 0, $3)",
            values![batch, to_json(&first.options)?, now],
        )
        .await?;
    }
    let mut jobs = Vec::with_capacity(submission.jobs.len());
    for spec in &submission.jobs {
        jobs.push(one(home, &mut tx, spec, batch, now, &mut events).await?);
    }
    if let Some(batch) = batch {
        events.extend(fill(&mut tx, batch, &jobs, now).await?);
    }
    crate::workers::failpoint("submit.rows");
    outbox::record(home, &mut tx, &events).await?;
    crate::workers::failpoint("submit.outbox");
    transaction.commit().await?;
    crate::workers::failpoint("submit.commit");
    home.settled(events);
    home.queued();
    Ok(Submitted::new(jobs, batch))
}

/// Takes a job within the host's transaction. Nobody is told before the host commits: the tail finds it then.
pub(crate) async fn submit_in(home: &Home, tx: &mut Tx<'_, '_>, spec: JobSpec) -> Result<JobId> {
    let mut events = Vec::new();
    let job = one(home, tx, &spec, None, home.now(), &mut events).await?;
    outbox::record(home, tx, &events).await?;
    Ok(job)
}

async fn one(
    home: &Home,
    tx: &mut Tx<'_, '_>,
    spec: &JobSpec,
    batch: Option<BatchId>,
    now: Timestamp,
    events: &mut Vec<Event>,
) -> Result<JobId> {
    let key = spec.options.idempotency_key.as_ref();
    if let Some(key) = key
        && let Some(known) = known(tx, key, now).await?
    {
        return Ok(known);
    }
    let record = Record::new(spec.clone(), batch, now);
    let (id, class) = (record.id, class_of(spec));
    let due = spec.options.run_at.filter(|due| *due > now);
    let river = tx.enqueue(&home.river, Run { job: id }, class, priority_of(spec), due).await?;
    let stored = tx
        .run(
            "INSERT INTO mediaflow_jobs
             (id, river, class, state, spec, batch, batched, idempotency_key, key_until, queued_at, due)
             VALUES ($1, $2, $3, 'queued', $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING",
            values![
                id,
                river,
                class,
                to_json(spec)?,
                batch,
                batch.is_some(),
                key.cloned(),
                key.map(|_| now.plus(home.settings.idempotency)),
                now,
                due.unwrap_or(now)
            ],
        )
        .await?;
    if stored == 0
        && let Some(key) = key
        && let Some(known) = known(tx, key, now).await?
    {
        // Somebody else was first, a moment ago.
        tx.run("DELETE FROM river_job WHERE id = $1", values![river]).await?;
        return Ok(known);
    }
    events.push(record.event(EventKind::JobCreated, now, EventData::None));
    Ok(id)
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
    for (position, job) in (0_i64..).zip(jobs) {
        tx.run(
            "INSERT INTO mediaflow_batch_jobs (batch, position, job) VALUES ($1, $2, $3)",
            values![batch, position, *job],
        )
        .await?;
        // The update also keeps the job from ending, elsewhere, before this batch is there to see it.
        left += tx
            .run(
                "UPDATE mediaflow_jobs SET batched = 1 WHERE id = $1 AND ended_at IS NULL",
                values![*job],
            )
            .await? as i64;
    }
    tx.run("UPDATE mediaflow_batches SET jobs_left = $2 WHERE id = $1", values![batch, left]).await?;
    if left > 0 {
        return Ok(Vec::new());
    }
    super::end::batch_ended(tx, batch, now).await.map(|event| vec![event])
}
