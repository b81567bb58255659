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
      AS schedules,
    CAST(CASE WHEN EXISTS (SELECT 1 FROM mediaflow_jobs WHERE held = 'new') THEN 1 ELSE 0 END AS BIGINT) AS new,
    CAST(CASE WHEN EXISTS (SELECT 1 FROM mediaflow_followed) THEN 1 ELSE 0 END AS BIGINT) AS followed,
    CAST(CASE WHEN EXISTS (SELECT 1 FROM mediaflow_jobs WHERE held = 'due' AND due <= $1) THEN 1 ELSE 0 END AS BIGINT)
      AS due,
    (SELECT due FROM mediaflow_jobs WHERE held = 'due' AND due > $1 ORDER BY due LIMIT 1) AS next";

/// Takes up parked jobs that this process knows, and tells of those that nobody does, until `stop`.
pub(crate) async fn parked(process: Arc<Process>, stop: CancellationToken) {
    let mut looked: Option<Instant> = None;
    let mut share = String::new();
    loop {
        may_panic("loop.parked");
        let oldest = process.is_oldest();
        let turn = async {
            process.looks();
            if let Some(row) = process.db.row(ANYTHING, values![process.now()]).await? {
                if row.int("new")? != 0 {
                    jobs::start_new(&process).await?;
                }
                if row.int("followed")? != 0 {
                    jobs::follow_ended(&process).await?;
                }
                if row.int("due")? != 0 {
                    jobs::start_due(&process).await?;
                }
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
                if let Some(next) = row.opt_time("next")? {
                    process.look_at(next);
                }
            }
            if oldest {
                for (queue, released) in process.db.release_due().await? {
                    process.queued(&queue, released);
                }
            }
            if oldest && looked.is_none_or(|looked| looked.elapsed() >= RARELY) {
                for_all(&process, &mut share).await?;
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
        if stop.run_until_cancelled(pause(&process, every)).await.is_none() {
            return;
        }
    }
}

/// Until it is time to look again, or there is something to look at.
async fn pause(process: &Process, every: Duration) {
    let end = Instant::now() + every.mul_f64(0.9 + 0.2 * fastrand::f64());
    loop {
        let now = process.now();
        let next = process.next_look().map(|next| Instant::now() + next.since(now));
        tokio::select! {
            () = tokio::time::sleep_until(next.map_or(end, |next| next.min(end))) => return,
            () = process.looking.notified() => {}
        }
    }
}

/// One worker is enough.
async fn for_all(process: &Process, share: &mut String) -> Result<()> {
    let find = "SELECT DISTINCT capability FROM mediaflow_workers WHERE capability IS NOT NULL";
    let found = process.db.rows(find, &[]).await?;
    let capabilities = found.iter().map(|row| row.text("capability")).collect::<Result<_>>()?;
    jobs::wake_missed(process).await?;
    *share = jobs::recount_shares(process, share).await?;
    jobs::park_orphans(process, &capabilities).await?;
    jobs::tell_unclaimed(process).await
}
