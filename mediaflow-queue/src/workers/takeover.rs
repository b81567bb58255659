//! What somebody held who does not hold it any more goes back into the queue, or ends: one transaction.

use mediaflow_core::engine::Record;
use mediaflow_core::report::JobState;
use mediaflow_core::{Error, Failure, JobId, Result, codes};

use crate::db::{Requeued, Row, Tx, values};
use crate::jobs::{Ended, Ends};
use crate::process::Process;
use crate::{jobs, outbox};

/// Takes over all that a dead worker held. `beat` is its last sign of life, as it was seen; without one it is not
/// registered any more. Gives false if somebody else was faster, or it lives after all.
pub(super) async fn from_worker(
    process: &Process,
    worker: &str,
    beat: Option<i64>,
) -> Result<bool> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let dead = match beat {
        Some(beat) => {
            let remove = "DELETE FROM mediaflow_workers WHERE id = $1 AND beat_at = $2";
            tx.run(remove, values![worker, beat]).await? > 0
        }
        None => {
            let find = "SELECT 1 AS one FROM mediaflow_workers WHERE id = $1";
            tx.row(find, values![worker]).await?.is_none()
        }
    };
    if !dead {
        return Ok(false);
    }
    let mut after = After::default();
    let taken = Takeover { process, worker, only: None }.all(&mut tx, &mut after).await?;
    after.finish(process, &mut tx).await?;
    after.told.events.extend(outbox::release(process, &mut tx, worker).await?);
    if let Some(file) = process.db.file() {
        // While the database is locked: a worker that comes back makes its lock again after this.
        super::lock::remove(file, worker);
    }
    transaction.commit().await?;
    tracing::warn!(worker, taken, "a worker is gone: what it held was taken over");
    after.settle(process).await;
    Ok(true)
}

/// Takes back what this process seems to hold under River's number, although nobody here works on it: its end could
/// not be written.
pub(super) async fn from_ourselves(process: &Process, river: i64) -> Result<()> {
    let mut transaction = process.db.begin().await?;
    let mut after = After::default();
    let takeover = Takeover { process, worker: &process.id, only: Some(river) };
    let taken = takeover.all(&mut transaction.tx(), &mut after).await?;
    after.finish(process, &mut transaction.tx()).await?;
    transaction.commit().await?;
    if taken > 0 {
        tracing::warn!(river, "the end of an attempt was not written: it is done again");
    }
    after.settle(process).await;
    Ok(())
}

/// What follows a transaction.
#[derive(Default)]
pub(super) struct After {
    ends: Ends,
    told: Ended,
    /// River's numbers of attempts that this process may be at, and that nobody needs any more.
    stop: Vec<i64>,
    /// Jobs that have ended.
    ended: Vec<JobId>,
    /// How much is in River's queues again.
    queued: usize,
}

impl After {
    /// Ends with what comes after all rows of jobs, in the same transaction.
    pub(super) async fn finish(&mut self, process: &Process, tx: &mut Tx<'_, '_>) -> Result<()> {
        self.told = std::mem::take(&mut self.ends).finish(process, tx).await?;
        Ok(())
    }

    pub(super) async fn settle(self, process: &Process) {
        self.told.tell(process);
        process.messages_changed();
        process.classes().for_each(|class| process.queued(class, self.queued));
        self.stop.into_iter().for_each(|river| process.stop(river));
        process.executor.discard(self.ended).await;
    }
}

/// Ends a job that nobody holds, in our tables and in River's. It has [to be finished](After::finish).
pub(super) async fn end(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    job: JobId,
    state: JobState,
    error: &Error,
    after: &mut After,
) -> Result<()> {
    jobs::lock(tx, job).await?;
    let find = "SELECT river FROM mediaflow_jobs WHERE id = $1 AND ended_at IS NULL";
    let Some(row) = tx.row(find, values![job]).await? else { return Ok(()) };
    after.stop.extend(jobs::stop_parts(process, tx, job).await?);
    tx.cancel(&process.river, row.int("river")?).await?;
    after.ends.add(process, tx, job, state, error).await?;
    after.ended.push(job);
    Ok(())
}

/// Whose work is taken.
struct Takeover<'a> {
    process: &'a Process,
    worker: &'a str,
    /// Nothing but what has this number of River's. Its worker lives, so that no attempt is held against it.
    only: Option<i64>,
}

/// How a job ends that nobody will try again.
enum Verdict {
    Lost,
    Cancelled,
}

impl Takeover<'_> {
    /// Gives the number of jobs and parts.
    async fn all(&self, tx: &mut Tx<'_, '_>, after: &mut After) -> Result<usize> {
        let mut ends = Vec::new();
        jobs::lock_held(tx, self.worker).await?;
        let taken =
            self.jobs(tx, &mut ends, after).await? + self.parts(tx, &mut ends, after).await?;
        after.queued += self.river(tx).await?;
        ends.sort_unstable_by_key(|(job, _)| *job);
        for (job, verdict) in ends {
            let (state, error) = match verdict {
                Verdict::Lost => (JobState::Failed, worker_lost(self.worker, NONE_LEFT)),
                Verdict::Cancelled => (JobState::Cancelled, Error::cancelled()),
            };
            match end(self.process, tx, job, state, &error, after).await {
                // A damaged row shall not keep all others from being taken over.
                Err(error) if error.code() == codes::QUEUE_CORRUPT_ROW => {
                    tracing::error!(%job, %error, "a job can not be ended");
                }
                ended => ended?,
            }
        }
        Ok(taken)
    }

    async fn jobs(
        &self,
        tx: &mut Tx<'_, '_>,
        ends: &mut Vec<(JobId, Verdict)>,
        after: &mut After,
    ) -> Result<usize> {
        // The attempts of a job that was split are those at its assembly, which are counted when they fail.
        let take = "UPDATE mediaflow_jobs SET fence = fence + 1, worker = NULL,
               state = CASE WHEN parts_left IS NULL THEN 'queued' ELSE 'running' END,
               attempts = CASE WHEN parts_left IS NULL THEN attempts ELSE attempts + 1 END
             WHERE worker = $1 AND ended_at IS NULL AND ($2 = 0 OR river = $2)
             RETURNING id, batch, attempts, cancelled, spec";
        let rows = tx.rows(take, values![self.worker, self.only.unwrap_or(0)]).await?;
        for row in &rows {
            let (Ok(job), Ok(attempts)) = (row.parsed("id"), row.int("attempts")) else { continue };
            if row.int("cancelled").unwrap_or(0) != 0 {
                ends.push((job, Verdict::Cancelled));
            } else if self.used_up(attempts, row.text("spec").ok().as_deref()) {
                ends.push((job, Verdict::Lost));
            } else {
                self.tell_retry(row, job, attempts, None, after);
            }
        }
        Ok(rows.len())
    }

    async fn parts(
        &self,
        tx: &mut Tx<'_, '_>,
        ends: &mut Vec<(JobId, Verdict)>,
        after: &mut After,
    ) -> Result<usize> {
        let take = "UPDATE mediaflow_parts SET fence = fence + 1, worker = NULL, state = 'queued'
             WHERE worker = $1 AND state = 'running' AND ($2 = 0 OR river = $2)
             RETURNING job, number, attempts";
        let rows = tx.rows(take, values![self.worker, self.only.unwrap_or(0)]).await?;
        for row in &rows {
            let Ok(job) = row.parsed::<JobId>("job") else { continue };
            let find = "SELECT batch, spec, cancelled FROM mediaflow_jobs WHERE id = $1 AND ended_at IS NULL";
            let end = match tx.row(find, values![job]).await? {
                None => Some("cancelled"),
                Some(of) if of.int("cancelled").unwrap_or(0) != 0 => {
                    ends.push((job, Verdict::Cancelled));
                    Some("cancelled")
                }
                Some(of) if self.used_up(row.int("attempts")?, of.text("spec").ok().as_deref()) => {
                    ends.push((job, Verdict::Lost));
                    Some("failed")
                }
                Some(of) => {
                    let part = u32::try_from(row.int("number")?).ok();
                    self.tell_retry(&of, job, row.int("attempts")?, part, after);
                    None
                }
            };
            if let Some(state) = end {
                let end = "UPDATE mediaflow_parts SET state = $3 WHERE job = $1 AND number = $2";
                tx.run(end, values![job, row.int("number")?, state]).await?;
            }
        }
        Ok(rows.len())
    }

    /// What River gave to this worker goes back into its queue, under a new number: whatever the old holder still has
    /// to tell River about it finds nothing, and can not end its successor's attempt. Gives how much that was.
    async fn river(&self, tx: &mut Tx<'_, '_>) -> Result<usize> {
        let requeued = tx.requeue(&self.process.db, self.worker, self.only).await?;
        let queued = requeued.len();
        for Requeued { old, new, part } in requeued {
            let follow = "UPDATE mediaflow_jobs SET river = $2 WHERE river = $1";
            tx.run(follow, values![old, new]).await?;
            if let Some(part) = part {
                let follow = "UPDATE mediaflow_parts SET river = $4 WHERE job = $1 AND number = $2 AND river = $3";
                tx.run(follow, values![part.job, part.part, old, new]).await?;
            }
        }
        Ok(queued)
    }

    /// Tells that an attempt is done again because its worker is gone. What can not be read is not told.
    fn tell_retry(
        &self,
        row: &Row,
        job: JobId,
        attempts: i64,
        part: Option<u32>,
        after: &mut After,
    ) {
        let Ok(spec) = row.json("spec") else { return };
        let (now, batch) = (self.process.now(), row.parsed("batch").ok());
        let mut record = Record::new(spec, batch, now);
        (record.id, record.attempts) = (job, u32::try_from(attempts).unwrap_or_default());
        let lost = match self.only {
            Some(_) => "the end of the attempt was not written",
            None => "the worker process died",
        };
        let failure = Failure::from(&worker_lost(self.worker, lost));
        after.ends.tell(record.retrying(failure, part, now, now));
    }

    /// Whether a job that was tried so often is not tried again.
    fn used_up(&self, attempts: i64, spec: Option<&str>) -> bool {
        let spec = spec.and_then(|spec| serde_json::from_str::<serde_json::Value>(spec).ok());
        let asked = spec.and_then(|spec| spec.pointer("/options/max_attempts")?.as_i64());
        let most = i64::from(self.process.executor.retry().max_attempts);
        let most = asked.map_or(most, |asked| asked.min(most));
        self.only.is_none() && attempts >= most
    }
}

const NONE_LEFT: &str = "the worker process died, and no attempt is left";

fn worker_lost(worker: &str, what: &str) -> Error {
    Error::backend(codes::JOB_WORKER_LOST, what)
        .with("worker", worker)
        .help("look at why it died: often the memory was used up; then replay the job")
}
