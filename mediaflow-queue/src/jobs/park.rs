//! Jobs and parts that wait for a worker that knows what they need.
//!
//! Who is given one that it does not know parks it: from then on it waits in our tables, and River has no row of it. A
//! worker that knows looks which needs are waited with, which costs next to nothing however many jobs wait, and queues
//! the jobs again: not for its class, where the next one could be given them that does not know, but in a queue that only
//! workers of the same capability have.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use mediaflow_core::event::EventData;
use mediaflow_core::spec::{JobSpec, Needs};
use mediaflow_core::{Event, EventKind, JobId, Result, Timestamp};
use sqlx::AssertSqlSafe;

use crate::db::{
    AssemblyTask, JobTask, NewTask, ORDINARY, PartTask, Row, Tx, Value, classes, distinct, places,
    priority_of, together, values,
};
use crate::events;
use crate::failpoint::failpoint;
use crate::process::Process;

/// After so long without a worker that knows, somebody is told.
pub(crate) const UNCLAIMED: Duration = Duration::from_secs(5 * 60);

/// And told again, while it lasts.
const AGAIN: Duration = Duration::from_secs(3600);

/// How many one transaction moves.
const TOGETHER: usize = 100;

/// How many transactions one look makes.
const TURNS: usize = 20;

/// What a job needs, as it was stored with it, or read from its spec.
pub(super) fn needs_of(row: &Row) -> Result<Needs> {
    match row.opt_text("needs")? {
        Some(needs) => Ok(read(&needs)),
        None => row.json::<JobSpec>("spec").map(|spec| spec.needs()),
    }
}

/// No text is refused.
fn read(needs: &str) -> Needs {
    needs.parse().unwrap_or_default()
}

/// Parks jobs that this transaction has taken, as if it had not. Gives River's numbers for them, which are to end.
pub(super) async fn park(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    jobs: &[(JobId, Needs)],
    counted: bool,
) -> Result<()> {
    let mut rivers = Vec::with_capacity(jobs.len());
    for (job, needs) in jobs {
        let back = "UPDATE mediaflow_jobs SET state = 'parked', worker = NULL, parked = $2, needs = $3, parked_at = $4,
                      attempts = attempts - $5, started_at = CASE WHEN attempts = $5 THEN NULL ELSE started_at END
                    WHERE id = $1 RETURNING river";
        let values = values![*job, needs.digest(), needs.to_string(), process.now(), counted];
        if let Some(row) = tx.row(back, values).await? {
            rivers.push(row.int("river")?);
        }
        tracing::info!(%job, %needs, "a job waits for a worker that knows what it needs");
    }
    failpoint("park.rows");
    tx.complete(&process.db, &rivers).await
}

/// Parks a part that waits. Gives River's number for it, if it did wait.
pub(super) async fn park_part(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    job: JobId,
    part: u32,
    needs: &Needs,
) -> Result<Option<i64>> {
    let park = "UPDATE mediaflow_parts SET state = 'parked', parked = $3, parked_at = $4
                WHERE job = $1 AND number = $2 AND state = 'queued' RETURNING river";
    let parked = tx.row(park, values![job, part, needs.digest(), process.now()]).await?;
    parked.map(|row| row.int("river")).transpose()
}

/// Queues again what this process knows. Gives how much that was.
pub(crate) async fn take_up(process: &Process) -> Result<u64> {
    let mut queued = 0;
    for (parked, parts) in
        [(parked_jobs(process).await?, false), (parked_parts(process).await?, true)]
    {
        for (digest, needs) in parked {
            if !process.executor.knows(&needs) || process.db.is_paused().await? {
                continue;
            }
            for _ in 0..TURNS {
                let some = match parts {
                    true => queue_parts(process, &digest).await?,
                    false => queue_jobs(process, &digest).await?,
                };
                queued += some;
                if some < TOGETHER as u64 {
                    break;
                }
            }
        }
    }
    if queued > 0 {
        let queued = usize::try_from(queued).unwrap_or(usize::MAX);
        classes().into_iter().for_each(|class| process.queued(&process.own_queue(class), queued));
    }
    Ok(queued)
}

/// What is waited with: digests, each with the needs that it stands for.
async fn parked_jobs(process: &Process) -> Result<Vec<(String, Needs)>> {
    let needs = "SELECT needs FROM mediaflow_jobs WHERE parked = found.value ORDER BY id LIMIT 1";
    parked_in(process, "mediaflow_jobs", needs).await
}

async fn parked_parts(process: &Process) -> Result<Vec<(String, Needs)>> {
    let needs = "SELECT j.needs FROM mediaflow_parts p JOIN mediaflow_jobs j ON j.id = p.job
                 WHERE p.parked = found.value ORDER BY p.job, p.number LIMIT 1";
    parked_in(process, "mediaflow_parts", needs).await
}

async fn parked_in(process: &Process, table: &str, needs: &str) -> Result<Vec<(String, Needs)>> {
    let find = format!(
        "{} SELECT value AS digest, ({needs}) AS needs FROM found WHERE value IS NOT NULL",
        distinct(table, "parked", "parked IS NOT NULL")
    );
    let rows = process.db.rows(AssertSqlSafe(find), &[]).await?;
    let kind = |row: &Row| {
        let needs = row.opt_text("needs")?.unwrap_or_default();
        Ok((row.text("digest")?, read(&needs)))
    };
    rows.iter().map(kind).collect()
}

async fn queue_jobs(process: &Process, digest: &str) -> Result<u64> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let find = format!(
        "SELECT id, class, due, parts_left, spec FROM mediaflow_jobs WHERE parked = $1 ORDER BY id LIMIT {TOGETHER}{}",
        process.db.skip_locked()
    );
    let rows = tx.rows(AssertSqlSafe(find), values![digest]).await?;
    let (mut jobs, mut tasks) = (Vec::new(), Vec::new());
    for row in &rows {
        let job: JobId = row.parsed("id")?;
        let queue = process.own_queue(&row.text("class")?);
        let due = Some(row.time("due")?).filter(|due| *due > process.now());
        let task = match row.opt_int("parts_left")? {
            Some(_) => NewTask::new(&AssemblyTask { job }, &queue, urgency(row))?,
            None => NewTask::new(&JobTask { job }, &queue, urgency(row))?,
        };
        jobs.push(job);
        tasks.push(task.scheduled_at(due));
    }
    if !jobs.is_empty() {
        let rivers = tx.enqueue_many(&process.db, &tasks).await?;
        let queued = jobs.iter().zip(rivers).flat_map(|(job, river)| values![*job, river].clone());
        for rows in together(&queued.collect::<Vec<_>>(), 2) {
            let follow = format!(
                "UPDATE mediaflow_jobs SET parked = NULL, river = column2,
                 state = CASE WHEN parts_left IS NULL THEN 'queued' ELSE 'running' END
                 FROM (VALUES {}) AS given WHERE id = column1",
                places(rows.len() / 2, 2)
            );
            tx.run(AssertSqlSafe(follow), rows).await?;
        }
        failpoint("unpark.rows");
        transaction.commit().await?;
        failpoint("unpark.commit");
    }
    Ok(rows.len() as u64)
}

async fn queue_parts(process: &Process, digest: &str) -> Result<u64> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let find = format!(
        "SELECT p.job, p.number, j.class, j.spec FROM mediaflow_parts p JOIN mediaflow_jobs j ON j.id = p.job
         WHERE p.parked = $1 ORDER BY p.job, p.number LIMIT {TOGETHER}{}",
        process.db.skip_locked()
    );
    let rows = tx.rows(AssertSqlSafe(find), values![digest]).await?;
    let (mut parts, mut tasks) = (Vec::new(), Vec::new());
    for row in &rows {
        let part = u32::try_from(row.int("number")?).unwrap_or(u32::MAX);
        let task = PartTask { job: row.parsed("job")?, part };
        tasks.push(NewTask::new(&task, &process.own_queue(&row.text("class")?), urgency(row))?);
        parts.push(task);
    }
    for (task, river) in parts.iter().zip(tx.enqueue_many(&process.db, &tasks).await?) {
        let follow = "UPDATE mediaflow_parts SET state = 'queued', parked = NULL, river = $3
                      WHERE job = $1 AND number = $2";
        tx.run(follow, values![task.job, task.part, river]).await?;
    }
    transaction.commit().await?;
    Ok(rows.len() as u64)
}

fn urgency(row: &Row) -> i16 {
    row.json("spec").map_or(ORDINARY, |spec| priority_of(&spec))
}

/// Parks again what waits in queues of capabilities that no worker has any more.
pub(crate) async fn park_orphans(process: &Process, capabilities: &HashSet<String>) -> Result<()> {
    for queue in process.db.queues().await? {
        let capability =
            classes().iter().find_map(|class| queue.strip_prefix(class)?.strip_prefix('_'));
        if capability.is_some_and(|capability| !capabilities.contains(capability)) {
            while park_queue(process, &queue).await? == TOGETHER {}
        }
    }
    Ok(())
}

async fn park_queue(process: &Process, queue: &str) -> Result<usize> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let waiting = tx.waiting(&process.db, queue, TOGETHER).await?;
    let jobs = lock_waiting(process, &mut tx, &waiting).await?;
    let of = |river, part: &Option<PartTask>| jobs.get(&holder(river, part.as_ref()));
    let ours = waiting.iter().filter(|(river, part)| of(*river, part).is_some());
    let rivers: Vec<_> = ours.map(|(river, _)| *river).collect();
    let taken = tx.take_waiting(&process.db, &rivers).await?;
    for (river, part) in waiting.iter().filter(|(river, _)| taken.contains(river)) {
        let Some(Some((job, needs))) = of(*river, part) else { continue };
        match part {
            Some(part) => drop(park_part(process, &mut tx, *job, part.part, needs).await?),
            None => {
                let park = "UPDATE mediaflow_jobs SET state = 'parked', parked = $2, needs = $3, parked_at = $4
                            WHERE id = $1 AND river = $5 AND ended_at IS NULL AND worker IS NULL";
                let values =
                    values![*job, needs.digest(), needs.to_string(), process.now(), *river];
                tx.run(park, values).await?;
            }
        }
    }
    transaction.commit().await?;
    Ok(taken.len())
}

/// Whose row of River's it is: a part's job by its name, any other by River's number for it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    OfPart(String),
    Job(i64),
}

fn holder(river: i64, part: Option<&PartTask>) -> Holder {
    part.map_or(Holder::Job(river), |part| Holder::OfPart(part.job.to_string()))
}

/// Locks the jobs of what waits in a queue of River's, before its rows there. One that somebody has is not among them: it is
/// left for later. Nothing if there is no such job.
async fn lock_waiting(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    waiting: &[(i64, Option<PartTask>)],
) -> Result<BTreeMap<Holder, Option<(JobId, Needs)>>> {
    let mut locked = BTreeMap::new();
    let holders: BTreeSet<_> =
        waiting.iter().map(|(river, part)| holder(*river, part.as_ref())).collect();
    for holder in holders {
        let (condition, value) = match &holder {
            Holder::OfPart(job) => ("id = $1", &[Value::from(job)]),
            Holder::Job(river) => ("river = $1", &[Value::from(*river)]),
        };
        let find = format!("SELECT id, needs, spec FROM mediaflow_jobs WHERE {condition} LIMIT 1");
        let lock = format!("{find}{}", process.db.skip_locked());
        if let Some(row) = tx.row(AssertSqlSafe(lock), value).await? {
            locked.insert(holder, Some((row.parsed("id")?, needs_of(&row)?)));
        } else if tx.row(AssertSqlSafe(find), value).await?.is_none() {
            locked.insert(holder, None);
        }
    }
    Ok(locked)
}

/// Tells of jobs that no worker has known for a while, as a whole or any part of them: once an hour for the same needs, and
/// by one process.
pub(crate) async fn tell_unclaimed(process: &Process) -> Result<()> {
    let now = process.now();
    let long_ago = now.millis().saturating_sub(u64::try_from(UNCLAIMED.as_millis()).unwrap_or(0));
    let mut waited_with: BTreeMap<_, _> = parked_jobs(process).await?.into_iter().collect();
    waited_with.extend(parked_parts(process).await?);
    for (digest, needs) in waited_with {
        let since = parked_since(process, &digest).await?;
        if since.is_none_or(|since| since.millis() > long_ago)
            || process.executor.knows(&needs)
            || process.db.is_paused().await?
        {
            continue;
        }
        let mut transaction = process.db.begin().await?;
        let mut tx = transaction.tx();
        let first = "INSERT INTO mediaflow_leases (name, holder, lease_until) VALUES ($1, '', $2)
                     ON CONFLICT (name) DO UPDATE SET lease_until = excluded.lease_until
                     WHERE mediaflow_leases.lease_until <= $3";
        let name = format!("unclaimed {digest}");
        if tx.run(first, values![name, now.plus(AGAIN), now]).await? == 0 {
            continue;
        }
        let count = "SELECT count(*) AS jobs FROM (SELECT id FROM mediaflow_jobs WHERE parked = $1
                       UNION SELECT job FROM mediaflow_parts WHERE parked = $1) AS waiting";
        let jobs = tx.row(count, values![&digest]).await?.map_or(Ok(0), |row| row.int("jobs"))?;
        let unknown = EventData::Unclaimed { needs: needs.to_string(), jobs: jobs.unsigned_abs() };
        let event = vec![Event::new(EventKind::JobsUnclaimed, now, unknown)];
        events::record(process, &mut tx, &event).await?;
        transaction.commit().await?;
        tracing::warn!(%needs, jobs, "jobs wait for a worker that knows what they need");
        process.committed(event);
    }
    let over = "DELETE FROM mediaflow_leases WHERE name LIKE 'unclaimed %' AND lease_until <= $1";
    process.db.run(over, values![now]).await.map(drop)
}

/// Since when the first job of these needs, or the first part, has been parked.
async fn parked_since(process: &Process, digest: &str) -> Result<Option<Timestamp>> {
    let mut since = None;
    for first in [
        "SELECT parked_at FROM mediaflow_jobs WHERE parked = $1 ORDER BY id LIMIT 1",
        "SELECT parked_at FROM mediaflow_parts WHERE parked = $1 ORDER BY job, number LIMIT 1",
    ] {
        if let Some(row) = process.db.row(first, values![digest]).await? {
            since = since.into_iter().chain(row.opt_time("parked_at")?).min();
        }
    }
    Ok(since)
}
