use mediaflow_core::event::EventData;
use mediaflow_core::report::JobState;
use mediaflow_core::{EventKind, JobId, Result};
use sqlx::AssertSqlSafe;

use super::row::{COLUMNS, Held};
use crate::db::values;
use crate::home::Home;
use crate::outbox;

/// What to do with a job that River handed out.
#[derive(Debug)]
pub(crate) enum Start {
    /// Work on it.
    Go(Box<Held>),
    /// It is for a worker that knows more: give it back untouched.
    Foreign,
    /// Nothing is left to do: it has ended, or waits for its parts.
    Nothing,
    /// Somebody else holds it at this moment.
    Held,
}

/// Begins an attempt at a job, with a new token.
pub(crate) async fn start(home: &Home, job: JobId) -> Result<Start> {
    begin(home, job, "state = 'queued'").await
}

/// Begins to put the parts of a job together, with a new token.
pub(crate) async fn start_assembly(home: &Home, job: JobId) -> Result<Start> {
    begin(home, job, "state = 'running' AND parts_left = 0 AND worker IS NULL").await
}

async fn begin(home: &Home, job: JobId, ready: &str) -> Result<Start> {
    let assembly = ready.contains("parts_left");
    let counted = if assembly { "" } else { "attempts = attempts + 1, started_at = $3, " };
    let mut transaction = home.db.begin().await?;
    let mut tx = transaction.tx();
    let now = home.now();
    let take = format!(
        "UPDATE mediaflow_jobs SET {counted}state = 'running', fence = fence + 1, worker = $2
         WHERE id = $1 AND {ready} AND $3 > 0 RETURNING {COLUMNS}"
    );
    let taken = tx.row(AssertSqlSafe(take), values![job, &home.id, now]).await?;
    let Some(row) = taken else {
        let find = "SELECT state, parts_left FROM mediaflow_jobs WHERE id = $1";
        let found = tx.row(find, values![job]).await?;
        let Some(found) = found else { return Ok(Start::Nothing) };
        let running = found.text("state")? == "running";
        let waits_for_parts = found.opt_int("parts_left")?.is_some() && !assembly;
        return Ok(if running && !waits_for_parts { Start::Held } else { Start::Nothing });
    };
    let mut held = Held::read(&row)?;
    if !home.worker.registry().knows(&held.record.spec) {
        return Ok(Start::Foreign);
    }
    crate::workers::failpoint(if assembly { "assembly.row" } else { "start.row" });
    held.record.state = JobState::Running;
    let mut events = Vec::new();
    if !assembly {
        events.push(held.record.event(EventKind::JobStarted, now, EventData::None));
        outbox::record(home, &mut tx, &events).await?;
    }
    transaction.commit().await?;
    home.settled(events);
    Ok(Start::Go(Box::new(held)))
}
