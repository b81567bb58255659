use mediaflow_core::engine::Record;
use mediaflow_core::event::EventData;
use mediaflow_core::report::{JobState, OutputState};
use mediaflow_core::spec::{JobOptions, JobSpec};
use mediaflow_core::{BatchId, Error, Event, EventKind, JobId, Result, Timestamp};
use sqlx::AssertSqlSafe;

use super::after::note_ended;
use super::lock::update_in_order;
use super::ready::release;
use super::row::{COLUMNS, ClaimedJob, fenced, own};
use super::waits::end_waits;
use crate::db::{Row, Tx, Value, places, to_json, values};
use crate::events;
use crate::failpoint::{failpoint, lost_answer};
use crate::process::{Process, Queued, add};

/// A job that has reached its end, and the events that tell of it.
#[derive(Debug)]
pub(super) struct EndedJob {
    pub(super) claimed: ClaimedJob,
    pub(super) events: Vec<Event>,
}

impl EndedJob {
    /// Ends jobs, in a transaction that may do more, and that stores the events of what follows. Gives that.
    ///
    /// River's rows are not written: River does that next, and until it has, ours say that nothing is left to do.
    pub(super) async fn end(
        process: &Process,
        tx: &mut Tx<'_, '_>,
        items: &[&Self],
    ) -> Result<Ended> {
        failpoint("end.begin");
        let (now, mut events) = (process.now(), Vec::new());
        let jobs: Vec<_> = items.iter().map(|item| &item.claimed).collect();
        let Waited { batched, followed } = write(tx, &jobs, now).await?;
        items.iter().for_each(|item| events.extend_from_slice(&item.events));
        for claimed in jobs.iter().filter(|claimed| claimed.waits) {
            end_claimed_waits(process, tx, claimed).await?;
        }
        failpoint("end.row");
        outputs(tx, items).await?;
        events.extend(count_down(tx, &batched, now).await?);
        failpoint("end.outputs");
        note_ended(tx, &followed).await?;
        let shares = items.iter().filter_map(|item| item.claimed.share.as_deref());
        let queues = release(process, tx, shares).await?;
        failpoint("end.shares");
        Ok(Ended { events, queues, followed: !followed.is_empty() })
    }

    /// Finds out whether it was this very attempt that has ended the job: the connection was lost after the commit, and
    /// before the answer. Then its events are stored, and told here; whoever waits for a batch looks by itself.
    pub(super) async fn told_already(&self, process: &Process) -> Result<()> {
        let job = self.claimed.record.id;
        let find = "SELECT 1 AS one FROM mediaflow_jobs WHERE id = $1 AND fence = $2 AND ended_at IS NOT NULL";
        if process.db.row(find, values![job, self.claimed.fence]).await?.is_none() {
            return Err(fenced(job));
        }
        process.committed(self.events.clone());
        Ok(())
    }
}

/// What follows from the end of jobs, once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) events: Vec<Event>,
    /// Queues in which others of the same tenants have followed.
    queues: Queued,
    /// Others come after one of them.
    followed: bool,
}

impl Ended {
    pub(crate) fn tell(self, process: &Process) {
        process.committed(self.events);
        process.all_queued(&self.queues);
        if self.followed {
            process.look_at(process.now());
        }
    }
}

/// Ended jobs of which somebody waits for the end.
struct Waited {
    /// Of which batches do.
    batched: Vec<JobId>,
    /// Of which other jobs do.
    followed: Vec<JobId>,
}

/// Writes the ends of jobs, if the tokens of all still count.
async fn write(tx: &mut Tx<'_, '_>, jobs: &[&ClaimedJob], now: Timestamp) -> Result<Waited> {
    let mut rows = Vec::with_capacity(jobs.len() * 9);
    for claimed in jobs {
        let record = &claimed.record;
        let failure = record.report.as_ref().and_then(|report| report.failure.as_ref());
        rows.extend_from_slice(values![
            record.id,
            claimed.fence,
            record.state.as_str(),
            record.progress,
            claimed.failure()?,
            failure.map(|failure| failure.code.clone()),
            record.report.as_ref().map(to_json).transpose()?,
            now,
            record.attempts
        ]);
    }
    let set =
        "state = column3, worker = NULL, parked = NULL, held = NULL, checkpoint = NULL, progress = column4, failure = column5,
         failure_code = column6, report = column7, ended_at = column8, attempts = column9";
    let and = "fence = column2 AND ended_at IS NULL RETURNING id, batched, followed";
    let end = update_in_order(tx, set, (jobs.len(), 9), and);
    let ended = tx.rows(AssertSqlSafe(end), &rows).await?;
    if let (false, Some(claimed)) = (ended.len() == jobs.len(), jobs.first()) {
        return Err(fenced(claimed.record.id));
    }
    let waited = |column| {
        let waited = ended.iter().filter(|row| row.int(column).is_ok_and(|waited| waited != 0));
        waited.map(|row| row.parsed("id")).collect::<Result<Vec<_>>>()
    };
    Ok(Waited { batched: waited("batched")?, followed: waited("followed")? })
}

async fn outputs(tx: &mut Tx<'_, '_>, ended: &[&EndedJob]) -> Result<()> {
    let mut rows = Vec::new();
    for record in ended.iter().map(|ended| &ended.claimed.record) {
        let made = record.report.iter().flat_map(|report| &report.outputs);
        for output in made.filter(|output| output.state == OutputState::Published) {
            let report = to_json(output)?;
            let key = own(record.spec.options.tenant.as_deref(), &output.content_key);
            rows.extend_from_slice(values![record.id, &output.output, key, report]);
        }
    }
    for rows in rows.chunks(16 * 4) {
        let columns = "INSERT INTO mediaflow_outputs (job, place, content_key, report) VALUES ";
        tx.run(AssertSqlSafe(format!("{columns}{}", places(rows.len() / 4, 4))), rows).await?;
    }
    Ok(())
}

/// Tells every batch that waits for one of these jobs that they have ended: batch by batch, in the order of their ids, so
/// that two who do so for the same batches do not wait for one another. Gives the events of those that waited for nothing
/// else.
async fn count_down(tx: &mut Tx<'_, '_>, jobs: &[JobId], now: Timestamp) -> Result<Vec<Event>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let find = format!(
        "SELECT batch, count(*) AS jobs FROM mediaflow_batch_jobs WHERE job IN {} GROUP BY batch ORDER BY batch",
        places(1, jobs.len())
    );
    let jobs: Vec<_> = jobs.iter().copied().map(Value::from).collect();
    let mut batches = tx
        .rows(AssertSqlSafe(find), &jobs)
        .await?
        .iter()
        .map(|row| Ok((row.parsed("batch")?, row.int("jobs")?)))
        .collect::<Result<Vec<(BatchId, i64)>>>()?;
    batches.sort_unstable();
    let mut events = Vec::new();
    for (batch, ended) in batches {
        let count = "UPDATE mediaflow_batches SET jobs_left = jobs_left - $2
                     WHERE id = $1 AND ended_at IS NULL RETURNING jobs_left";
        let Some(row) = tx.row(count, values![batch, ended]).await? else { continue };
        if row.int("jobs_left")? <= 0 {
            events.push(batch_ended(tx, batch, now).await?);
        }
    }
    Ok(events)
}

/// Ends a batch whose jobs have all ended. Gives its event.
pub(super) async fn batch_ended(
    tx: &mut Tx<'_, '_>,
    batch: BatchId,
    now: Timestamp,
) -> Result<Event> {
    let close = "UPDATE mediaflow_batches SET ended_at = $2 WHERE id = $1 RETURNING options";
    let row = tx.row(close, values![batch, now]).await?;
    let options: JobOptions = row.map(|row| row.json("options")).transpose()?.unwrap_or_default();
    let summary = Box::new(super::status::summary(tx, batch).await?);
    let event = Event::new(EventKind::BatchCompleted, now, EventData::Batch(summary));
    Ok(event.about_batch(batch, &options))
}

/// Puts a job back into the queue after an attempt that failed. Gives false if that is left to River, as [`Tx::put_back`] says.
pub(crate) async fn retry(
    process: &Process,
    claimed: &ClaimedJob,
    due: Timestamp,
    events: Vec<Event>,
) -> Result<bool> {
    requeue(process, claimed, due, events, claimed.record.attempts).await
}

/// Puts a job back into the queue as if the attempt had not been. As [`retry`].
pub(crate) async fn give_back(
    process: &Process,
    claimed: &ClaimedJob,
    events: Vec<Event>,
) -> Result<bool> {
    requeue(process, claimed, process.now(), events, claimed.record.attempts.saturating_sub(1))
        .await
}

async fn requeue(
    process: &Process,
    claimed: &ClaimedJob,
    due: Timestamp,
    events: Vec<Event>,
    attempts: u32,
) -> Result<bool> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let back = "UPDATE mediaflow_jobs SET state = CASE WHEN parts_left IS NULL THEN 'queued' ELSE 'running' END,
                worker = NULL, progress = $3, failure = $4, due = $5, attempts = $6
                WHERE id = $1 AND fence = $2 AND ended_at IS NULL RETURNING river, parts_left";
    let (job, failure) = (claimed.record.id, claimed.failure()?);
    let row = tx
        .row(back, values![job, claimed.fence, claimed.record.progress, failure, due, attempts])
        .await?
        .ok_or_else(|| fenced(job))?;
    if row.int("river")? != claimed.river {
        // It was put back, and the answer was lost.
        return Ok(true);
    }
    events::record(process, &mut tx, &events).await?;
    let waits = Some(due).filter(|due| *due > process.now());
    let (mut again, mut queues) = (true, Queued::new());
    if waits.is_some() && row.opt_int("parts_left")?.is_none() {
        again = tx.take_out(&process.db, claimed.river).await?;
        if again {
            // Meanwhile another one of its tenant can run.
            let hold = "UPDATE mediaflow_jobs SET state = 'held', held = 'due', shared = 0, river = 0 WHERE id = $1";
            tx.run(hold, values![job]).await?;
            queues = release(process, &mut tx, claimed.share.as_deref()).await?;
        }
    } else if let Some(river) = tx.put_back(&process.db, claimed.river, waits).await? {
        tx.run("UPDATE mediaflow_jobs SET river = $2 WHERE id = $1", values![job, river]).await?;
    } else {
        again = false;
    }
    failpoint("retry.row");
    transaction.commit().await?;
    failpoint("retry.commit");
    if again && waits.is_none() {
        add(&mut queues, &claimed.queue(process), 1);
    }
    Ended { events, queues, followed: false }.tell(process);
    waits.into_iter().for_each(|due| process.look_at(due));
    Ok(again)
}

/// Whether an attempt still counts, and whether somebody has asked for the end of its job.
pub(crate) async fn asked(process: &Process, claimed: &ClaimedJob) -> Result<bool> {
    let find =
        "SELECT cancelled FROM mediaflow_jobs WHERE id = $1 AND fence = $2 AND ended_at IS NULL";
    let row = process.db.row(find, values![claimed.record.id, claimed.fence]).await?;
    row.ok_or_else(|| fenced(claimed.record.id))?.int("cancelled").map(|cancelled| cancelled != 0)
}

/// Notes progress and steps while an attempt runs. Gives false if the attempt does not count any more.
pub(crate) async fn progress(
    process: &Process,
    claimed: &ClaimedJob,
    events: Vec<Event>,
) -> Result<bool> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let counts = tx
        .run(
            "UPDATE mediaflow_jobs SET progress = $3 WHERE id = $1 AND fence = $2 AND ended_at IS NULL",
            values![claimed.record.id, claimed.fence, claimed.record.progress],
        )
        .await?;
    if counts == 0 {
        return Ok(false);
    }
    events::record(process, &mut tx, &events).await?;
    transaction.commit().await?;
    lost_answer("progress.commit")?;
    process.committed(events);
    Ok(true)
}

/// Ends a job whose row can not be read, or whose worker was lost too often: what is readable is used, and the rest
/// is left as it is. Gives nothing if it had ended already.
pub(crate) async fn fail_by_name(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    job: JobId,
    state: JobState,
    error: &Error,
) -> Result<Option<Ended>> {
    let mut ends = Ends::default();
    let ended = ends.add(process, tx, job, state, error).await?;
    let all = ends.finish(process, tx).await?;
    Ok(Some(all).filter(|_| ended))
}

/// Jobs that one transaction ends one by one. Their batches and shares come after all of their rows.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    events: Vec<Event>,
    batched: Vec<JobId>,
    followed: Vec<JobId>,
    shares: Vec<String>,
}

impl Ends {
    /// Ends a job, as [`fail_by_name`]. Gives false if it had ended already.
    pub(crate) async fn add(
        &mut self,
        process: &Process,
        tx: &mut Tx<'_, '_>,
        job: JobId,
        state: JobState,
        error: &Error,
    ) -> Result<bool> {
        // Never all columns: a newer version may add some under a connection that has this statement prepared.
        let find =
            format!("SELECT {COLUMNS} FROM mediaflow_jobs WHERE id = $1 AND ended_at IS NULL");
        let Some(row) = tx.row(AssertSqlSafe(find), values![job]).await? else { return Ok(false) };
        let now = process.now();
        let mut claimed = legible(&row, job, now)?;
        if state == JobState::Failed {
            claimed.record.note(error);
        }
        let events = claimed.record.end(state, None, now);
        let Waited { batched, followed } = write(tx, &[&claimed], now).await?;
        if claimed.waits {
            end_claimed_waits(process, tx, &claimed).await?;
        }
        self.events.extend(events);
        self.batched.extend(batched);
        self.followed.extend(followed);
        self.shares.extend(claimed.share);
        Ok(true)
    }

    /// Tells of something else in the same transaction.
    pub(crate) fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Tells everybody who waits for one of them.
    pub(crate) async fn finish(self, process: &Process, tx: &mut Tx<'_, '_>) -> Result<Ended> {
        let Self { mut events, batched, followed, shares } = self;
        events.extend(count_down(tx, &batched, process.now()).await?);
        events::record(process, tx, &events).await?;
        note_ended(tx, &followed).await?;
        let queues = release(process, tx, shares.iter().map(String::as_str)).await?;
        Ok(Ended { events, queues, followed: !followed.is_empty() })
    }
}

async fn end_claimed_waits(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    claimed: &ClaimedJob,
) -> Result<()> {
    let stop = matches!(claimed.record.state, JobState::Failed | JobState::Cancelled);
    end_waits(process, tx, claimed.record.id, stop).await
}

/// As much of a row as can be read.
fn legible(row: &Row, job: JobId, now: Timestamp) -> Result<ClaimedJob> {
    if let Ok(claimed) = ClaimedJob::read(row) {
        return Ok(claimed);
    }
    let spec = row.json("spec").or_else(|_| JobSpec::from_json(UNREADABLE))?;
    let mut record = Record::new(spec, None, now);
    record.id = job;
    record.attempts = row.int("attempts").ok().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    Ok(ClaimedJob {
        record,
        fence: row.int("fence")?,
        river: row.int("river")?,
        class: row.text("class").unwrap_or_default(),
        parked_before: false,
        waits: true,
        share: row.opt_text("taken").unwrap_or_default(),
    })
}

/// Stands for a spec that was lost.
const UNREADABLE: &str = r#"{"schema":"mediaflow.job/1","kind":"unreadable","v":1,"with":null}"#;
