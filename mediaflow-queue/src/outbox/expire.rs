//! What has run out, or was left behind by a process that is gone.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use mediaflow_core::event::DeliveryFailure;
use mediaflow_core::outbox::Disposition;
use mediaflow_core::{Event, EventKind, Result, Timestamp};
use sqlx::AssertSqlSafe;

use super::destination::{self, Locked, Touched};
use super::handle::{Outbox, policy_of, to_key};
use super::told::Told;
use super::{escalate, replace, route};
use crate::db::{Row, Tx, Value, in_parts, places, values};
use crate::events;
use crate::process::Process;

const LOST: &str = "the process that was sending it ended, or did not answer in time";
const OVER: &str = "it was not delivered within its time to live";

/// The columns of [`lost`] and of [`GivenUp::read`].
const COLUMNS: &str =
    "id, attempts, failures, expires_at, destination, recipient, event, kind, job, error";

/// How many messages one transaction ends.
const PAGE: i64 = 200;

/// Takes what a dead process was sending, in the transaction that takes over its work, and its right to route. It may have
/// been sent, and what is sent may be why the process is dead: it counts as an attempt, and against the message. Gives what is
/// to be told of that after the commit.
pub(crate) async fn release(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    dead_worker: &str,
) -> Result<Vec<Event>> {
    tx.run(route::RELEASE, values![dead_worker]).await?;
    let find = format!(
        "SELECT {COLUMNS} FROM mediaflow_messages WHERE state = 'sending' AND worker = $1 ORDER BY id"
    );
    let rows = tx.rows(AssertSqlSafe(find), values![dead_worker]).await?;
    let mut locked = lock(process, tx, &rows).await?;
    let dead = lost(process, tx, &rows, i64::MAX).await?;
    tell(process, tx, &dead, &mut locked).await
}

/// Locks the destinations of messages, before these: everybody does so in this order.
async fn lock(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    rows: impl IntoIterator<Item = &Row>,
) -> Result<Locked> {
    let mut touched = Touched::default();
    for row in rows {
        touched.add_text(row.text("destination")?, true);
    }
    destination::lock(process, tx, &touched).await
}

/// Gives back what this process is sending, because it stops. It may have been sent, so it counts as an attempt, and not
/// against the message.
pub(super) async fn stop(process: &Process, tx: &mut Tx<'_, '_>) -> Result<()> {
    let back = "UPDATE mediaflow_messages SET state = 'pending', worker = NULL, lease_until = NULL, due = $2
                WHERE state = 'sending' AND worker = $1 RETURNING id, attempts";
    for row in tx.rows(back, values![&process.id, process.now()]).await? {
        log_lost(tx, row.int("id")?, row.int("attempts")?, process.now()).await?;
    }
    Ok(())
}

async fn log_lost(tx: &mut Tx<'_, '_>, id: i64, attempts: i64, now: Timestamp) -> Result<()> {
    let log = "INSERT INTO mediaflow_attempts (message, attempt, at, took, outcome, error)
               VALUES ($1, $2, $3, 0, 'lost', $4)";
    tx.run(log, values![id, attempts, now, LOST]).await.map(drop)
}

/// Ends leases, but those of what this process is sending and of workers that live: these write down what came of it, when
/// they can. Gives up messages that are not worth sending any more.
pub(super) async fn expire(outbox: &Outbox, held: &HashSet<i64>) -> Result<()> {
    let process = &outbox.process;
    events::settle(process).await?;
    let now = process.now();
    let expired = format!(
        "SELECT {COLUMNS} FROM mediaflow_messages m
         WHERE state = 'sending' AND lease_until <= $1 AND (worker = $2 OR $3 = 1 AND NOT EXISTS
           (SELECT 1 FROM mediaflow_workers w WHERE w.id = m.worker AND w.beat_at > {} - $4))
         ORDER BY lease_until, id LIMIT $5",
        process.db.clock()
    );
    let over = format!(
        "SELECT {COLUMNS} FROM mediaflow_messages
         WHERE state = 'pending' AND expires_at <= $1 ORDER BY expires_at, id LIMIT {PAGE}"
    );
    let sql = |text: &str| AssertSqlSafe(text.to_owned());
    let silent = i64::try_from(process.settings.lease.as_millis()).unwrap_or(i64::MAX);
    let most = i64::try_from(held.len()).unwrap_or(i64::MAX).saturating_add(PAGE);
    let values = values![now, &process.id, process.can_judge(), silent, most];
    let mut left = process.db.rows(sql(&expired), values).await?;
    left.retain(|row| row.int("id").is_ok_and(|id| !held.contains(&id)));
    let over = process.db.rows(sql(&over), values![now]).await?;
    if left.is_empty() && over.is_empty() && !replace::is_due(process).await? {
        return Ok(());
    }
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let mut locked = lock(process, &mut tx, left.iter().chain(&over)).await?;
    let moment = i64::try_from(now.millis()).unwrap_or(i64::MAX);
    let mut dead = lost(process, &mut tx, &left, moment).await?;
    for row in over {
        let end = "UPDATE mediaflow_messages SET state = 'dead', ended_at = $2, error = coalesce(error, $3)
                   WHERE id = $1 AND state = 'pending' AND expires_at <= $2";
        if tx.run(end, values![row.int("id")?, now, OVER]).await? > 0 {
            dead.push(GivenUp::read(&row, OVER)?);
        }
    }
    let told = tell(process, &mut tx, &dead, &mut locked).await?;
    replace::replace(process, &mut tx, now).await?;
    escalate::drop_acknowledged(&mut tx).await?;
    events::commit(process, transaction, told).await?;
    process.messages_changed();
    Ok(())
}

/// A message that was given up without an answer.
struct GivenUp {
    destination: String,
    recipient: String,
    event: String,
    kind: String,
    job: Option<String>,
    attempts: i64,
    reason: String,
}

impl GivenUp {
    fn read(row: &Row, reason: &str) -> Result<Self> {
        let last = row.opt_text("error")?;
        let reason =
            last.map_or_else(|| reason.to_owned(), |last| format!("{reason}; before: {last}"));
        Ok(Self {
            destination: row.text("destination")?,
            recipient: row.text("recipient")?,
            event: row.text("event")?,
            kind: row.text("kind")?,
            job: row.opt_text("job")?,
            attempts: row.int("attempts")?,
            reason,
        })
    }
}

/// Puts messages back whose attempts are lost, each at its place in the schedule. Gives those whose schedule has ended.
async fn lost(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    rows: &[Row],
    expired: i64,
) -> Result<Vec<GivenUp>> {
    let (now, mut dead) = (process.now(), Vec::new());
    for row in rows {
        let (id, attempts) = (row.int("id")?, row.int("attempts")?);
        let failures = u32::try_from(row.int("failures")?).unwrap_or(u32::MAX);
        let policy = policy_of(process, &to_key(&row.text("destination")?).channel);
        let disposition = Disposition::lost(failures, row.time("expires_at")?, &policy, now);
        let (state, due, failures, ended) = match disposition {
            Disposition::Again { due, failures } => ("pending", Some(due), failures, None),
            Disposition::Delivered | Disposition::Dead => ("dead", None, failures, Some(now)),
        };
        let back = "UPDATE mediaflow_messages SET state = $4, worker = NULL, lease_until = NULL, due = coalesce($5, due),
                    failures = $6, ended_at = $7, error = $8
                    WHERE id = $1 AND state = 'sending' AND attempts = $2 AND lease_until <= $3";
        let written =
            tx.run(back, values![id, attempts, expired, state, due, failures, ended, LOST]).await?;
        if written == 0 {
            continue;
        }
        if disposition == Disposition::Dead {
            dead.push(GivenUp::read(row, LOST)?);
        }
        log_lost(tx, id, attempts, now).await?;
    }
    Ok(dead)
}

/// Tells of messages that were given up: once for each destination, until something arrives there, and of none to a
/// recipient of whom it was told before. Gives the events.
async fn tell(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    dead: &[GivenUp],
    locked: &mut Locked,
) -> Result<Vec<Event>> {
    let failure = |given: &&GivenUp| {
        let kinds = [EventKind::DeliveryFailed, EventKind::DestinationDisabled];
        !kinds.iter().any(|kind| kind.as_str() == given.kind)
    };
    let (mut groups, mut recipients) = (BTreeMap::<&str, Vec<&GivenUp>>::new(), BTreeSet::new());
    for given in dead.iter().filter(failure) {
        groups.entry(&given.destination).or_default().push(given);
        recipients.insert((given.destination.clone(), &*given.recipient));
    }
    let mut known = Told::read(process, tx, &recipients).await?;
    let (now, mut told) = (process.now(), Vec::new());
    for (key, given) in groups {
        let known = known.of(key);
        let first = given.iter().find(|given| !known.contains(&given.recipient));
        let Some(first) = first else { continue };
        let Ok(event) = first.event.parse() else { continue };
        let at = to_key(key);
        let mut failure = DeliveryFailure::new(at.channel, event, &*first.reason);
        failure.destination = at.name;
        failure.attempts = u32::try_from(first.attempts).unwrap_or(u32::MAX);
        failure.dead = given.len() as u64;
        let job = first.job.as_ref().and_then(|job| job.parse().ok());
        if locked.state(key).gave_up(&first.reason, &first.recipient, known) {
            told.push(failure.into_event(job, now));
        }
    }
    known.save(tx, now).await?;
    events::record(process, tx, &told).await?;
    destination::save(tx, locked, now).await?;
    Ok(told)
}

/// Gives back messages that were claimed in a transaction of which nobody knows whether it was committed, or that are not sent
/// after all: all of this process but `held`. Nothing was sent, so it is no attempt.
pub(super) async fn reconcile(process: &Process, held: &HashSet<i64>) -> Result<()> {
    let find =
        "SELECT id FROM mediaflow_messages WHERE state = 'sending' AND worker = $1 ORDER BY id";
    let found = process.db.rows(find, values![&process.id]).await?;
    let ids = found.iter().map(|row| row.int("id")).collect::<Result<Vec<_>>>()?;
    let unknown = ids.into_iter().filter(|id| !held.contains(id)).map(Value::from);
    for ids in in_parts(&unknown.collect::<Vec<_>>()) {
        let back = format!(
            "UPDATE mediaflow_messages
             SET state = 'pending', worker = NULL, lease_until = NULL, attempts = attempts - 1
             WHERE id IN {} AND state = 'sending' AND worker = ${}",
            places(1, ids.len()),
            ids.len() + 1
        );
        let values = [ids, values![&process.id]].concat();
        process.db.run(AssertSqlSafe(back), &values).await?;
    }
    Ok(())
}
