//! Jobs that no worker takes: none knows what they need, or none has places for their class.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use mediaflow_core::event::EventData;
use mediaflow_core::{Event, EventKind, Result, Timestamp};
use sqlx::AssertSqlSafe;

use super::park::{parked_jobs, parked_parts};
use crate::db::{class_and_capability, distinct, values};
use crate::events;
use crate::process::Process;

/// After so long without a worker that knows, somebody is told.
pub(crate) const UNCLAIMED: Duration = Duration::from_secs(5 * 60);

/// And told again, while it lasts.
const AGAIN: Duration = Duration::from_secs(3600);

/// More are not counted: it would be a scan.
const COUNTED: i64 = 10_000;

/// The classes of workers of an earlier version.
const EARLIER: &str = "mediaflow_image mediaflow_video";

/// Jobs of one kind that nobody takes.
struct Unclaimed {
    /// What is different of each kind.
    name: String,
    needs: String,
    since: Option<Timestamp>,
    /// Counts them.
    count: String,
    value: String,
}

/// Tells of jobs that no worker takes for a while, as a whole or any part of them: once an hour for the same needs, and by one
/// process.
pub(crate) async fn tell_unclaimed(process: &Process) -> Result<()> {
    let now = process.now();
    let long_ago = now.millis().saturating_sub(u64::try_from(UNCLAIMED.as_millis()).unwrap_or(0));
    let found = unknown(process).await?.into_iter().chain(unserved(process).await?);
    for Unclaimed { name, needs, since, count, value } in found {
        if since.is_none_or(|since| since.millis() > long_ago) || process.db.is_paused().await? {
            continue;
        }
        let mut transaction = process.db.begin().await?;
        let mut tx = transaction.tx();
        let first = "INSERT INTO mediaflow_leases (name, holder, lease_until) VALUES ($1, '', $2)
                     ON CONFLICT (name) DO UPDATE SET lease_until = excluded.lease_until
                     WHERE mediaflow_leases.lease_until <= $3";
        let name = format!("unclaimed {name}");
        if tx.run(first, values![name, now.plus(AGAIN), now]).await? == 0 {
            continue;
        }
        let jobs = tx.row(AssertSqlSafe(count), values![value]).await?;
        let jobs = jobs.map_or(Ok(0), |row| row.int("jobs"))?.unsigned_abs();
        tracing::warn!(needs, jobs, "jobs wait for a worker that knows what they need");
        let event =
            vec![Event::new(EventKind::JobsUnclaimed, now, EventData::Unclaimed { needs, jobs })];
        events::record(process, &mut tx, &event).await?;
        transaction.commit().await?;
        process.committed(event);
    }
    let over = "DELETE FROM mediaflow_leases WHERE name LIKE 'unclaimed %' AND lease_until <= $1";
    process.db.run(over, values![now]).await.map(drop)
}

/// What is parked, and this process does not know either.
async fn unknown(process: &Process) -> Result<Vec<Unclaimed>> {
    let mut waited_with: BTreeMap<_, _> = parked_jobs(process).await?.into_iter().collect();
    waited_with.extend(parked_parts(process).await?);
    let mut found = Vec::new();
    for (digest, needs) in waited_with {
        if process.executor.knows(&needs) {
            continue;
        }
        let count = "SELECT count(*) AS jobs FROM (SELECT id FROM mediaflow_jobs WHERE parked = $1
                       UNION SELECT job FROM mediaflow_parts WHERE parked = $1) AS waiting";
        found.push(Unclaimed {
            name: digest.clone(),
            needs: needs.to_string(),
            since: parked_since(process, &digest).await?,
            count: count.to_owned(),
            value: digest,
        });
    }
    Ok(found)
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

/// What waits in queues of classes that no worker has places for.
async fn unserved(process: &Process) -> Result<Vec<Unclaimed>> {
    let (queues, mut found) = (queued_classes(process).await?, Vec::new());
    if queues.is_empty() {
        return Ok(found);
    }
    let served = served(process).await?;
    for queue in queues {
        let Some((class, _)) = class_and_capability(&queue).filter(|_| !served.contains(&queue))
        else {
            continue;
        };
        let first = "SELECT min(due) AS due FROM mediaflow_jobs WHERE state = 'queued' AND ended_at IS NULL AND class = $1";
        let first = process.db.row(first, values![&queue]).await?;
        let count = format!(
            "SELECT count(*) AS jobs FROM (SELECT 1 FROM mediaflow_jobs
               WHERE state = 'queued' AND ended_at IS NULL AND class = $1 LIMIT {COUNTED}) AS waiting"
        );
        found.push(Unclaimed {
            name: queue.clone(),
            needs: format!("class:{class}"),
            since: first.map_or(Ok(None), |row| row.opt_time("due"))?,
            count,
            value: queue,
        });
    }
    Ok(found)
}

/// How many jobs wait since a moment in classes that no worker has places for.
pub(crate) async fn count_unserved(process: &Process, since: i64) -> Result<Vec<(String, u64)>> {
    let mut counts = Vec::new();
    for Unclaimed { needs, since: first, count, value, .. } in unserved(process).await? {
        if first.is_some_and(|first| i64::try_from(first.millis()).is_ok_and(|at| at <= since)) {
            let row = process.db.row(AssertSqlSafe(count), values![value]).await?;
            counts.push((needs, row.map_or(Ok(0), |row| row.int("jobs"))?.unsigned_abs()));
        }
    }
    Ok(counts)
}

/// The queues of classes that workers have places for.
async fn served(process: &Process) -> Result<HashSet<String>> {
    let mut served = HashSet::new();
    let find = "SELECT DISTINCT classes FROM mediaflow_workers";
    for row in process.db.rows(find, &[]).await? {
        let classes = row.opt_text("classes")?.unwrap_or_else(|| EARLIER.to_owned());
        served.extend(classes.split(' ').map(str::to_owned));
    }
    Ok(served)
}

/// The queues of classes of which jobs wait.
pub(crate) async fn queued_classes(process: &Process) -> Result<Vec<String>> {
    let classes = format!(
        "{} SELECT value FROM found WHERE value IS NOT NULL",
        distinct("mediaflow_jobs", "class", "state = 'queued' AND ended_at IS NULL")
    );
    let classes = process.db.rows(AssertSqlSafe(classes), &[]).await?;
    classes.iter().map(|row| row.text("value")).collect()
}
