use std::collections::BTreeMap;
use std::time::Duration;

use mediaflow_core::Result;
use sqlx::AssertSqlSafe;

use super::figures::{DestinationStats, JobCounts, Stats, Throughput, WorkerStats};
use crate::db::{Row, values};
use crate::jobs::{UNCLAIMED, count_unserved};
use crate::outbox::{Breaker, admin};
use crate::process::Process;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Jobs by state and class. Those that wait for their time are not late.
const LIVE: &str = "SELECT state, class, count(*) AS jobs,
      min(CASE WHEN state = 'queued' AND due <= $1 THEN due END) AS due
    FROM mediaflow_jobs WHERE ended_at IS NULL GROUP BY state, class
    UNION ALL
    SELECT 'not whole', '', CAST(coalesce(sum((SELECT count(*) FROM mediaflow_batch_jobs b WHERE b.batch = o.batch)), 0) AS BIGINT), NULL
    FROM mediaflow_open_batches o WHERE o.whole <> 1";

const ENDED: &str =
    "SELECT state, count(*) AS jobs FROM mediaflow_jobs WHERE ended_at > $1 GROUP BY state";

const LATELY: &str = "SELECT count(*) AS hour,
      count(CASE WHEN ended_at > $2 THEN 1 END) AS five,
      count(CASE WHEN ended_at > $3 THEN 1 END) AS minute
    FROM mediaflow_jobs WHERE ended_at > $1";

const FAILURES: &str =
    "SELECT coalesce(failure_code, 'unknown') AS code, count(*) AS jobs FROM mediaflow_jobs
    WHERE ended_at > $1 AND state = 'failed' GROUP BY failure_code";

/// What has been parked for so long: whole jobs, and those of which a part is.
const PARKED: &str = "SELECT needs, count(*) AS jobs FROM mediaflow_jobs
    WHERE parked IS NOT NULL AND parked_at <= $1 GROUP BY needs
    UNION ALL
    SELECT j.needs, count(DISTINCT p.job) FROM mediaflow_parts p JOIN mediaflow_jobs j ON j.id = p.job
    WHERE p.parked IS NOT NULL AND p.parked_at <= $1 GROUP BY j.needs";

/// Each of the states has an index of its own.
const MESSAGES: &str = "
    SELECT destination, 'pending' AS state, count(*) AS messages, min(created_at) AS oldest
    FROM mediaflow_messages WHERE state = 'pending' GROUP BY destination
    UNION ALL
    SELECT destination, 'sending', count(*), min(created_at)
    FROM mediaflow_messages WHERE state = 'sending' GROUP BY destination
    UNION ALL
    SELECT destination, 'delivered', count(*), 0
    FROM mediaflow_messages WHERE state = 'delivered' AND ended_at > $1 GROUP BY destination
    UNION ALL
    SELECT destination, 'dead', count(*), 0
    FROM mediaflow_messages WHERE state = 'dead' GROUP BY destination";

/// What goes on at this moment.
pub(crate) async fn gather(process: &Process) -> Result<Stats> {
    let mut stats = Stats::default();
    live(process, &mut stats).await?;
    for row in process.db.rows(ENDED, values![now(process) - DAY]).await? {
        *state(&mut stats.jobs, &row.text("state")?) += count(&row, "jobs")?;
    }
    stats.throughput = throughput(process).await?;
    for row in process.db.rows(FAILURES, values![now(process) - DAY]).await? {
        stats.failures.insert(row.text("code")?, count(&row, "jobs")?);
    }
    let since =
        now(process).saturating_sub(i64::try_from(UNCLAIMED.as_millis()).unwrap_or(i64::MAX));
    for row in process.db.rows(PARKED, values![since]).await? {
        let needs = row.opt_text("needs")?.unwrap_or_default();
        *stats.unclaimed.entry(needs).or_default() += count(&row, "jobs")?;
    }
    for (needs, jobs) in count_unserved(process, since).await? {
        *stats.unclaimed.entry(needs).or_default() += jobs;
    }
    stats.destinations = destinations(process).await?;
    stats.workers = workers(process).await?;
    Ok(stats)
}

/// What has not ended yet: cheap, however much is stored.
pub(super) async fn live(process: &Process, stats: &mut Stats) -> Result<()> {
    let now = now(process);
    let mut hidden = 0;
    for row in process.db.rows(LIVE, values![now]).await? {
        let (name, jobs) = (row.text("state")?, count(&row, "jobs")?);
        if name == "not whole" {
            hidden = jobs;
            continue;
        }
        *state(&mut stats.jobs, &name) += jobs;
        if name == "running" {
            let class = row.text("class")?;
            let class = class.strip_prefix("mediaflow_").unwrap_or(&class).to_owned();
            *stats.running.entry(class).or_default() += jobs;
        }
        let waits = row.opt_int("due")?.map(|due| millis(now - due));
        stats.oldest_queued = stats.oldest_queued.max(waits);
    }
    // All of these are held, which is to be queued.
    stats.jobs.queued = stats.jobs.queued.saturating_sub(hidden);
    Ok(())
}

async fn throughput(process: &Process) -> Result<Throughput> {
    let now = now(process);
    let since = values![now - HOUR, now - 5 * MINUTE, now - MINUTE];
    let Some(row) = process.db.row(LATELY, since).await? else { return Ok(Throughput::default()) };
    let per_minute = |column, minutes| count(&row, column).map(|ended| ended as f64 / minutes);
    Ok(Throughput {
        last_minute: per_minute("minute", 1.0)?,
        last_5_minutes: per_minute("five", 5.0)?,
        last_hour: per_minute("hour", 60.0)?,
    })
}

async fn destinations(process: &Process) -> Result<Vec<DestinationStats>> {
    let now = now(process);
    let mut found: BTreeMap<(String, String), DestinationStats> = BTreeMap::new();
    for known in admin::destinations(process).await? {
        let stats = DestinationStats::new(known.channel, known.origin, known.breaker);
        found.insert((stats.channel.clone(), stats.origin.clone()), stats);
    }
    for row in process.db.rows(MESSAGES, values![now - HOUR]).await? {
        let text = row.text("destination")?;
        let (channel, origin) = text.split_once(' ').unwrap_or((&text, ""));
        let destination =
            found.entry((channel.to_owned(), origin.to_owned())).or_insert_with(|| {
                DestinationStats::new(channel.to_owned(), origin.to_owned(), Breaker::Closed)
            });
        let messages = count(&row, "messages")?;
        match row.text("state")?.as_str() {
            "delivered" => destination.delivered += messages,
            "dead" => destination.dead += messages,
            _ => {
                destination.pending += messages;
                let oldest = Some(millis(now - row.int("oldest")?));
                destination.oldest_pending = destination.oldest_pending.max(oldest);
            }
        }
    }
    Ok(found.into_values().collect())
}

async fn workers(process: &Process) -> Result<Vec<WorkerStats>> {
    let clock = process.db.clock();
    let find = format!(
        "SELECT id, host, pid, {clock} - started_at AS uptime, {clock} - beat_at AS beat
         FROM mediaflow_workers ORDER BY id"
    );
    let rows = process.db.rows(AssertSqlSafe(find), &[]).await?;
    let worker = |row: &Row| {
        Ok(WorkerStats {
            id: row.text("id")?,
            host: row.text("host")?,
            pid: u32::try_from(row.int("pid")?).unwrap_or_default(),
            uptime: millis(row.int("uptime")?),
            beat: millis(row.int("beat")?),
        })
    };
    rows.iter().map(worker).collect()
}

fn state<'a>(jobs: &'a mut JobCounts, name: &str) -> &'a mut u64 {
    match name {
        "queued" | "parked" | "held" => &mut jobs.queued,
        "running" => &mut jobs.running,
        "succeeded" => &mut jobs.succeeded,
        "partial" => &mut jobs.partial,
        "waiting" => &mut jobs.waiting,
        "failed" => &mut jobs.failed,
        "cancelled" => &mut jobs.cancelled,
        _ => &mut jobs.other,
    }
}

fn now(process: &Process) -> i64 {
    i64::try_from(process.now().millis()).unwrap_or(i64::MAX)
}

fn count(row: &Row, column: &str) -> Result<u64> {
    row.int(column).map(|count| u64::try_from(count).unwrap_or_default())
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}
