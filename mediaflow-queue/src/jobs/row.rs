use mediaflow_core::engine::Record;
use mediaflow_core::report::JobState;
use mediaflow_core::spec::{JobSpec, Needs};
use mediaflow_core::{Error, JobId, Result, codes};

use crate::db::{Row, to_json};
use crate::process::Process;

/// A job that this process holds: its record, and the token of the attempt.
#[derive(Clone, Debug)]
pub(crate) struct ClaimedJob {
    pub(crate) record: Record,
    pub(crate) fence: i64,
    pub(crate) river: i64,
    pub(crate) class: String,
    /// Not every worker of its class knows what it needs.
    pub(crate) parked_before: bool,
    /// Something of it waits for work that goes on elsewhere, or has waited.
    pub(crate) waits: bool,
    /// The share of its tenant, of which it takes a place.
    pub(crate) share: Option<String>,
}

/// What [`ClaimedJob::read`] needs.
pub(super) const COLUMNS: &str = "id, river, class, state, spec, batch, fence, attempts, progress, cancelled, failure, report, queued_at, started_at, parts_left, needs, parked_at, checkpoint, waits, CASE WHEN shared = 1 THEN share END AS taken";

impl ClaimedJob {
    pub(super) fn read(row: &Row) -> Result<Self> {
        let spec: JobSpec = row.json("spec")?;
        let batch = row.opt_text("batch")?.map(|batch| batch.parse()).transpose()?;
        let mut record = Record::new(spec, batch, row.time("queued_at")?);
        record.id = row.parsed("id")?;
        record.state = match row.text("state")?.as_str() {
            // Where it waits is of no interest to anybody.
            "parked" if row.opt_int("parts_left")?.is_some() => JobState::Running,
            "parked" | "held" => JobState::Queued,
            _ => row.named("state")?,
        };
        record.progress = row.share("progress")?;
        record.attempts = u32::try_from(row.int("attempts")?).unwrap_or(u32::MAX);
        record.cancelled = row.int("cancelled")? != 0;
        record.failure = row.opt_json("failure")?;
        record.report = row.opt_json("report")?;
        record.started_at = row.opt_time("started_at")?;
        record.checkpoint = row.opt_json("checkpoint")?;
        Ok(Self {
            record,
            fence: row.int("fence")?,
            river: row.int("river")?,
            class: row.text("class")?,
            parked_before: row.opt_int("parked_at")?.is_some(),
            waits: row.int("waits")? != 0,
            share: row.opt_text("taken")?,
        })
    }

    /// Where its parts and its assembly are queued: a job that was parked once is for those who know what this process knows.
    pub(super) fn queue(&self, process: &Process) -> String {
        if self.parked_before { process.own_queue(&self.class) } else { self.class.clone() }
    }

    pub(super) fn failure(&self) -> Result<Option<String>> {
        self.record.failure.as_ref().map(to_json).transpose()
    }
}

/// What a job needs, as it was stored with it, or read from its spec.
pub(super) fn needs_of(row: &Row) -> Result<Needs> {
    match row.opt_text("needs")? {
        Some(needs) => Ok(read_needs(&needs)),
        None => row.json::<JobSpec>("spec").map(|spec| spec.needs()),
    }
}

/// What finds the batches that are not whole: of their jobs nobody hears.
pub(crate) const NOT_WHOLE: &str = "SELECT batch FROM mediaflow_open_batches WHERE whole <> 1";

/// No text is refused.
pub(super) fn read_needs(needs: &str) -> Needs {
    needs.parse().unwrap_or_default()
}

/// A text that is a tenant's own. Neither tenants nor idempotency keys have control characters.
pub(super) fn own(tenant: Option<&str>, text: &str) -> String {
    tenant.map_or_else(|| text.to_owned(), |tenant| format!("{tenant}\u{1f}{text}"))
}

pub(crate) fn unknown(job: JobId) -> Error {
    Error::input(codes::JOB_UNKNOWN, "there is no such job")
        .with("job", job)
        .help("ended jobs are forgotten after `Queue::retention`")
}

/// Fails unless a write under an attempt's token has found its row.
pub(super) fn counts(rows: u64, job: JobId) -> Result<()> {
    if rows == 0 { Err(fenced(job)) } else { Ok(()) }
}

pub(super) fn fenced(job: JobId) -> Error {
    Error::backend(codes::QUEUE_FENCED, "another worker has taken the job over").with("job", job)
}
