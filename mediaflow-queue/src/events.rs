//! Events, written in the transaction that causes them, for whoever routes them later.
//!
//! Uses: db, failpoint, process.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mediaflow_core::{Event, EventKind, Result};
use sqlx::AssertSqlSafe;

use crate::db::{Transaction, Tx, Value, places, to_json, together, values};
use crate::failpoint::lost_answer;
use crate::process::Process;

const COLUMNS: usize = 9;

/// Stores events, unrouted, and nothing else: whom they concern is found out later. An event that is there already, because
/// the answer to its commit was lost, is written once.
pub(crate) async fn record(process: &Process, tx: &mut Tx<'_, '_>, events: &[Event]) -> Result<()> {
    let mut rows = Vec::with_capacity(events.len() * COLUMNS);
    for event in events.iter().filter(|event| is_kept(process, event)) {
        rows.extend_from_slice(values![
            event.id,
            event.kind.as_str(),
            event.job,
            event.batch,
            event.time,
            &process.id,
            event.owner.clone(),
            event.tenant.clone(),
            to_json(event)?
        ]);
    }
    for rows in together(&rows, COLUMNS) {
        let insert = format!(
            "INSERT INTO mediaflow_events (id, kind, job, batch, at, origin, owner, tenant, body) VALUES {}
             ON CONFLICT (id) DO NOTHING RETURNING seq",
            places(rows.len() / COLUMNS, COLUMNS)
        );
        if tx.writes_in_queries() {
            let both = format!(
                "WITH written AS ({insert}) INSERT INTO mediaflow_unrouted (seq) SELECT seq FROM written"
            );
            tx.run(AssertSqlSafe(both), rows).await?;
            continue;
        }
        let written = tx.rows(AssertSqlSafe(insert), rows).await?;
        let numbers = written
            .iter()
            .map(|row| row.int("seq").map(Value::from))
            .collect::<Result<Vec<_>>>()?;
        if !numbers.is_empty() {
            let add =
                format!("INSERT INTO mediaflow_unrouted (seq) VALUES {}", places(numbers.len(), 1));
            tx.run(AssertSqlSafe(add), &numbers).await?;
        }
    }
    Ok(())
}

/// Commits what has caused these events, and tells the readers here of them. If no answer comes, [`settle`] finds out whether
/// they are stored: whoever does the same again finds it done, and has no events of it.
pub(crate) async fn commit(
    process: &Process,
    transaction: Transaction,
    events: Vec<Event>,
) -> Result<()> {
    let committed = transaction.commit().await;
    if events.is_empty() {
        return committed;
    }
    match committed.and_then(|()| lost_answer("outbox.commit")) {
        Ok(()) => process.committed(events),
        Err(error) => {
            process.unsure().extend(events);
            return Err(error);
        }
    }
    Ok(())
}

/// Tells the readers here of events of which nobody knew whether they are stored.
pub(crate) async fn settle(process: &Process) -> Result<()> {
    let unsure = process.unsure().clone();
    let mut stored = Vec::new();
    for event in &unsure {
        let find = "SELECT 1 AS one FROM mediaflow_events WHERE id = $1";
        if process.db.row(find, values![event.id]).await?.is_some() {
            stored.push(event.clone());
        }
    }
    process.unsure().retain(|event| !unsure.iter().any(|settled| settled.id == event.id));
    if !stored.is_empty() {
        process.committed(stored);
    }
    Ok(())
}

/// Progress is no stored event: its last value is in the job's row. Unless somebody is told of it from this process.
fn is_kept(process: &Process, event: &Event) -> bool {
    if event.kind != EventKind::JobProgress {
        return true;
    }
    // A defect of the host's is for the router to meet, which is begun again.
    let wanted = AssertUnwindSafe(|| process.executor.tells(event));
    catch_unwind(wanted).unwrap_or(true)
}
