//! Jobs that come after others. Whether these have ended is found out when such a job is there for everybody to see, in a
//! transaction of its own that is short: a host may keep the one in which it has submitted it open for long.

use std::collections::BTreeSet;

use mediaflow_core::{JobId, Result};
use sqlx::AssertSqlSafe;

use super::ready::{self, names, start};
use crate::db::{Row, Tx, places, values};
use crate::failpoint::failpoint;
use crate::process::{Process, Queued};

/// How many jobs one transaction looks at.
const TOGETHER: usize = 100;

/// Looks at jobs that nobody has looked at yet.
pub(crate) async fn start_new(process: &Process) -> Result<()> {
    let find = format!(
        "SELECT id FROM mediaflow_jobs WHERE held = 'new' ORDER BY due, id LIMIT {TOGETHER}"
    );
    loop {
        let rows = process.db.rows(AssertSqlSafe(find.clone()), &[]).await?;
        for row in &rows {
            settle(process, row.parsed("id")?).await?;
        }
        if rows.len() < TOGETHER {
            return Ok(());
        }
    }
}

/// Finds out what a new job waits for: jobs that it comes after, its moment, its share, or nothing.
pub(super) async fn settle(process: &Process, job: JobId) -> Result<()> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let find = "SELECT before FROM mediaflow_after WHERE job = $1 AND over = 0";
    let rows = tx.rows(find, values![job]).await?;
    let before =
        rows.iter().map(|row| row.parsed("before")).collect::<Result<BTreeSet<JobId>>>()?;
    let all: BTreeSet<_> = before.iter().copied().chain([job]).collect();
    // Locked, so that none of them ends unseen.
    let rows = lock(process, &mut tx, &all, "ended_at, held, ").await?;
    let mut left = BTreeSet::new();
    for row in &rows {
        let id: JobId = row.parsed("id")?;
        if id != job && row.opt_int("ended_at")?.is_none() {
            left.insert(id);
        }
    }
    let own: Vec<_> =
        rows.into_iter().filter(|row| row.parsed("id").is_ok_and(|id: JobId| id == job)).collect();
    let is_new = |row: &Row| row.opt_text("held").is_ok_and(|held| held.as_deref() == Some("new"));
    if !own.first().is_some_and(is_new) {
        // Somebody else was faster.
        return Ok(());
    }
    let over: Vec<_> = before.difference(&left).collect();
    if !over.is_empty() {
        let note = format!(
            "UPDATE mediaflow_after SET over = 1 WHERE before IN {} AND job = ${}",
            places(1, over.len()),
            over.len() + 1
        );
        let mut values = names(over);
        values.push(job.into());
        tx.run(AssertSqlSafe(note), &values).await?;
    }
    let queues = if left.is_empty() {
        start(process, &mut tx, &own).await?
    } else {
        let follow =
            format!("UPDATE mediaflow_jobs SET followed = 1 WHERE id IN {}", places(1, left.len()));
        tx.run(AssertSqlSafe(follow), &names(&left)).await?;
        let wait = "UPDATE mediaflow_jobs SET held = 'after', after_left = $2 WHERE id = $1";
        tx.run(wait, values![job, left.len() as i64]).await?;
        Queued::new()
    };
    failpoint("after.rows");
    transaction.commit().await?;
    process.all_queued(&queues);
    Ok(())
}

/// Notes that these have ended, of which others may wait for the end.
pub(super) async fn note_ended(tx: &mut Tx<'_, '_>, jobs: &[JobId]) -> Result<()> {
    for jobs in jobs.chunks(TOGETHER) {
        let note = format!(
            "INSERT INTO mediaflow_followed (job) VALUES {} ON CONFLICT (job) DO NOTHING",
            places(jobs.len(), 1)
        );
        tx.run(AssertSqlSafe(note), &names(jobs)).await?;
    }
    Ok(())
}

/// Lets jobs start that came after those which have ended.
pub(crate) async fn follow_ended(process: &Process) -> Result<()> {
    let find = format!("SELECT job FROM mediaflow_followed ORDER BY job LIMIT {TOGETHER}");
    loop {
        let rows = process.db.rows(AssertSqlSafe(find.clone()), &[]).await?;
        for row in &rows {
            let ended = row.parsed("job")?;
            while !followed(process, ended).await? {}
        }
        if rows.len() < TOGETHER {
            return Ok(());
        }
    }
}

/// Tells some of those that came after a job that it has ended. Gives true if there are no more.
async fn followed(process: &Process, ended: JobId) -> Result<bool> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let find = format!(
        "SELECT job FROM mediaflow_after WHERE before = $1 AND over = 0 ORDER BY job LIMIT {TOGETHER}"
    );
    let rows = tx.rows(AssertSqlSafe(find), values![ended]).await?;
    let jobs = rows.iter().map(|row| row.parsed("job")).collect::<Result<BTreeSet<JobId>>>()?;
    if jobs.is_empty() {
        tx.run("DELETE FROM mediaflow_followed WHERE job = $1", values![ended]).await?;
        return transaction.commit().await.map(|()| true);
    }
    lock(process, &mut tx, &jobs, "").await?;
    let (list, own) = (places(1, jobs.len()), jobs.len() + 1);
    let mut values = names(&jobs);
    values.push(ended.into());
    let note = format!(
        "UPDATE mediaflow_after SET over = 1 WHERE job IN {list} AND before = ${own} AND over = 0 RETURNING job"
    );
    let told = tx.rows(AssertSqlSafe(note), &values).await?;
    let told = told.iter().map(|row| row.parsed("job")).collect::<Result<BTreeSet<JobId>>>()?;
    if told.is_empty() {
        return Ok(false);
    }
    // One that is new counts for itself.
    let count = format!(
        "UPDATE mediaflow_jobs SET after_left = after_left - 1 WHERE id IN {} AND held = 'after'
         RETURNING after_left, {}",
        places(1, told.len()),
        ready::COLUMNS
    );
    let counted = tx.rows(AssertSqlSafe(count), &names(&told)).await?;
    let free: Vec<_> = counted
        .into_iter()
        .filter(|row| row.int("after_left").is_ok_and(|left| left <= 0))
        .collect();
    let queues = start(process, &mut tx, &free).await?;
    failpoint("follow.rows");
    transaction.commit().await?;
    process.all_queued(&queues);
    Ok(false)
}

/// Locks jobs, in their order. Gives what is asked for of each, and what it takes to start it.
async fn lock(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    jobs: &BTreeSet<JobId>,
    columns: &str,
) -> Result<Vec<Row>> {
    let (by_bytes, lock) = (process.db.by_bytes(), process.db.for_update());
    let find = format!(
        "SELECT {columns}{} FROM mediaflow_jobs WHERE id IN {} ORDER BY id{by_bytes}{lock}",
        ready::COLUMNS,
        places(1, jobs.len())
    );
    tx.rows(AssertSqlSafe(find), &names(jobs)).await
}
