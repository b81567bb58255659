//! What follows from attempts: each message, its log, and what is known of the destination.

use std::collections::{BTreeMap, BTreeSet};

use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::outbox::{Attempted, DestinationKey, DestinationState, Disposition};
use mediaflow_core::{Event, Result, Timestamp};
use sqlx::AssertSqlSafe;

use super::destination::Locked;
use super::handle::{Outbox, to_text};
use super::told::Told;
use crate::db::{Tx, in_parts, places, together, values};
use crate::process::Process;

/// What was written down.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Tells of messages that were given up, and of destinations.
    pub(super) events: Vec<Event>,
    /// Destinations of which something else is true now than was known of them.
    pub(super) changed: Vec<DestinationKey>,
    /// What became of each message, by channel: for metrics.
    pub(super) counted: Vec<(String, &'static str)>,
}

/// Writes attempts down, in a transaction that may do more. What another process has taken over meanwhile is skipped.
pub(super) async fn finish(
    outbox: &Outbox,
    tx: &mut Tx<'_, '_>,
    attempts: &[Attempted],
    locked: &mut Locked,
    now: Timestamp,
) -> Result<Written> {
    let mut dispositions = Vec::with_capacity(attempts.len());
    let mut policies: BTreeMap<&str, DeliveryPolicy> = BTreeMap::new();
    for attempted in attempts {
        let channel = &*attempted.claimed.destination.channel;
        let policy = policies.entry(channel).or_insert_with(|| outbox.policy(channel));
        dispositions.push((attempted, Disposition::of(attempted, policy, now)));
    }
    // In one order, so that two processes never wait for each other.
    dispositions.sort_by_key(|(attempted, _)| attempted.claimed.id);
    let mut ours = BTreeMap::new();
    for dispositions in in_parts(&dispositions) {
        ours.extend(write(&outbox.process, tx, dispositions, now).await?);
    }
    dispositions.retain(|(attempted, _)| ours.contains_key(&attempted.claimed.id));
    log(tx, &dispositions).await?;
    let mut written = Written::default();
    // What arrives where nothing was told of has no part in it.
    let concerned = dispositions.iter().filter(|(attempted, disposition)| {
        *disposition != Disposition::Delivered || ours.get(&attempted.claimed.id) == Some(&true)
    });
    let recipients = concerned.map(|(attempted, _)| &attempted.claimed);
    let recipients = recipients.map(|of| (to_text(&of.destination), &*of.recipient)).collect();
    let mut told = Told::read(&outbox.process, tx, &recipients).await?;
    let mut by_destination: BTreeMap<&DestinationKey, Vec<(&Attempted, Disposition)>> =
        BTreeMap::new();
    for (attempted, disposition) in dispositions {
        let key = &attempted.claimed.destination;
        let outcome = match disposition {
            Disposition::Delivered => "delivered",
            Disposition::Again { .. } => "failed",
            Disposition::Dead => "dead",
        };
        written.counted.push((key.channel.clone(), outcome));
        by_destination.entry(key).or_default().push((attempted, disposition));
    }
    for (key, mut dispositions) in by_destination {
        let text = to_text(key);
        let clear = locked.is_clear(&text) && !told.is_of(&text);
        if clear
            && dispositions.iter().all(|(_, disposition)| *disposition == Disposition::Delivered)
        {
            continue;
        }
        dispositions.sort_by_key(|(attempted, _)| attempted.at);
        let policy = policies.get(&*key.channel).cloned().unwrap_or_default();
        let known = (locked.state(&text), told.of(&text));
        follow(tx, key, &dispositions, &policy, known, now, &mut written).await?;
    }
    told.save(tx, now).await?;
    Ok(written)
}

/// Columns of an outcome.
const OUTCOME: usize = 12;

/// Writes messages, if it is still this process that sends them. Gives their numbers, each with whether it was told of its
/// recipient that something was lost.
async fn write(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    dispositions: &[(&Attempted, Disposition)],
    now: Timestamp,
) -> Result<BTreeMap<i64, bool>> {
    let mut rows = Vec::with_capacity(dispositions.len() * OUTCOME);
    for (attempted, disposition) in dispositions {
        let (state, due, failures) = match disposition {
            Disposition::Delivered => ("delivered", None, attempted.claimed.failures),
            Disposition::Again { due, failures } => ("pending", Some(*due), *failures),
            Disposition::Dead => ("dead", None, attempted.claimed.failures),
        };
        let answer = attempted.answer.as_ref().filter(|_| *disposition == Disposition::Delivered);
        rows.extend_from_slice(values![
            attempted.claimed.id,
            attempted.claimed.attempt,
            state,
            due,
            failures,
            due.is_none().then_some(now),
            attempted.at,
            i64::try_from(attempted.took.as_millis()).unwrap_or(i64::MAX),
            attempted.status().map(i64::from),
            attempted.reason(),
            answer.map(|answer| answer.body.clone()),
            attempted.provider_id().map(str::to_owned)
        ]);
    }
    rows.extend_from_slice(values![&process.id]);
    let update = format!(
        "UPDATE mediaflow_messages SET state = column3, worker = NULL, lease_until = NULL, due = coalesce(column4, due),
         failures = column5, ended_at = column6, sent_at = column7, took = column8, status = column9, error = column10,
         answer = column11, provider_id = column12
         FROM (VALUES {}) AS outcome
         WHERE id = column1 AND state = 'sending' AND worker = ${} AND attempts = column2
         RETURNING id, (SELECT count(*) FROM mediaflow_told t
            WHERE t.destination = mediaflow_messages.destination AND t.recipient = mediaflow_messages.recipient) AS told",
        places(dispositions.len(), OUTCOME),
        rows.len()
    );
    let ours = tx.rows(AssertSqlSafe(update), &rows).await?;
    let ours = ours.iter().map(|row| Ok((row.int("id")?, row.int("told")? > 0)));
    let ours = ours.collect::<Result<BTreeMap<_, _>>>()?;
    if process.executor.delivery().ordered {
        for (attempted, disposition) in
            dispositions.iter().filter(|(sent, _)| ours.contains_key(&sent.claimed.id))
        {
            behind(tx, attempted, *disposition).await?;
        }
    }
    Ok(ours)
}

/// Messages behind one that is sent again can not go before it: with its moment they are not looked at until then.
async fn behind(
    tx: &mut Tx<'_, '_>,
    attempted: &Attempted,
    disposition: Disposition,
) -> Result<()> {
    let (Disposition::Again { due, .. }, Ok(message)) = (disposition, &attempted.claimed.message)
    else {
        return Ok(());
    };
    let Some(job) = message.event().job else { return Ok(()) };
    let behind = "UPDATE mediaflow_messages SET due = $4
                  WHERE job = $1 AND destination = $2 AND id > $3 AND state = 'pending' AND due < $4";
    let key = to_text(&attempted.claimed.destination);
    tx.run(behind, values![job, key, attempted.claimed.id, due]).await.map(drop)
}

/// Columns of the log.
const LOG: usize = 8;

async fn log(tx: &mut Tx<'_, '_>, dispositions: &[(&Attempted, Disposition)]) -> Result<()> {
    let mut rows = Vec::new();
    for (attempted, _) in
        dispositions.iter().filter(|(_, disposition)| *disposition != Disposition::Delivered)
    {
        rows.extend_from_slice(values![
            attempted.claimed.id,
            attempted.claimed.attempt,
            attempted.at,
            i64::try_from(attempted.took.as_millis()).unwrap_or(i64::MAX),
            attempted.outcome(),
            attempted.status().map(i64::from),
            attempted.reason(),
            attempted.answer.as_ref().map(|answer| answer.body.clone())
        ]);
    }
    for rows in together(&rows, LOG) {
        let insert = format!(
            "INSERT INTO mediaflow_attempts (message, attempt, at, took, outcome, status, error, body) VALUES {}",
            places(rows.len() / LOG, LOG)
        );
        tx.run(AssertSqlSafe(insert), rows).await?;
    }
    Ok(())
}

/// What follows for a destination, and for what waits there.
async fn follow(
    tx: &mut Tx<'_, '_>,
    key: &DestinationKey,
    dispositions: &[(&Attempted, Disposition)],
    policy: &DeliveryPolicy,
    (state, told): (&mut DestinationState, &mut BTreeSet<String>),
    now: Timestamp,
    written: &mut Written,
) -> Result<()> {
    let text = to_text(key);
    let mut effects = state.take_up(dispositions.iter().copied(), told, policy, now);
    for address in std::mem::take(&mut effects.gone) {
        let gone = "INSERT INTO mediaflow_gone (channel, recipient, destination, at) VALUES ($1, $2, $3, $4)
                    ON CONFLICT (channel, recipient) DO NOTHING";
        tx.run(gone, values![&key.channel, address.digest(), &text, now]).await?;
        let give_up = "UPDATE mediaflow_messages SET state = 'dead', ended_at = $3, error = 'nobody is at this address any more'
                       WHERE destination = $1 AND recipient = $2 AND state = 'pending'";
        let dead = tx.run(give_up, values![&text, address.digest(), now]).await?;
        effects.gave_up(&address.digest(), dead);
    }
    for (address, until) in &effects.refused {
        let hold = "UPDATE mediaflow_messages SET due = $3
                    WHERE destination = $1 AND recipient = $2 AND state = 'pending' AND due < $3";
        tx.run(hold, values![&text, address.digest(), *until]).await?;
    }
    if state.disabled_at.is_some() {
        effects.gave_up("", give_up_own(tx, &text, now).await?);
    }
    let mut waiting = 0;
    if !effects.failed.is_empty() {
        let count = "SELECT count(*) AS waiting FROM
            (SELECT 1 AS one FROM mediaflow_messages WHERE destination = $1 AND state = 'pending' LIMIT 10000) AS counted";
        let row = tx.row(count, values![&text]).await?;
        waiting = row.map(|row| row.int("waiting")).transpose()?.unwrap_or(0).unsigned_abs();
    }
    written.events.extend(effects.events(key, state, waiting, now));
    written.changed.push(key.clone());
    Ok(())
}

/// Gives up what waits for the host's own endpoint, which is disabled. Gives the number.
pub(super) async fn give_up_own(tx: &mut Tx<'_, '_>, key: &str, now: Timestamp) -> Result<u64> {
    let dead = "UPDATE mediaflow_messages SET state = 'dead', ended_at = $2, error = 'the destination is disabled'
                WHERE destination = $1 AND address IS NULL AND state = 'pending'";
    tx.run(dead, values![key, now]).await
}
