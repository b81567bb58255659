//! What tells somebody else, unless somebody acknowledges it first.

use mediaflow_core::notify::Acknowledged;
use mediaflow_core::outbox::NewMessage;
use mediaflow_core::{Result, Timestamp};
use sqlx::AssertSqlSafe;

use crate::db::{Tx, Value, through_conflicts, values};
use crate::process::Process;

/// Counts an event towards a step that tells somebody else. Gives how many there were.
pub(super) async fn count(
    tx: &mut Tx<'_, '_>,
    new: &NewMessage,
    since: Timestamp,
    now: Timestamp,
) -> Result<i64> {
    let count = "INSERT INTO mediaflow_counted (rule, step, since, events) VALUES ($1, $2, $3, 1)
        ON CONFLICT (rule, step) DO UPDATE SET
          events = CASE WHEN mediaflow_counted.since <= $4 THEN 1 ELSE mediaflow_counted.events + 1 END,
          since = CASE WHEN mediaflow_counted.since <= $4 THEN excluded.since ELSE mediaflow_counted.since END
        RETURNING events";
    let row = tx.row(count, values![&new.rule, new.step, now, since]).await?;
    row.map_or(Ok(0), |row| row.int("events"))
}

/// When what was acknowledged is sent.
const NEVER: i64 = i64::MAX;

/// Stops what tells somebody else. Gives the number.
pub(crate) async fn acknowledge(process: &Process, what: &Acknowledged) -> Result<u64> {
    through_conflicts(async || {
        let mut transaction = process.db.begin().await?;
        let mut tx = transaction.tx();
        let (mut condition, mut named) = (String::new(), Vec::new());
        if let Some(rule) = &what.rule {
            if what.job.is_none() {
                tx.run("DELETE FROM mediaflow_counted WHERE rule = $1", values![rule]).await?;
            }
            named.push(Value::from(rule));
            condition = format!("{condition} AND rule = ${}", named.len());
        }
        if let Some(job) = what.job {
            named.push(Value::from(job));
            condition = format!("{condition} AND job = ${}", named.len());
        }
        let stop = format!(
            "DELETE FROM mediaflow_messages WHERE state = 'pending' AND escalates > 0{condition}"
        );
        let stopped = tx.run(AssertSqlSafe(stop), &named).await?;
        // What is being sent at this moment is not sent again, if it does not arrive: not by an earlier version either, which
        // knows of no acknowledgement, and keeps to this moment.
        let last = format!(
            "UPDATE mediaflow_messages SET escalates = 2, hold_until = {NEVER}
             WHERE state = 'sending' AND escalates = 1{condition}"
        );
        tx.run(AssertSqlSafe(last), &named).await?;
        transaction.commit().await?;
        Ok(stopped)
    })
    .await
}

/// Drops what was acknowledged while it was being sent, and has not arrived.
pub(super) async fn drop_acknowledged(tx: &mut Tx<'_, '_>) -> Result<u64> {
    tx.run("DELETE FROM mediaflow_messages WHERE state = 'pending' AND escalates = 2", &[]).await
}
