use mediaflow_core::outbox::{DestinationKey, DestinationState};
use mediaflow_core::{Error, Result, codes};
use sqlx::AssertSqlSafe;

use super::destination;
use super::filter::DeliveryFilter;
use super::handle::to_text;
use super::view::{Delivery, DeliveryAttempt, Destination};
use crate::db::{Value, distinct, values};
use crate::process::Process;

/// How many deliveries are listed if nothing else is asked for.
const LISTED: u32 = 100;

/// How many destinations are listed.
const DESTINATIONS: i64 = 1000;

pub(crate) async fn deliveries(
    process: &Process,
    filter: &DeliveryFilter,
) -> Result<Vec<Delivery>> {
    let (condition, mut values) = filter.condition();
    values.push(Value::from(filter.limit.unwrap_or(LISTED)));
    let list = format!(
        "SELECT {} FROM mediaflow_messages d WHERE {condition} ORDER BY {} LIMIT ${}",
        Delivery::COLUMNS,
        filter.order(),
        values.len()
    );
    let rows = process.db.rows(AssertSqlSafe(list), &values).await?;
    rows.iter().map(|row| Delivery::read(row, &process.executor)).collect()
}

/// Every attempt, the oldest first: those that failed from the log, and the one that arrived from the message.
pub(crate) async fn delivery_log(process: &Process, delivery: i64) -> Result<Vec<DeliveryAttempt>> {
    let log = "SELECT attempt, at, took, outcome, status, error, body FROM mediaflow_attempts
               WHERE message = $1 ORDER BY id";
    let rows = process.db.rows(log, values![delivery]).await?;
    let mut attempts = rows.iter().map(DeliveryAttempt::read).collect::<Result<Vec<_>>>()?;
    let last =
        "SELECT attempts AS attempt, coalesce(sent_at, ended_at) AS at, coalesce(took, 0) AS took, state AS outcome,
                       status, error, answer AS body
                FROM mediaflow_messages WHERE id = $1 AND state = 'delivered'";
    if let Some(row) = process.db.row(last, values![delivery]).await? {
        attempts.push(DeliveryAttempt::read(&row)?);
    }
    Ok(attempts)
}

pub(crate) async fn redeliver(process: &Process, filter: &DeliveryFilter) -> Result<u64> {
    let (condition, mut values) = filter.condition();
    let states = if filter.names_delivered() { "('delivered', 'dead')" } else { "('dead')" };
    // What took the place of a message has told of its events, unless somebody wants this very one.
    let alone = if filter.names_delivered() { "" } else { "AND d.replaced = 0 AND d.next IS NULL" };
    let now = process.now();
    let worth = now.plus(process.executor.delivery().time_to_live);
    values.extend([
        Value::from(filter.limit.map_or(i64::MAX, i64::from)),
        Value::from(now),
        Value::from(worth),
    ]);
    let (limit, now, worth) = (values.len() - 2, values.len() - 1, values.len());
    let chosen = format!(
        "SELECT d.id FROM mediaflow_messages d
         LEFT JOIN mediaflow_destinations t ON t.destination = d.destination
         WHERE {condition} AND d.state IN {states} AND d.ended_at IS NOT NULL {alone}
           AND (t.disabled_at IS NULL OR d.address IS NOT NULL)
           AND NOT EXISTS (SELECT 1 FROM mediaflow_gone g WHERE g.channel = d.channel AND g.recipient = d.recipient
                           AND d.recipient <> '')
         ORDER BY d.ended_at, d.id LIMIT ${limit}"
    );
    let keep = format!(
        "INSERT INTO mediaflow_attempts (message, attempt, at, took, outcome, status, body)
         SELECT id, attempts, coalesce(sent_at, ended_at), coalesce(took, 0), 'delivered', status, answer
         FROM mediaflow_messages
         WHERE state = 'delivered' AND id IN ({chosen}) AND ${now} > 0 AND ${worth} > 0"
    );
    let again = format!(
        "UPDATE mediaflow_messages
         SET state = 'pending', attempts = 0, failures = 0, due = ${now}, expires_at = ${worth}, status = NULL,
             error = NULL, answer = NULL, ended_at = NULL, collect = NULL, next = NULL, escalates = 0, hold_until = NULL
         WHERE state IN {states} AND id IN ({chosen})"
    );
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    if filter.names_delivered() {
        tx.run(AssertSqlSafe(keep), &values).await?;
    }
    let rows = tx.run(AssertSqlSafe(again), &values).await?;
    transaction.commit().await?;
    process.messages_changed();
    Ok(rows)
}

/// Destinations that something waits for, or that something is to be remembered of.
pub(crate) async fn destinations(process: &Process) -> Result<Vec<Destination>> {
    // Each of the states has an index of its own.
    let list = format!(
        "{} SELECT k.destination AS key, {},
            (SELECT count(*) FROM mediaflow_messages m
             WHERE m.destination = k.destination AND m.state = 'pending')
            + (SELECT count(*) FROM mediaflow_messages m
               WHERE m.destination = k.destination AND m.state = 'sending') AS waiting
         FROM (SELECT value AS destination FROM found WHERE value IS NOT NULL
               UNION SELECT destination FROM mediaflow_messages WHERE state = 'sending'
               UNION SELECT destination FROM mediaflow_destinations) AS k
         LEFT JOIN mediaflow_destinations d ON d.destination = k.destination
         ORDER BY k.destination LIMIT $1",
        distinct("mediaflow_messages", "destination", "state = 'pending'"),
        destination::COLUMNS
    );
    let rows = process.db.rows(AssertSqlSafe(list), values![DESTINATIONS]).await?;
    let (policy, now) = (process.executor.delivery(), process.now());
    rows.iter().map(|row| Destination::read(row, policy, now)).collect()
}

pub(crate) async fn enable(process: &Process, channel: &str, origin: &str) -> Result<()> {
    let key = to_text(&DestinationKey::new(channel, origin));
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let forget = "DELETE FROM mediaflow_destinations WHERE destination = $1";
    let mut known = tx.run(forget, values![&key]).await?;
    if known > 0 {
        let mut state = DestinationState::default();
        state.enable();
        destination::write(&mut tx, &key, &state, process.now()).await?;
    }
    known += tx.run("DELETE FROM mediaflow_gone WHERE destination = $1", values![&key]).await?;
    known += tx.run("DELETE FROM mediaflow_told WHERE destination = $1", values![&key]).await?;
    let there = "SELECT 1 AS one FROM mediaflow_messages WHERE destination = $1 LIMIT 1";
    if known == 0 && tx.row(there, values![&key]).await?.is_none() {
        return Err(Error::input(codes::DESTINATION_UNKNOWN, "there is no such destination")
            .with("channel", channel)
            .with("destination", origin)
            .help("`Queue::destinations` lists them"));
    }
    transaction.commit().await?;
    process.messages_changed();
    Ok(())
}
