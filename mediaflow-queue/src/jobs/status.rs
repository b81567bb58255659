use mediaflow_core::report::{BatchReport, JobStatus};
use mediaflow_core::spec::JobSpec;
use mediaflow_core::{BatchId, Error, JobId, Result};
use sqlx::AssertSqlSafe;

use super::row::{COLUMNS, ClaimedJob, unknown};
use crate::db::values;
use crate::process::Process;

/// The reports of a batch, in the order of submission.
pub(super) const REPORTS: &str =
    "SELECT j.report FROM mediaflow_batch_jobs b JOIN mediaflow_jobs j ON j.id = b.job
     WHERE b.batch = $1 ORDER BY b.position";

async fn find(process: &Process, job: JobId) -> Result<ClaimedJob> {
    let find = format!("SELECT {COLUMNS} FROM mediaflow_jobs WHERE id = $1");
    let row =
        process.db.row(AssertSqlSafe(find), values![job]).await?.ok_or_else(|| unknown(job))?;
    ClaimedJob::read(&row).map_err(|e| e.with("job", job))
}

/// What is known of a job.
pub(crate) async fn status(process: &Process, job: JobId) -> Result<JobStatus> {
    Ok(find(process, job).await?.record.status())
}

/// The spec of a job that has ended, for another run.
pub(crate) async fn replayable(
    process: &Process,
    job: JobId,
    spec: Option<JobSpec>,
) -> Result<JobSpec> {
    let record = find(process, job).await?.record;
    if !record.state.is_terminal() {
        return Err(Error::input("job.not_ended", "only a job that has ended can be replayed")
            .with("job", job)
            .help("wait for its end, or cancel it"));
    }
    Ok(spec.unwrap_or(record.spec).again())
}

/// What became of a batch, once all its jobs have ended.
pub(crate) async fn batch(process: &Process, batch: BatchId) -> Result<Option<BatchReport>> {
    let find = "SELECT ended_at FROM mediaflow_batches WHERE id = $1";
    let row = process.db.row(find, values![batch]).await?.ok_or_else(|| {
        Error::input("batch.unknown", "there is no such batch")
            .with("batch", batch)
            .help("ended batches are forgotten after `Queue::retention`")
    })?;
    if row.opt_int("ended_at")?.is_none() {
        return Ok(None);
    }
    let rows = process.db.rows(REPORTS, values![batch]).await?;
    let reports = rows.iter().map(|row| row.json("report")).collect::<Result<Vec<_>>>()?;
    Ok(Some(BatchReport::new(batch, reports)))
}
