use std::collections::BTreeSet;
use std::time::Duration;

use mediaflow_core::{JobId, Result};
use sqlx::AssertSqlSafe;

use crate::db::{Value, places};
use crate::process::Process;

/// A job that is not known may be another queue's, in the same storage: what it has staged is left alone for so long beyond
/// the time for which ended jobs are kept.
const UNKNOWN: Duration = Duration::from_secs(86_400);

/// How many jobs are asked for at once.
const TOGETHER: usize = 100;

/// Discards what jobs have left staged that have ended, or are not known any more: their processes were killed.
pub(super) async fn collect(process: &Process) -> Result<()> {
    let staged: Vec<JobId> = process.executor.staged().await.into_iter().collect();
    let mut dead = BTreeSet::new();
    for jobs in staged.chunks(TOGETHER) {
        let find = format!(
            "SELECT id, ended_at FROM mediaflow_jobs WHERE id IN {}",
            places(1, jobs.len())
        );
        let ids: Vec<_> = jobs.iter().copied().map(Value::from).collect();
        let mut unknown: BTreeSet<_> = jobs.iter().copied().collect();
        for row in process.db.rows(AssertSqlSafe(find), &ids).await? {
            let job = row.parsed("id")?;
            unknown.remove(&job);
            if row.opt_int("ended_at")?.is_some() {
                dead.insert(job);
            }
        }
        let age = process.settings.retention.saturating_add(UNKNOWN);
        let old = |job: &JobId| job.made_at().is_some_and(|made| process.now().since(made) > age);
        dead.extend(unknown.into_iter().filter(old));
    }
    if !dead.is_empty() {
        tracing::info!(jobs = dead.len(), "what ended jobs have left staged is discarded");
    }
    process.executor.discard(dead).await;
    Ok(())
}
