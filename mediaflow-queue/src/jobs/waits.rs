//! Jobs of which some waits for work that goes on elsewhere: what waits, what is said of it, and how they go on.

use mediaflow_core::executor::{GroupWait, KnownWait, Suspended};
use mediaflow_core::wait::{Signal, Signalled, Update, key_taken};
use mediaflow_core::{Event, JobId, Result, Timestamp};
use sqlx::AssertSqlSafe;

use super::lock::lock;
use super::ready::{self, release};
use super::row::ClaimedJob;
use super::row::counts;
use crate::db::{Row, Tx, Value, places, to_json, values};
use crate::events;
use crate::failpoint::failpoint;
use crate::process::{Process, Queued, add};

/// How many jobs are let go on in one look.
const TOGETHER: usize = 100;

/// An update that came while its wait was written is missed by both for a moment only: how long back is looked for it.
const MISSED: u64 = 60_000;

/// How long a stop of work elsewhere may take before another process tries it, too.
const STOPPING: u64 = 120_000;

/// How often work elsewhere is tried to be stopped: for about a day.
const TRIES: i64 = 720;

/// What of a job waits, and what was said of it, in order.
pub(crate) async fn waits(process: &Process, job: JobId) -> Result<Vec<KnownWait>> {
    let find =
        "SELECT work, body FROM mediaflow_waits WHERE job = $1 AND stopping = 0 ORDER BY work";
    let mut waits = Vec::new();
    for row in process.db.rows(find, values![job]).await? {
        waits.push(KnownWait::new(row.json("body")?, Vec::new()));
    }
    let find = "SELECT w.work, s.id, s.body FROM mediaflow_waits w JOIN mediaflow_signals s ON s.key = w.key
                WHERE w.job = $1 AND w.stopping = 0 AND s.body IS NOT NULL ORDER BY s.id";
    for row in process.db.rows(find, values![job]).await? {
        let (work, id) = (row.text("work")?, row.int("id")?);
        let update = Update::new(id.unsigned_abs(), row.json("body")?);
        let known = waits.iter_mut().find(|known| known.group.group == work);
        known.into_iter().for_each(|known| known.updates.push(update.clone()));
    }
    Ok(waits)
}

/// Stores that a group waits, under the token of the attempt that has handed it over.
pub(crate) async fn store_wait(
    process: &Process,
    claimed: &ClaimedJob,
    group: &GroupWait,
    heard: &[u64],
) -> Result<()> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let (job, key) = (claimed.record.id, &group.wait.key);
    // Who knows nothing of waits must not take it for an ordinary job.
    let note = "UPDATE mediaflow_jobs SET waits = 1, needs = $3 WHERE id = $1 AND fence = $2 AND ended_at IS NULL";
    let needs = claimed.record.spec.needs().waiting().to_string();
    counts(tx.run(note, values![job, claimed.fence, needs]).await?, job)?;
    let other =
        "SELECT 1 AS one FROM mediaflow_waits WHERE key = $1 AND NOT (job = $2 AND work = $3)";
    if tx.row(other, values![key, job, &group.group]).await?.is_some() {
        return Err(key_taken(key));
    }
    let store = "INSERT INTO mediaflow_waits (job, work, key, body, held) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (job, work) DO UPDATE SET key = excluded.key, body = excluded.body, held = excluded.held";
    let held = group.failures > 0;
    tx.run(store, values![job, &group.group, key, to_json(group)?, held]).await?;
    forget(&mut tx, heard).await?;
    failpoint("wait.rows");
    transaction.commit().await?;
    failpoint("wait.commit");
    Ok(())
}

/// Notes that updates were heard.
async fn forget(tx: &mut Tx<'_, '_>, heard: &[u64]) -> Result<()> {
    let heard: Vec<Value> =
        heard.iter().map(|id| Value::from(i64::try_from(*id).unwrap_or(i64::MAX))).collect();
    for heard in heard.chunks(100) {
        let forget = format!(
            "UPDATE mediaflow_signals SET body = NULL WHERE id IN {}",
            places(1, heard.len())
        );
        tx.run(AssertSqlSafe(forget), heard).await?;
    }
    Ok(())
}

/// Lets what is left of a job wait. Gives false if somebody has asked for the end of the job.
pub(crate) async fn suspend(
    process: &Process,
    claimed: &ClaimedJob,
    suspended: &Suspended,
    events: Vec<Event>,
) -> Result<bool> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let record = &claimed.record;
    let wait = "UPDATE mediaflow_jobs SET state = 'waiting', worker = NULL, shared = 0, checkpoint = $3, progress = $4, failure = $5,
                  attempts = $6
                WHERE id = $1 AND fence = $2 AND ended_at IS NULL RETURNING cancelled";
    let checkpoint = to_json(&suspended.checkpoint)?;
    let values = values![
        record.id,
        claimed.fence,
        checkpoint,
        record.progress,
        claimed.failure()?,
        record.attempts
    ];
    let row = tx.row(wait, values).await?;
    counts(u64::from(row.is_some()), record.id)?;
    if row.is_some_and(|row| row.int("cancelled").is_ok_and(|cancelled| cancelled != 0)) {
        return Ok(false);
    }
    let find = "SELECT work, key FROM mediaflow_waits WHERE job = $1";
    for row in tx.rows(find, values![record.id]).await? {
        let work = row.text("work")?;
        match suspended.waits.iter().find(|group| group.group == work) {
            Some(group) => {
                let due = "UPDATE mediaflow_waits SET due = $3 WHERE job = $1 AND work = $2";
                tx.run(due, values![record.id, work, group.due()]).await?;
            }
            None => {
                let heard =
                    "UPDATE mediaflow_signals SET body = NULL WHERE key = $1 AND body IS NOT NULL";
                tx.run(heard, values![row.text("key")?]).await?;
                let gone = "DELETE FROM mediaflow_waits WHERE job = $1 AND work = $2";
                tx.run(gone, values![record.id, work]).await?;
            }
        }
    }
    events::record(process, &mut tx, &events).await?;
    let said = "SELECT 1 AS one FROM mediaflow_waits w JOIN mediaflow_signals s ON s.key = w.key
                WHERE w.job = $1 AND s.body IS NOT NULL AND s.id > $2 LIMIT 1";
    let seen = i64::try_from(suspended.seen).unwrap_or(i64::MAX);
    let said = tx.row(said, values![record.id, seen]).await?.is_some();
    // Meanwhile another one of its tenant can run.
    let mut woken = release(process, &mut tx, claimed.share.as_deref()).await?;
    tx.complete(&process.db, &[claimed.river]).await?;
    if said {
        for (queue, tasks) in go_on(process, &mut tx, record.id).await? {
            add(&mut woken, &queue, tasks);
        }
    }
    failpoint("suspend.rows");
    transaction.commit().await?;
    failpoint("suspend.commit");
    process.committed(events);
    process.all_queued(&woken);
    Ok(true)
}

/// Takes what is said of work that goes on elsewhere.
pub(crate) async fn signal(process: &Process, signal: &Signal) -> Result<Signalled> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let take = "INSERT INTO mediaflow_signals (key, replay_key, body, at) VALUES ($1, $2, $3, $4)
                ON CONFLICT (replay_key) DO NOTHING";
    let Signal { key, update, replay_key, .. } = signal;
    if tx.run(take, values![key, replay_key, to_json(update)?, process.now()]).await? == 0 {
        return Ok(Signalled::Duplicate);
    }
    let find = "SELECT job FROM mediaflow_waits WHERE key = $1 AND stopping = 0";
    let waits = tx.row(find, values![key]).await?;
    let woken = match &waits {
        Some(row) => go_on(process, &mut tx, row.parsed("job")?).await?,
        None => Queued::new(),
    };
    failpoint("signal.rows");
    transaction.commit().await?;
    process.all_queued(&woken);
    Ok(if waits.is_some() { Signalled::Accepted } else { Signalled::Early })
}

/// Queues a job that waits. Gives its queue; nothing if its tenant has no room for it, or it does not wait at this moment: then
/// it looks for itself before it waits again.
async fn go_on(process: &Process, tx: &mut Tx<'_, '_>, job: JobId) -> Result<Queued> {
    lock(tx, job).await?;
    tx.run("UPDATE mediaflow_waits SET due = NULL WHERE job = $1 AND stopping = 0", values![job])
        .await?;
    let find = format!(
        "SELECT {} FROM mediaflow_jobs WHERE id = $1 AND state = 'waiting' AND ended_at IS NULL",
        ready::COLUMNS
    );
    let rows = tx.rows(AssertSqlSafe(find), values![job]).await?;
    ready::start(process, tx, &rows).await
}

/// Lets the jobs go on whose time has come.
pub(crate) async fn wake_due(process: &Process) -> Result<()> {
    let find = format!(
        "SELECT DISTINCT job FROM (SELECT job FROM mediaflow_waits
           WHERE due <= $1 AND stopping = 0 ORDER BY due LIMIT {TOGETHER}) AS due ORDER BY job"
    );
    let rows = process.db.rows(AssertSqlSafe(find), values![process.now()]).await?;
    wake(process, &rows).await
}

/// Lets the jobs go on whose update came while their wait was written.
pub(crate) async fn wake_missed(process: &Process) -> Result<()> {
    let find = format!(
        "SELECT DISTINCT w.job FROM mediaflow_signals s JOIN mediaflow_waits w ON w.key = s.key
         JOIN mediaflow_jobs j ON j.id = w.job
         WHERE s.at >= $1 AND s.body IS NOT NULL AND w.held = 0 AND w.stopping = 0 AND j.state = 'waiting'
         ORDER BY w.job LIMIT {TOGETHER}"
    );
    let since = process.now().millis().saturating_sub(MISSED);
    let since = Timestamp::from_millis(since);
    let rows = process.db.rows(AssertSqlSafe(find), values![since]).await?;
    wake(process, &rows).await
}

async fn wake(process: &Process, rows: &[Row]) -> Result<()> {
    for row in rows {
        let mut transaction = process.db.begin().await?;
        let woken = go_on(process, &mut transaction.tx(), row.parsed("job")?).await?;
        transaction.commit().await?;
        process.all_queued(&woken);
    }
    Ok(())
}

/// Notes that nobody waits any more for what a job waited for: it has ended. What it needs no longer is to be stopped.
pub(super) async fn end_waits(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    job: JobId,
    stop: bool,
) -> Result<()> {
    let heard = "UPDATE mediaflow_signals SET body = NULL
                 WHERE body IS NOT NULL AND key IN (SELECT key FROM mediaflow_waits WHERE job = $1)";
    tx.run(heard, values![job]).await?;
    if stop {
        let stop = "UPDATE mediaflow_waits SET stopping = 1, due = $2 WHERE job = $1";
        tx.run(stop, values![job, process.now()]).await.map(drop)
    } else {
        tx.run("DELETE FROM mediaflow_waits WHERE job = $1", values![job]).await.map(drop)
    }
}

/// Stops work elsewhere that nobody waits for any more.
pub(crate) async fn stop_abandoned(process: &Process) -> Result<()> {
    let find = "SELECT job, work, body, due FROM mediaflow_waits
                WHERE due <= $1 AND stopping = 1 ORDER BY due LIMIT 20";
    for row in process.db.rows(find, values![process.now()]).await? {
        let group: GroupWait = row.json("body")?;
        // Somebody else may know it.
        if process.executor.registry().backend_named(&group.backend).is_err() {
            continue;
        }
        let later = Timestamp::from_millis(process.now().millis().saturating_add(STOPPING));
        let take = "UPDATE mediaflow_waits SET due = $4, tries = tries + 1
                    WHERE job = $1 AND work = $2 AND due = $3 AND stopping = 1 RETURNING tries";
        let (job, work) = (row.text("job")?, row.text("work")?);
        let taken =
            process.db.write_row(take, values![&job, &work, row.int("due")?, later]).await?;
        let Some(taken) = taken else { continue };
        if let Err(error) = process.executor.abandon(&group).await {
            tracing::warn!(job, key = group.wait.key, %error, "work elsewhere could not be stopped");
            if taken.int("tries")? < TRIES && error.retry() != mediaflow_core::Retry::Never {
                continue;
            }
        }
        let done = "DELETE FROM mediaflow_waits WHERE job = $1 AND work = $2 AND stopping = 1";
        process.db.run(done, values![job, work]).await?;
    }
    Ok(())
}
