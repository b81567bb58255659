//! Events, written in the transaction that causes them, for whoever routes them later.
//!
//! Uses: db, process.

use mediaflow_core::{Event, Result};
use sqlx::AssertSqlSafe;

use crate::db::{Tx, Value, places, to_json, values};
use crate::process::Process;

/// How many rows one statement writes. Each number of rows is a statement of its own, which the database prepares once.
const TOGETHER: usize = 16;

const COLUMNS: usize = 7;

/// Stores events, unrouted, and nothing else: whom they concern is found out later. An event that is there already, because
/// the answer to its commit was lost, is written once.
pub(crate) async fn record(process: &Process, tx: &mut Tx<'_, '_>, events: &[Event]) -> Result<()> {
    for events in events.chunks(TOGETHER) {
        let mut rows = Vec::with_capacity(events.len() * COLUMNS);
        for event in events {
            rows.extend_from_slice(values![
                event.id,
                event.kind.as_str(),
                event.job,
                event.batch,
                event.time,
                &process.id,
                to_json(event)?
            ]);
        }
        let insert = format!(
            "INSERT INTO mediaflow_events (id, kind, job, batch, at, origin, body) VALUES {}
             ON CONFLICT (id) DO NOTHING RETURNING seq",
            places(events.len(), COLUMNS)
        );
        if tx.writes_in_queries() {
            let both = format!(
                "WITH written AS ({insert}) INSERT INTO mediaflow_unrouted (seq) SELECT seq FROM written"
            );
            tx.run(AssertSqlSafe(both), &rows).await?;
            continue;
        }
        let written = tx.rows(AssertSqlSafe(insert), &rows).await?;
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
