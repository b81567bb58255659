use mediaflow_core::report::JobState;
use mediaflow_core::{JobId, Result};
use sqlx::AssertSqlSafe;

use super::batch::created;
use super::row::{NOT_WHOLE, unknown};
use crate::db::values;
use crate::events;
use crate::process::Process;

/// Cancels a job. One that waits ends here; whoever runs one is asked to stop, in whichever process it is.
pub(crate) async fn cancel(process: &Process, job: JobId) -> Result<()> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let note = "UPDATE mediaflow_jobs SET cancelled = 1 WHERE id = $1 AND ended_at IS NULL
                RETURNING river, state, parts_left, worker, held, batch, spec";
    let Some(row) = tx.row(note, values![job]).await? else {
        let there =
            tx.row("SELECT 1 AS one FROM mediaflow_jobs WHERE id = $1", values![job]).await?;
        return there.map(drop).ok_or_else(|| unknown(job));
    };
    let parts = super::parts::stop(process, &mut tx, job).await?;
    tx.cancel(&process.river, row.int("river")?).await?;
    // Between its parts, and before its assembly, nobody holds a job that was split.
    let state = row.text("state")?;
    let idle = state == "queued"
        || state == "parked"
        || state == "held"
        || state == "waiting"
        || (row.opt_int("parts_left")?.is_some() && row.opt_text("worker")?.is_none());
    let mut first = Vec::new();
    if row.opt_text("held")?.as_deref() == Some("batch") {
        let batch = row.parsed("batch")?;
        let open = format!("{NOT_WHOLE} AND batch = $1");
        if tx.row(AssertSqlSafe(open), values![batch]).await?.is_some() {
            // It is there together with all others, or not at all.
            return Err(unknown(job));
        }
        // Its batch has not let it go yet, which would have told of it.
        first.extend(created(process, job, batch, &row));
        events::record(process, &mut tx, &first).await?;
    }
    let mut ended = None;
    if idle {
        let reason = mediaflow_core::Error::cancelled();
        ended = super::fail_by_name(process, &mut tx, job, JobState::Cancelled, &reason).await?;
    }
    transaction.commit().await?;
    process.committed(first);
    ended.unwrap_or_default().tell(process);
    process.stop(row.int("river")?);
    for part in parts {
        process.stop(part);
    }
    if row.opt_int("parts_left")?.is_some() || state == "waiting" {
        // What is under way is discarded by whoever stages it.
        process.executor.discard([job]).await;
    }
    Ok(())
}

/// Stops what this process works on and somebody has cancelled elsewhere. River tells of it at once, and once: who is not
/// listening at that moment, because its connection was cut or has just been opened, would never hear of it.
pub(crate) async fn stop_cancelled(process: &Process) -> Result<()> {
    if process.active().is_empty() {
        return Ok(());
    }
    let find = "SELECT river FROM mediaflow_jobs WHERE worker = $1 AND cancelled = 1
        UNION ALL
        SELECT p.river FROM mediaflow_parts p JOIN mediaflow_jobs j ON j.id = p.job
        WHERE p.worker = $1 AND (j.cancelled = 1 OR j.ended_at IS NOT NULL)";
    for row in process.db.rows(find, values![&process.id]).await? {
        process.stop(row.int("river")?);
    }
    Ok(())
}
