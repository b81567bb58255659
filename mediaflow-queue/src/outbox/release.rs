use std::collections::HashSet;

use mediaflow_core::Result;

use super::view::DeliveryOutcome;
use crate::db::{Tx, values};
use crate::process::Process;

/// Gives back what a dead process was sending, in the transaction that takes over its work. It may have been sent, so
/// it counts as an attempt.
pub(crate) async fn release(home: &Process, tx: &mut Tx<'_, '_>, dead_worker: &str) -> Result<()> {
    let find = "SELECT id FROM mediaflow_deliveries WHERE state = 'sending' AND worker = $1";
    for row in tx.rows(find, values![dead_worker]).await? {
        lost(home, tx, row.int("id")?, i64::MAX).await?;
    }
    Ok(())
}

/// Gives back what other processes have not finished within its lease. This one knows what it is sending.
pub(super) async fn expire(home: &Process) -> Result<()> {
    let expired = "SELECT id FROM mediaflow_deliveries
                   WHERE state = 'sending' AND lease_until <= $1 AND worker <> $2";
    let now = i64::try_from(home.now().millis()).unwrap_or(i64::MAX);
    if home.db.row(expired, values![now, &home.id]).await?.is_none() {
        return Ok(());
    }
    let mut transaction = home.db.begin().await?;
    let mut tx = transaction.tx();
    for row in tx.rows(expired, values![now, &home.id]).await? {
        lost(home, &mut tx, row.int("id")?, now).await?;
    }
    transaction.commit().await
}

async fn lost(home: &Process, tx: &mut Tx<'_, '_>, delivery: i64, expired: i64) -> Result<()> {
    let back = "UPDATE mediaflow_deliveries SET state = 'pending', worker = NULL, lease_until = NULL, due = $2
                WHERE id = $1 AND state = 'sending' AND lease_until <= $3 RETURNING attempts";
    let Some(row) = tx.row(back, values![delivery, home.now(), expired]).await? else {
        return Ok(());
    };
    tx.run(
        "INSERT INTO mediaflow_attempts (delivery, attempt, at, took, outcome, error) VALUES ($1, $2, $3, 0, $4, $5)",
        values![
            delivery,
            row.int("attempts")?,
            home.now(),
            DeliveryOutcome::Lost.as_str(),
            "the process that was sending it ended, or did not answer in time"
        ],
    )
    .await
    .map(drop)
}

/// Gives back rows that were claimed in a transaction of which nobody knows whether it was committed: all of this
/// process but `held`. Nothing was sent, so it is no attempt.
pub(super) async fn reconcile(home: &Process, held: &HashSet<i64>) -> Result<()> {
    let find = "SELECT id FROM mediaflow_deliveries WHERE state = 'sending' AND worker = $1";
    let found = home.db.rows(find, values![&home.id]).await?;
    for row in found {
        let id = row.int("id")?;
        if !held.contains(&id) {
            let back = "UPDATE mediaflow_deliveries
                        SET state = 'pending', worker = NULL, lease_until = NULL, attempts = attempts - 1
                        WHERE id = $1 AND state = 'sending' AND worker = $2";
            home.db.run(back, values![id, &home.id]).await?;
        }
    }
    Ok(())
}
