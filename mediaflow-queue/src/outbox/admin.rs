use mediaflow_core::{Error, Result};
use sqlx::AssertSqlSafe;

use super::filter::DeliveryFilter;
use super::view::{Delivery, DeliveryAttempt, Destination};
use crate::db::{Value, values};
use crate::process::Process;

/// How many deliveries are listed if nothing else is asked for.
const LISTED: u32 = 100;

/// Deliveries, the newest first; 100 of them, or as many as the filter says.
pub(crate) async fn deliveries(home: &Process, filter: &DeliveryFilter) -> Result<Vec<Delivery>> {
    let (condition, mut values) = filter.condition();
    values.push(Value::from(filter.limit.unwrap_or(LISTED)));
    let list = format!(
        "SELECT {} FROM mediaflow_deliveries d JOIN mediaflow_destinations t ON t.id = d.destination
         WHERE {condition} ORDER BY d.id DESC LIMIT ${}",
        Delivery::COLUMNS,
        values.len()
    );
    let rows = home.db.rows(AssertSqlSafe(list), &values).await?;
    rows.iter().map(Delivery::read).collect()
}

/// Every attempt at a delivery, the oldest first; empty for an unknown one.
pub(crate) async fn delivery_log(home: &Process, delivery: i64) -> Result<Vec<DeliveryAttempt>> {
    let log = "SELECT attempt, at, took, outcome, status, error, body FROM mediaflow_attempts
               WHERE delivery = $1 ORDER BY id";
    let rows = home.db.rows(log, values![delivery]).await?;
    rows.iter().map(DeliveryAttempt::read).collect()
}

/// Sends deliveries again that have ended, arrived or dead, with the same event id and a schedule from its
/// beginning. Those that still wait, and those to a disabled destination, are left as they are. Gives their number.
pub(crate) async fn redeliver(home: &Process, filter: &DeliveryFilter) -> Result<u64> {
    let (condition, mut values) = filter.condition();
    values.extend([Value::from(filter.limit.map_or(i64::MAX, i64::from)), Value::from(home.now())]);
    let (limit, now) = (values.len() - 1, values.len());
    let again = format!(
        "UPDATE mediaflow_deliveries
         SET state = 'pending', attempts = 0, due = ${now}, status = NULL, error = NULL, ended_at = NULL
         WHERE state IN ('delivered', 'dead') AND id IN (
             SELECT d.id FROM mediaflow_deliveries d JOIN mediaflow_destinations t ON t.id = d.destination
             WHERE {condition} AND d.state IN ('delivered', 'dead') AND t.disabled_at IS NULL
             ORDER BY d.id LIMIT ${limit}
         )"
    );
    let rows = home.db.run(AssertSqlSafe(again), &values).await?;
    home.deliveries.notify_one();
    Ok(rows)
}

/// All destinations that were ever sent to, with the state of their breakers.
pub(crate) async fn destinations(home: &Process) -> Result<Vec<Destination>> {
    let list = "SELECT t.id, t.channel, t.address, t.failures, t.blocked_until, t.disabled_at, t.disabled_reason,
                    (SELECT count(*) FROM mediaflow_deliveries d
                     WHERE d.destination = t.id AND d.state IN ('pending', 'sending')) AS waiting
                FROM mediaflow_destinations t ORDER BY t.id";
    let rows = home.db.rows(list, &[]).await?;
    let (policy, now) = (home.executor.delivery(), home.now());
    rows.iter().map(|row| Destination::read(row, policy, now)).collect()
}

/// Sends to a destination again that was disabled, blocked, or whose breaker is open, from now on. What was given
/// up meanwhile stays so: see [`redeliver`].
pub(crate) async fn enable(home: &Process, destination: i64) -> Result<()> {
    let enable = "UPDATE mediaflow_destinations SET disabled_at = NULL, disabled_reason = NULL, failures = 0,
                  probes = 0, probe_until = 0, blocked_until = 0 WHERE id = $1";
    if home.db.run(enable, values![destination]).await? == 0 {
        return Err(Error::input("destination.unknown", "there is no such destination")
            .with("destination", destination)
            .help("`Queue::destinations` lists them"));
    }
    home.deliveries.notify_one();
    Ok(())
}
