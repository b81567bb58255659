use mediaflow_core::report::{
    BatchReport, BatchSummary, JobFailure, JobState, JobStatus, OutputReport,
};
use mediaflow_core::spec::JobSpec;
use mediaflow_core::{BatchId, Error, JobId, Result, codes};
use sqlx::AssertSqlSafe;

use super::row::{COLUMNS, ClaimedJob, NOT_WHOLE, own, unknown};
use crate::db::{Row, Tx, values};
use crate::process::Process;

/// The reports of a batch, in the order of submission.
pub(super) const REPORTS: &str =
    "SELECT j.report FROM mediaflow_batch_jobs b JOIN mediaflow_jobs j ON j.id = b.job
     WHERE b.batch = $1 ORDER BY b.position";

/// What became of a batch, without reading a single report: they may be large, or of a newer build.
pub(super) async fn summary(tx: &mut Tx<'_, '_>, batch: BatchId) -> Result<BatchSummary> {
    let count = "SELECT j.state, count(*) AS jobs FROM mediaflow_batch_jobs b JOIN mediaflow_jobs j ON j.id = b.job
                 WHERE b.batch = $1 GROUP BY j.state";
    let counts = tx.rows(count, values![batch]).await?;
    let count = |row: &Row| Ok((row.named("state")?, row.int("jobs")?.unsigned_abs()));
    let counts = counts.iter().map(count).collect::<Result<Vec<_>>>()?;
    let mut summary = BatchSummary::new(batch, counts);
    let name = "SELECT job FROM mediaflow_batch_jobs WHERE batch = $1 ORDER BY position LIMIT $2";
    let named = tx.rows(name, values![batch, BatchSummary::NAMED as i64]).await?;
    summary.named = named.iter().map(|row| row.parsed("job")).collect::<Result<_>>()?;
    if summary.counts.contains_key(JobState::Failed.as_str()) {
        let fail = "SELECT b.job, coalesce(j.failure_code, '') AS code
                    FROM mediaflow_batch_jobs b JOIN mediaflow_jobs j ON j.id = b.job
                    WHERE b.batch = $1 AND j.state = 'failed' ORDER BY b.position LIMIT $2";
        let failed = tx.rows(fail, values![batch, BatchSummary::FAILURES as i64]).await?;
        let failure = |row: &Row| Ok(JobFailure::new(row.parsed("job")?, row.text("code")?));
        summary.failures = failed.iter().map(failure).collect::<Result<_>>()?;
    }
    Ok(summary)
}

async fn find(process: &Process, job: JobId) -> Result<ClaimedJob> {
    let find = format!("SELECT {COLUMNS}, held FROM mediaflow_jobs WHERE id = $1");
    let row =
        process.db.row(AssertSqlSafe(find), values![job]).await?.ok_or_else(|| unknown(job))?;
    if let (Some("batch"), Some(batch)) = (row.opt_text("held")?.as_deref(), row.opt_text("batch")?)
    {
        let open = format!("{NOT_WHOLE} AND batch = $1");
        if process.db.row(AssertSqlSafe(open), values![batch]).await?.is_some() {
            return Err(unknown(job));
        }
    }
    ClaimedJob::read(&row).map_err(|e| e.with("job", job))
}

/// What is known of a job.
pub(crate) async fn status(process: &Process, job: JobId) -> Result<JobStatus> {
    Ok(find(process, job).await?.record.status())
}

/// What is known of a job, for one that comes after it.
pub(crate) async fn outcome(process: &Process, later: &JobSpec, job: JobId) -> Result<JobStatus> {
    let record = find(process, job).await?.record;
    let known = later.may_follow(record.spec.options.tenant.as_deref());
    if known { Ok(record.status()) } else { Err(unknown(job)) }
}

/// Reports of outputs of a tenant under a content key, the newest first. A caller looks whether their bytes are still there.
pub(crate) async fn recalled(
    process: &Process,
    tenant: Option<&str>,
    content_key: &str,
) -> Result<Vec<OutputReport>> {
    // Ids of jobs sort by the time they were made.
    let find =
        "SELECT report FROM mediaflow_outputs WHERE content_key = $1 ORDER BY job DESC LIMIT 8";
    let rows = process.db.rows(find, values![own(tenant, content_key)]).await?;
    // A report of a newer version is of no use here.
    Ok(rows.iter().filter_map(|row| row.json("report").ok()).collect())
}

/// The spec of a job that has ended, for another run.
pub(crate) async fn replayable(
    process: &Process,
    job: JobId,
    spec: Option<JobSpec>,
) -> Result<JobSpec> {
    let record = find(process, job).await?.record;
    if !record.state.is_terminal() {
        return Err(Error::input(
            codes::JOB_NOT_ENDED,
            "only a job that has ended can be replayed",
        )
        .with("job", job)
        .help("wait for its end, or cancel it"));
    }
    Ok(spec.unwrap_or(record.spec).again())
}

/// What became of a batch, once all its jobs have ended.
pub(crate) async fn batch(process: &Process, batch: BatchId) -> Result<Option<BatchReport>> {
    let find = "SELECT ended_at FROM mediaflow_batches WHERE id = $1";
    let row = process.db.row(find, values![batch]).await?.ok_or_else(|| {
        Error::input(codes::BATCH_UNKNOWN, "there is no such batch")
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
