//! Jobs and parts that wait for a worker that knows what they need.
//!
//! Who is given one that it does not know parks it: from then on it waits in our tables, and River has no row of it. A
//! worker that knows looks which needs are waited with, which costs next to nothing however many jobs wait, and queues
//! the jobs again: not for its class, where the next one could be given them that does not know, but in a queue that only
//! workers of the same capability have.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use mediaflow_core::spec::Needs;
use mediaflow_core::{JobId, Result};
use sqlx::AssertSqlSafe;

use super::ready::TURNS;
use super::ready::{self, priority, release};
use super::row::{needs_of, read_needs};
use crate::db::{
    AssemblyTask, NewTask, PartTask, Row, Tx, Value, class_and_capability, distinct, values,
};
use crate::failpoint::failpoint;
use crate::process::{Process, Queued};

/// How many one transaction moves.
const TOGETHER: usize = 100;

/// A job that is to be parked: what it needs, and the share of which it takes a place.
pub(super) type Unknown = (JobId, Needs, Option<String>);

/// Parks jobs that this transaction has taken, as if it had not. Gives the queues in which others have followed.
pub(super) async fn park(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    jobs: &[Unknown],
    counted: bool,
) -> Result<Queued> {
    let mut rivers = Vec::with_capacity(jobs.len());
    for (job, needs, _) in jobs {
        let back = "UPDATE mediaflow_jobs SET state = 'parked', worker = NULL, shared = 0, parked = $2, needs = $3, parked_at = $4,
                      attempts = attempts - $5, started_at = CASE WHEN attempts = $5 THEN NULL ELSE started_at END
                    WHERE id = $1 RETURNING river";
        let values = values![*job, needs.digest(), needs.to_string(), process.now(), counted];
        if let Some(row) = tx.row(back, values).await? {
            rivers.push(row.int("river")?);
        }
        tracing::info!(%job, %needs, "a job waits for a worker that knows what it needs");
    }
    failpoint("park.rows");
    let queues =
        release(process, tx, jobs.iter().filter_map(|(.., share)| share.as_deref())).await?;
    tx.complete(&process.db, &rivers).await?;
    Ok(queues)
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
        process.classes().for_each(|class| process.queued(&process.own_queue(class), queued));
    }
    Ok(queued)
}

/// What is waited with: digests, each with the needs that it stands for.
pub(super) async fn parked_jobs(process: &Process) -> Result<Vec<(String, Needs)>> {
    let needs = "SELECT needs FROM mediaflow_jobs WHERE parked = found.value ORDER BY id LIMIT 1";
    parked_in(process, "mediaflow_jobs", needs).await
}

pub(super) async fn parked_parts(process: &Process) -> Result<Vec<(String, Needs)>> {
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
        Ok((row.text("digest")?, read_needs(&needs)))
    };
    rows.iter().map(kind).collect()
}

async fn queue_jobs(process: &Process, digest: &str) -> Result<u64> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let find = format!(
        "SELECT {}, parts_left FROM mediaflow_jobs WHERE parked = $1 ORDER BY id LIMIT {TOGETHER}{}",
        ready::COLUMNS,
        process.db.skip_locked()
    );
    let rows = tx.rows(AssertSqlSafe(find), values![digest]).await?;
    let found = rows.len() as u64;
    let (mut whole, mut split) = (Vec::new(), Vec::new());
    for row in rows {
        if row.opt_int("parts_left")?.is_none() { whole.push(row) } else { split.push(row) }
    }
    ready::start(process, &mut tx, &whole).await?;
    for row in split {
        let (job, queue) = (row.parsed("id")?, process.own_queue(&row.text("class")?));
        let task = NewTask::new(&AssemblyTask { job }, &queue, priority(&row)?)?;
        let river = tx.enqueue(&process.db, task).await?;
        let follow =
            "UPDATE mediaflow_jobs SET parked = NULL, state = 'running', river = $2 WHERE id = $1";
        tx.run(follow, values![job, river]).await?;
    }
    failpoint("unpark.rows");
    transaction.commit().await?;
    failpoint("unpark.commit");
    Ok(found)
}

async fn queue_parts(process: &Process, digest: &str) -> Result<u64> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let find = format!(
        "SELECT p.job, p.number, j.class, j.spec, j.priority FROM mediaflow_parts p JOIN mediaflow_jobs j ON j.id = p.job
         WHERE p.parked = $1 ORDER BY p.job, p.number LIMIT {TOGETHER}{}",
        process.db.skip_locked()
    );
    let rows = tx.rows(AssertSqlSafe(find), values![digest]).await?;
    let (mut parts, mut tasks) = (Vec::new(), Vec::new());
    for row in &rows {
        let part = u32::try_from(row.int("number")?).unwrap_or(u32::MAX);
        let task = PartTask { job: row.parsed("job")?, part };
        tasks.push(NewTask::new(&task, &process.own_queue(&row.text("class")?), priority(row)?)?);
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

/// Parks again what waits in queues of capabilities that no worker has any more.
pub(crate) async fn park_orphans(process: &Process, capabilities: &HashSet<String>) -> Result<()> {
    for queue in process.db.queues().await? {
        let capability = class_and_capability(&queue).and_then(|(_, capability)| capability);
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
    let mut freed = Vec::new();
    for (river, part) in waiting.iter().filter(|(river, _)| taken.contains(river)) {
        let Some(Some((job, needs, share))) = of(*river, part) else { continue };
        match part {
            Some(part) => drop(park_part(process, &mut tx, *job, part.part, needs).await?),
            None => {
                let park = "UPDATE mediaflow_jobs SET state = 'parked', shared = 0, parked = $2, needs = $3, parked_at = $4
                            WHERE id = $1 AND river = $5 AND ended_at IS NULL AND worker IS NULL";
                let values =
                    values![*job, needs.digest(), needs.to_string(), process.now(), *river];
                if tx.run(park, values).await? > 0 {
                    freed.extend(share.clone());
                }
            }
        }
    }
    let queues = release(process, &mut tx, freed.iter().map(String::as_str)).await?;
    transaction.commit().await?;
    process.all_queued(&queues);
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
) -> Result<BTreeMap<Holder, Option<Unknown>>> {
    let mut locked = BTreeMap::new();
    let holders: BTreeSet<_> =
        waiting.iter().map(|(river, part)| holder(*river, part.as_ref())).collect();
    for holder in holders {
        let (condition, value) = match &holder {
            Holder::OfPart(job) => ("id = $1", &[Value::from(job)]),
            Holder::Job(river) => ("river = $1", &[Value::from(*river)]),
        };
        let find = format!(
            "SELECT id, needs, spec, CASE WHEN shared = 1 THEN share END AS taken
             FROM mediaflow_jobs WHERE {condition} LIMIT 1"
        );
        let lock = format!("{find}{}", process.db.skip_locked());
        if let Some(row) = tx.row(AssertSqlSafe(lock), value).await? {
            let unknown = (row.parsed("id")?, needs_of(&row)?, row.opt_text("taken")?);
            locked.insert(holder, Some(unknown));
        } else if tx.row(AssertSqlSafe(find), value).await?.is_none() {
            locked.insert(holder, None);
        }
    }
    Ok(locked)
}
