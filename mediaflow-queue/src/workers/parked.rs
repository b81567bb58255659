use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::{CancellationToken, Result};
use tokio::time::Instant;

use crate::db::values;
use crate::failpoint::may_panic;
use crate::jobs;
use crate::process::{Process, shared};

/// How often is looked for jobs that nobody knew before.
const EVERY: Duration = Duration::from_secs(1);

/// How often what concerns all workers is looked at.
const RARELY: Duration = Duration::from_secs(4);

/// Whether there is anything to do: mostly there is not, and that is to cost one statement.
const ANYTHING: &str = "SELECT
    CAST(CASE WHEN EXISTS (SELECT 1 FROM mediaflow_jobs WHERE parked IS NOT NULL)
      OR EXISTS (SELECT 1 FROM mediaflow_parts WHERE parked IS NOT NULL) THEN 1 ELSE 0 END AS BIGINT) AS parked,
    CAST(CASE WHEN EXISTS (SELECT 1 FROM mediaflow_waits WHERE due <= $1) THEN 1 ELSE 0 END AS BIGINT) AS waits,
    CAST(CASE WHEN EXISTS (SELECT 1 FROM mediaflow_schedules WHERE next_at <= $1) THEN 1 ELSE 0 END AS BIGINT)
      AS schedules";

/// Takes up parked jobs that this process knows, and tells of those that nobody does, until `stop`.
pub(crate) async fn parked(process: Arc<Process>, stop: CancellationToken) {
    let mut looked: Option<Instant> = None;
    loop {
        may_panic("loop.parked");
        let oldest = process.is_oldest();
        let turn = async {
            if let Some(row) = process.db.row(ANYTHING, values![process.now()]).await? {
                if row.int("parked")? != 0 {
                    jobs::take_up(&process).await?;
                }
                if row.int("waits")? != 0 {
                    jobs::wake_due(&process).await?;
                    jobs::stop_abandoned(&process).await?;
                }
                if row.int("schedules")? != 0 {
                    jobs::run_due(&process).await?;
                }
            }
            if oldest {
                for (queue, released) in process.db.release_due().await? {
                    process.queued(&queue, released);
                }
            }
            if oldest && looked.is_none_or(|looked| looked.elapsed() >= RARELY) {
                for_all(&process).await?;
                looked = Some(Instant::now());
            }
            Ok::<_, mediaflow_core::Error>(())
        };
        match stop.run_until_cancelled(turn).await {
            None => return,
            Some(Err(error)) => tracing::debug!(%error, "parked jobs can not be looked at"),
            Some(Ok(())) => {}
        }
        // What any worker can do is not to wait for one of many; what needs to be known is shared by those who know it.
        let every = if oldest { EVERY } else { EVERY * shared(process.peers()) };
        let wait = every.mul_f64(0.9 + 0.2 * fastrand::f64());
        if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}

/// One worker is enough.
async fn for_all(process: &Process) -> Result<()> {
    let find = "SELECT DISTINCT capability FROM mediaflow_workers WHERE capability IS NOT NULL";
    let found = process.db.rows(find, &[]).await?;
    let capabilities = found.iter().map(|row| row.text("capability")).collect::<Result<_>>()?;
    jobs::wake_missed(process).await?;
    jobs::park_orphans(process, &capabilities).await?;
    jobs::tell_unclaimed(process).await
}
