//! Jobs that are submitted by the clock, by whichever process is first.

use mediaflow_core::schedule::{Occurrence, Schedule, Scheduled};
use mediaflow_core::{Error, Result};

use super::submit::take_one;
use crate::db::{Row, class_queue, to_json, values};
use crate::events;
use crate::failpoint::failpoint;
use crate::process::Process;

/// Stores a schedule, or replaces the one of its name.
pub(crate) async fn schedule(process: &Process, schedule: &Schedule) -> Result<()> {
    let next = schedule.cron.next(process.now())?;
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let find = "SELECT body, next_at FROM mediaflow_schedules WHERE name = $1";
    let known = tx.row(find, values![&schedule.name]).await?;
    let kept = known
        .filter(|row| row.json::<Schedule>("body").is_ok_and(|known| known.cron == schedule.cron));
    let next = kept.map_or(Ok(next), |row| row.time("next_at"))?;
    let store = "INSERT INTO mediaflow_schedules (name, body, next_at) VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO UPDATE SET body = excluded.body, next_at = excluded.next_at";
    tx.run(store, values![&schedule.name, to_json(schedule)?, next]).await?;
    transaction.commit().await
}

/// Ends a schedule. Gives false if there is none.
pub(crate) async fn unschedule(process: &Process, name: &str) -> Result<bool> {
    let end = "DELETE FROM mediaflow_schedules WHERE name = $1";
    Ok(process.db.run(end, values![name]).await? > 0)
}

/// The schedules, by name.
pub(crate) async fn schedules(process: &Process) -> Result<Vec<Scheduled>> {
    let find = "SELECT body, next_at, last_at, last_job FROM mediaflow_schedules ORDER BY name";
    let read = |row: &Row| {
        let last = match (row.opt_time("last_at")?, row.opt_text("last_job")?) {
            (Some(at), Some(_)) => Some((at, row.parsed("last_job")?)),
            _ => None,
        };
        Ok(Scheduled::new(row.json("body")?, row.time("next_at")?, last))
    };
    process.db.rows(find, &[]).await?.iter().map(read).collect()
}

/// Submits what is due.
pub(crate) async fn run_due(process: &Process) -> Result<()> {
    let find = "SELECT body, next_at FROM mediaflow_schedules WHERE next_at <= $1 ORDER BY name";
    for row in process.db.rows(find, values![process.now()]).await? {
        if let Err(error) = run(process, &row).await {
            tracing::warn!(%error, "a schedule could not be run; it is tried again");
        }
    }
    Ok(())
}

async fn run(process: &Process, row: &Row) -> Result<()> {
    let schedule: Schedule = row.json("body")?;
    let (due, now) = (row.time("next_at")?, process.now());
    let occurrence @ Occurrence { next, .. } = &schedule.take(due, now)?;
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    // Whoever moves it on runs it.
    let take = "UPDATE mediaflow_schedules SET next_at = $3, last_at = $4 WHERE name = $1 AND next_at = $2";
    if tx.run(take, values![&schedule.name, due, *next, now]).await? == 0 {
        return Ok(());
    }
    let job = match take_one(process, &mut tx, occurrence.spec.clone()).await {
        Ok(job) => job,
        // Its time was run, with another job: the schedule was changed meanwhile.
        Err(error) if error.code() == Error::key_reused().code() => {
            return transaction.commit().await;
        }
        Err(error) => return Err(error),
    };
    let note = "UPDATE mediaflow_schedules SET last_job = $2 WHERE name = $1";
    tx.run(note, values![&schedule.name, job]).await?;
    let missed: Vec<_> = schedule.missed(occurrence, now).into_iter().collect();
    events::record(process, &mut tx, &missed).await?;
    failpoint("schedule.rows");
    transaction.commit().await?;
    failpoint("schedule.commit");
    process.committed(missed);
    process.queued(&class_queue(process.executor.class_of(&occurrence.spec)), 1);
    process.look_at(now);
    Ok(())
}
