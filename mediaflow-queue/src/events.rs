//! Events are stored in the transaction that causes them, with one delivery for each destination.
//!
//! Uses: db, process.

use mediaflow_core::{Error, Event, Result};
use sqlx::AssertSqlSafe;

use crate::db::{Tx, places, to_json, values};
use crate::process::Process;

/// How many rows one statement writes. Each number of rows is a statement of its own, which the database prepares once.
const TOGETHER: usize = 16;

/// Stores events, and one delivery for each destination of each, in the transaction that causes them. A destination
/// that is disabled gets none.
pub(crate) async fn record(process: &Process, tx: &mut Tx<'_, '_>, events: &[Event]) -> Result<()> {
    for events in events.chunks(TOGETHER) {
        let mut rows = Vec::with_capacity(events.len() * 7);
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
        let columns =
            "INSERT INTO mediaflow_events (id, kind, job, batch, at, origin, body) VALUES ";
        tx.run(AssertSqlSafe(format!("{columns}{}", places(events.len(), 7))), &rows).await?;
    }
    let mut rows = Vec::new();
    for event in events {
        for destination in process.executor.destinations(event) {
            let address = destination.to.unwrap_or_default();
            let destination = number_of(process, tx, destination.channel, address).await?;
            rows.extend_from_slice(values![
                event.id,
                destination,
                event.job,
                event.kind.as_str(),
                event.time
            ]);
        }
    }
    for rows in rows.chunks(TOGETHER * 5) {
        // The subquery, and no join, keeps the rows in their order. A job may name the same address twice.
        let insert = format!(
            "INSERT INTO mediaflow_deliveries (event, destination, job, kind, state, due, created_at)
             SELECT column1, column2, column3, column4, 'pending', column5, column5 FROM (VALUES {}) AS new
             WHERE (SELECT disabled_at FROM mediaflow_destinations WHERE id = column2) IS NULL
             ON CONFLICT (event, destination) DO NOTHING",
            places(rows.len() / 5, 5)
        );
        tx.run(AssertSqlSafe(insert), rows).await?;
    }
    Ok(())
}

async fn number_of(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    channel: String,
    address: String,
) -> Result<i64> {
    let key = (channel, address);
    if let Some(known) = process.destination_ids.get(&key) {
        return Ok(known);
    }
    let find = "SELECT id FROM mediaflow_destinations WHERE channel = $1 AND address = $2";
    if let Some(found) = tx.row(find, values![&key.0, &key.1]).await? {
        let number = found.int("id")?;
        process.destination_ids.remember(key, number);
        return Ok(number);
    }
    // Not remembered before it is read back in a later transaction: this one may still roll back.
    let add = "INSERT INTO mediaflow_destinations (channel, address) VALUES ($1, $2)
               ON CONFLICT (channel, address) DO UPDATE SET channel = excluded.channel RETURNING id";
    let row = tx.row(add, values![&key.0, &key.1]).await?;
    row.ok_or_else(|| {
        Error::internal("queue.database", "a row that was written gave nothing back")
    })?
    .int("id")
}
