use mediaflow_core::Result;

use super::figures::Stats;
use super::gather::live;
use crate::metrics;
use crate::process::Process;

/// Reads how the whole queue stands, and shows it as metrics.
pub(crate) async fn gauge(process: &Process) -> Result<()> {
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
