//! Steps that take the place of messages which were given up.

use std::collections::{BTreeMap, BTreeSet};

use mediaflow_core::outbox::{NextStep, next_of};
use mediaflow_core::{Error, MessageId, Result, Timestamp, codes};
use sqlx::AssertSqlSafe;

use super::handle::to_text;
use crate::db::{Name, Row, Tx, Value, places, together, values};
use crate::process::Process;

/// The steps behind one, as they are stored.
pub(super) fn stored(steps: &[NextStep]) -> Result<Option<String>> {
    if steps.is_empty() {
        return Ok(None);
    }
    let stored = serde_json::to_string(steps);
    stored.map(Some).map_err(|e| {
        Error::internal(codes::QUEUE_CORRUPT_ROW, "the steps of a rule can not be written")
            .because(e)
    })
}

/// How many messages are replaced at once, and how many of such groups in one transaction.
const REPLACED: usize = 100;
const GROUPS: usize = 10;

/// Puts the next steps in the place of messages that were given up. Gives how many there were.
///
/// Messages of one rule are looked at by one process at a time: two that were given up at once can have an event in common, or
/// be beside each other, and each would be told of, or left, by whoever does not see the other one. What somebody else looks at
/// is looked at again within a second.
pub(super) async fn replace(process: &Process, tx: &mut Tx<'_, '_>, now: Timestamp) -> Result<u64> {
    let find = format!(
        "SELECT id, rule, step, recipient, group_key, event, events, kind, job, audience, locale, next
         FROM mediaflow_messages WHERE state = 'dead' AND next IS NOT NULL AND id > $1 ORDER BY id LIMIT {REPLACED}{}",
        process.db.skip_locked()
    );
    let (mut after, mut replaced, mut rules) = (0, 0, BTreeMap::new());
    for _ in 0..GROUPS {
        let rows = tx.rows(AssertSqlSafe(find.clone()), values![after]).await?;
        for row in &rows {
            after = row.int("id")?;
            let rule = row.text("rule")?;
            let ours = match rules.get(&rule) {
                Some(ours) => *ours,
                None => {
                    let ours = tx.try_name(Name::Rule(&rule)).await?;
                    rules.insert(rule, ours);
                    ours
                }
            };
            match row.json::<Vec<NextStep>>("next") {
                Ok(steps) if ours => {
                    one(tx, row, steps, now).await?;
                    replaced += 1;
                }
                Ok(_) => {}
                // A newer build has written it, and knows what it means.
                Err(error) => {
                    tracing::warn!(%error, "what comes after a message is left to others");
                }
            }
        }
        if rows.len() < REPLACED {
            break;
        }
    }
    Ok(replaced)
}

/// Puts the first step that still has somebody, at all its addresses, in the place of a message.
async fn one(tx: &mut Tx<'_, '_>, row: &Row, steps: Vec<NextStep>, now: Timestamp) -> Result<()> {
    let id = row.int("id")?;
    let gone = gone(tx, &steps).await?;
    let is_there =
        |step: &NextStep| !gone.contains(&(step.channel.clone(), step.recipient.clone()));
    let next = next_of(steps, is_there);
    // In whose place nobody is told can be sent again.
    let done = "UPDATE mediaflow_messages SET next = NULL, replaced = $2 WHERE id = $1";
    tx.run(done, values![id, i64::from(!next.is_empty())]).await?;
    for (step, behind) in next {
        tell(tx, row, step, &behind, now).await?;
    }
    Ok(())
}

/// How many steps one statement names.
const TOGETHER: usize = 16;

/// Which of these addresses nobody is at any more.
async fn gone(tx: &mut Tx<'_, '_>, steps: &[NextStep]) -> Result<BTreeSet<(String, String)>> {
    let of = |step: &NextStep| [Value::from(&step.channel), Value::from(&step.recipient)];
    let names: Vec<_> = steps.iter().flat_map(of).collect();
    let mut gone = BTreeSet::new();
    for names in names.chunks(2 * TOGETHER) {
        let find = format!(
            "SELECT channel, recipient FROM mediaflow_gone WHERE recipient <> '' AND (channel, recipient) IN (VALUES {})",
            places(names.len() / 2, 2)
        );
        for row in tx.rows(AssertSqlSafe(find), names).await? {
            gone.insert((row.text("channel")?, row.text("recipient")?));
        }
    }
    Ok(gone)
}

/// Tells one address of a step what a message has not told, for the events of which it is not told yet, and nobody beside it.
async fn tell(
    tx: &mut Tx<'_, '_>,
    row: &Row,
    step: NextStep,
    behind: &[NextStep],
    now: Timestamp,
) -> Result<()> {
    let events = events_for(tx, row, &step).await?;
    let Some(first) = events.first() else { return Ok(()) };
    let (due, expires_at) = step.times(now);
    let insert = "INSERT INTO mediaflow_messages
           (uid, rule, step, recipient, group_key, channel, destination, address, thread, event, events, kind, job, state,
            due, expires_at, created_at, audience, locale, next)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, e.id, $11, e.kind, e.job, 'pending', $12, $13, $14, $15, $16, $17
         FROM mediaflow_events e WHERE e.id = $10
         ON CONFLICT (group_key, rule, recipient, step) DO NOTHING
         RETURNING id";
    let values = values![
        MessageId::new(),
        row.text("rule")?,
        step.step,
        &step.recipient,
        first,
        &step.channel,
        to_text(&step.key()),
        step.address.as_ref().map(|address| address.reveal().to_owned()),
        step.thread.clone(),
        first,
        i64::try_from(events.len()).unwrap_or(i64::MAX),
        due,
        expires_at,
        now,
        row.opt_text("audience")?,
        row.opt_text("locale")?,
        stored(behind)?
    ];
    let Some(new) = tx.row(insert, values).await? else { return Ok(()) };
    for events in events.chunks(TOGETHER) {
        let mut rows = Vec::with_capacity(2 * events.len());
        for event in events {
            rows.extend_from_slice(values![new.int("id")?, event]);
        }
        let insert = format!(
            "INSERT INTO mediaflow_message_events (message, event) VALUES {}",
            places(events.len(), 2)
        );
        tx.run(AssertSqlSafe(insert), &rows).await?;
    }
    Ok(())
}

/// The events of a message of which a recipient is not told yet by this step of its rule, nor by another one that may still arrive,
/// in their order; nor is any of those told who are beside the message's own recipient.
async fn events_for(tx: &mut Tx<'_, '_>, row: &Row, step: &NextStep) -> Result<Vec<String>> {
    let mut events = vec![row.text("event")?];
    if row.int("events")? > 1 {
        let find = "SELECT m.event FROM mediaflow_message_events m JOIN mediaflow_events e ON e.id = m.event
                    WHERE m.message = $1 ORDER BY e.seq";
        let rows = tx.rows(find, values![row.int("id")?]).await?;
        events = rows.iter().map(|row| row.text("event")).collect::<Result<_>>()?;
    }
    let (rule, own) = (row.text("rule")?, row.int("step")?);
    let all: Vec<_> = events.iter().map(Value::from).collect();
    let mut told = BTreeSet::new();
    for events in together(&all, 1) {
        let of = places(1, events.len());
        let mut values = events.to_vec();
        let mut place = |value: Value| {
            values.push(value);
            format!("${}", values.len())
        };
        let (rule, next) = (place(Value::from(&rule)), place(step.step.into()));
        let (recipient, channel) =
            (place(Value::from(&step.recipient)), place(Value::from(&step.channel)));
        let mut by = format!(
            "m.recipient = {recipient} AND (m.step = {next}
               OR m.channel = {channel} AND m.escalates = 0 AND m.state <> 'dead')"
        );
        if !step.beside.is_empty() {
            let own = place(own.into());
            let beside: Vec<_> = step.beside.iter().map(|one| place(Value::from(one))).collect();
            let beside = beside.join(", ");
            by = format!(
                "{by} OR m.step = {own} AND m.recipient IN ({beside}) AND m.state <> 'dead'"
            );
        }
        let find = format!(
            "SELECT m.group_key AS event FROM mediaflow_messages m WHERE m.group_key IN {of} AND m.rule = {rule} AND ({by})
             UNION ALL
             SELECT e.event FROM mediaflow_message_events e JOIN mediaflow_messages m ON m.id = e.message
             WHERE e.event IN {of} AND m.rule = {rule} AND ({by})"
        );
        for row in tx.rows(AssertSqlSafe(find), &values).await? {
            told.insert(row.text("event")?);
        }
    }
    events.retain(|event| !told.contains(event));
    Ok(events)
}

/// Whether something was given up that others take the place of, or was acknowledged on its way.
pub(super) async fn is_due(process: &Process) -> Result<bool> {
    let find = "SELECT 1 AS one FROM mediaflow_messages WHERE state = 'dead' AND next IS NOT NULL
                UNION ALL SELECT 1 AS one FROM mediaflow_messages WHERE state = 'pending' AND escalates = 2 LIMIT 1";
    Ok(process.db.row(find, &[]).await?.is_some())
}
