use mediaflow_core::{Event, Result, Timestamp};
use sqlx::AssertSqlSafe;

use super::line::{Line, Rate, Room};
use crate::db::{Row, Tx, values};
use crate::process::Process;

/// A delivery that this process sends.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) id: i64,
    pub(super) line: i64,
    pub(super) channel: String,
    pub(super) to: Option<String>,
    /// From 1, this one included.
    pub(super) attempt: u32,
    /// It finds out whether the destination works again.
    pub(super) probe: bool,
    pub(super) event: Result<Box<Event>>,
}

/// Takes rows of a line, under a lease. They count as attempted from then on: whoever dies on the way may have sent
/// them.
pub(super) async fn claim(
    home: &Process,
    tx: &mut Tx<'_, '_>,
    line: &mut Line,
    room: Room,
    now: Timestamp,
) -> Result<Vec<Claimed>> {
    if line.disabled {
        super::finish::bury(tx, line.id, now).await?;
        return Ok(Vec::new());
    }
    let policy = home.executor.delivery();
    let lease = now.plus(policy.timeout).plus(super::dispatch::MARGIN);
    let rate = policy.rate.map(Rate::new);
    if let Some(rate) = rate {
        let paid = rate.paid(line.paid_until, now, room.rows);
        let pay =
            "UPDATE mediaflow_destinations SET paid_until = $3 WHERE id = $1 AND paid_until = $2";
        if tx.run(pay, values![line.id, line.paid_until, paid]).await? == 0 {
            // Another process was first.
            return Ok(Vec::new());
        }
    }
    let rows = if !room.probe || probe(tx, line.id, now, lease).await? {
        take(home, tx, line.id, room.rows, now, lease).await?
    } else {
        Vec::new()
    };
    if let Some(rate) = rate {
        let paid = rate.paid(line.paid_until, now, rows.len());
        if rows.len() < room.rows {
            let refund = "UPDATE mediaflow_destinations SET paid_until = $2 WHERE id = $1";
            tx.run(refund, values![line.id, paid]).await?;
        }
        line.paid_until = paid;
    }
    if room.probe && rows.is_empty() {
        let none =
            "UPDATE mediaflow_destinations SET probe_until = 0 WHERE id = $1 AND probe_until = $2";
        tx.run(none, values![line.id, lease]).await?;
    }
    let mut claimed = rows.iter().map(|row| read(row, line, room)).collect::<Result<Vec<_>>>()?;
    claimed.sort_by_key(|claimed| claimed.id);
    Ok(claimed)
}

/// Takes the right to try whether a destination works again, which one process has at a time.
async fn probe(tx: &mut Tx<'_, '_>, line: i64, now: Timestamp, lease: Timestamp) -> Result<bool> {
    let first = "UPDATE mediaflow_destinations SET probe_until = $2
                 WHERE id = $1 AND probe_until <= $3 AND blocked_until <= $3 AND disabled_at IS NULL";
    tx.run(first, values![line, lease, now]).await.map(|rows| rows > 0)
}

async fn take(
    home: &Process,
    tx: &mut Tx<'_, '_>,
    line: i64,
    rows: usize,
    now: Timestamp,
    lease: Timestamp,
) -> Result<Vec<Row>> {
    let ordered = if home.executor.delivery().ordered { IN_ORDER } else { "" };
    let take = format!(
        "WITH due AS MATERIALIZED (
             SELECT id FROM mediaflow_deliveries w
             WHERE destination = $1 AND state = 'pending' AND due <= $2 {ordered}
             ORDER BY due, id LIMIT $3 {}
         )
         UPDATE mediaflow_deliveries
         SET state = 'sending', attempts = attempts + 1, worker = $4, lease_until = $5
         WHERE id IN (SELECT id FROM due) AND state = 'pending'
         RETURNING id, attempts,
             (SELECT body FROM mediaflow_events e WHERE e.id = mediaflow_deliveries.event) AS body",
        home.db.skip_locked()
    );
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    tx.rows(AssertSqlSafe(take), values![line, now, rows, &home.id, lease]).await
}

/// Those of the same job that came before are through, or given up.
const IN_ORDER: &str = "
    AND NOT EXISTS (
        SELECT 1 FROM mediaflow_deliveries b
        WHERE b.job = w.job AND b.destination = w.destination AND b.id < w.id AND b.state IN ('pending', 'sending')
    )";

fn read(row: &Row, line: &Line, room: Room) -> Result<Claimed> {
    Ok(Claimed {
        id: row.int("id")?,
        line: line.id,
        channel: line.channel.clone(),
        to: line.to.clone(),
        attempt: u32::try_from(row.int("attempts")?).unwrap_or(u32::MAX),
        probe: room.probe,
        event: row.json("body").map(Box::new),
    })
}
