use std::time::Duration;

use mediaflow_core::Result;
use sqlx::AssertSqlSafe;

use super::figures::Stats;
use super::gather::live;
use crate::db::values;
use crate::metrics;
use crate::process::Process;

/// Reads how the whole queue stands, and shows it as metrics, if this process has the right to. It keeps it for `lease` after
/// that. Gives whether it has.
pub(crate) async fn gauge(process: &Process, lease: Duration) -> Result<bool> {
    let elected = is_elected(process, lease).await?;
    if elected {
        show(process).await?;
    }
    Ok(elected)
}

/// Takes the right, which one process has, unless another one has it.
async fn is_elected(process: &Process, lease: Duration) -> Result<bool> {
    let clock = process.db.clock();
    let other = format!(
        "SELECT 1 AS one FROM mediaflow_leases WHERE name = 'gauges' AND holder <> $1 AND lease_until > {clock}"
    );
    if process.db.row(AssertSqlSafe(other), values![&process.id]).await?.is_some() {
        return Ok(false);
    }
    let take = format!(
        "INSERT INTO mediaflow_leases (name, holder, lease_until) VALUES ('gauges', $1, {clock} + $2)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
         WHERE mediaflow_leases.holder = excluded.holder OR mediaflow_leases.lease_until <= {clock}"
    );
    let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
    Ok(process.db.run(AssertSqlSafe(take), values![&process.id, lease]).await? > 0)
}

async fn show(process: &Process) -> Result<()> {
    let mut stats = Stats::default();
    live(process, &mut stats).await?;
    // Two questions, so that each index is used.
    let mut pending = 0;
    for sql in [
        "SELECT count(*) AS deliveries FROM mediaflow_messages WHERE state = 'pending'",
        "SELECT count(*) AS deliveries FROM mediaflow_messages WHERE state = 'sending'",
    ] {
        let row = process.db.row(sql, &[]).await?;
        pending += row.map(|row| row.int("deliveries")).transpose()?.unwrap_or(0);
    }
    let oldest = stats.oldest_queued.unwrap_or_default();
    metrics::gauges(stats.jobs.queued, stats.jobs.running, oldest, pending);
    Ok(())
}
