use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::{CancellationToken, Result};
use tokio::time::Instant;

use crate::failpoint::may_panic;
use crate::jobs;
use crate::process::Process;

/// How often is looked for jobs that nobody knew before.
const EVERY: Duration = Duration::from_secs(1);

/// How often what concerns all workers is looked at.
const RARELY: Duration = Duration::from_secs(4);

/// Takes up parked jobs that this process knows, and tells of those that nobody does, until `stop`.
pub(crate) async fn parked(process: Arc<Process>, stop: CancellationToken) {
    let mut looked: Option<Instant> = None;
    let mut share = String::new();
    loop {
        may_panic("loop.parked");
        let turn = async {
            process.looks();
            jobs::start_new(&process).await?;
            jobs::follow_ended(&process).await?;
            jobs::start_due(&process).await?;
            if let Some(due) = jobs::next_due(&process).await? {
                process.look_at(due);
            }
            jobs::take_up(&process).await?;
            jobs::wake_due(&process).await?;
            jobs::run_due(&process).await?;
            jobs::stop_abandoned(&process).await?;
            if looked.is_none_or(|looked| looked.elapsed() >= RARELY) {
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
        if stop.run_until_cancelled(pause(&process)).await.is_none() {
            return;
        }
    }
}

/// Until it is time to look again, or there is something to look at.
async fn pause(process: &Process) {
    let every = EVERY.mul_f64(0.9 + 0.2 * fastrand::f64());
    let end = Instant::now() + every;
    loop {
        let now = process.now();
        let next = process.next_look().map(|next| Instant::now() + next.since(now));
        tokio::select! {
            () = tokio::time::sleep_until(next.map_or(end, |next| next.min(end))) => return,
            () = process.looking.notified() => {}
        }
    }
}

/// One worker is enough: the oldest, whose name is the first.
async fn for_all(process: &Process, share: &mut String) -> Result<()> {
    let first = "SELECT min(id) AS id FROM mediaflow_workers";
    let first = process.db.row(first, &[]).await?;
    let first = first.map(|row| row.opt_text("id")).transpose()?.flatten();
    if first.is_none_or(|first| first != process.id) {
        return Ok(());
    }
    let find = "SELECT DISTINCT capability FROM mediaflow_workers WHERE capability IS NOT NULL";
    let found = process.db.rows(find, &[]).await?;
    let capabilities = found.iter().map(|row| row.text("capability")).collect::<Result<_>>()?;
    jobs::wake_missed(process).await?;
    *share = jobs::recount_shares(process, share).await?;
    jobs::park_orphans(process, &capabilities).await?;
    process.db.release_due().await?;
    jobs::tell_unclaimed(process).await
}
