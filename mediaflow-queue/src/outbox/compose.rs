//! Messages of several events, steps that take the place of others, and what tells somebody else.

use std::sync::Arc;

use mediaflow_core::notify::Acknowledged;
use mediaflow_core::outbox::{Collect, Escalates, Exchanged, NewMessage, NextStep};
use mediaflow_core::{Error, Event, MessageId, Result, Timestamp, codes};
use sqlx::AssertSqlSafe;

use super::handle::to_text;
use crate::db::{Row, Tx, Value, places, values};
use crate::process::Process;

/// A new message, with its event.
type New<'a> = (&'a NewMessage, &'a Arc<Event>);

/// Takes what goes into other messages, or is only counted. Gives what is a message of its own.
pub(super) async fn take<'a>(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    messages: Vec<New<'a>>,
    now: Timestamp,
    exchanged: &mut Exchanged,
) -> Result<Vec<New<'a>>> {
    let composed = |(new, _): &New<'_>| new.collect.is_some() || new.escalates.is_some();
    if !messages.iter().any(composed) {
        return Ok(messages);
    }
    let (mut alone, mut groups) = (Vec::with_capacity(messages.len()), Vec::<Group<'_>>::new());
    for (new, event) in messages {
        match (&new.collect, new.escalates) {
            (_, Some(Escalates::Times { times, within })) => {
                let since = now.millis().saturating_sub(millis(within));
                if count(tx, new, Timestamp::from_millis(since), now).await? == i64::from(times) {
                    alone.push((new, event));
                }
            }
            (Some(collect), _) => match groups.iter_mut().find(|group| group.is_of(new, collect)) {
                Some(group) => group.events.push((new, event)),
                None => groups.push(Group { new, collect, events: vec![(new, event)] }),
            },
            (None, _) => alone.push((new, event)),
        }
    }
    // In one order, so that two processes never wait for each other.
    groups.sort_by(|a, b| a.name().cmp(&b.name()));
    for group in groups {
        group.store(process, tx, now).await?;
        exchanged.waits = true;
    }
    Ok(alone)
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Counts an event towards a step that tells somebody else. Gives how many there were.
async fn count(
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

/// Events that go into the same messages.
struct Group<'a> {
    new: &'a NewMessage,
    collect: &'a Collect,
    events: Vec<New<'a>>,
}

impl Group<'_> {
    fn name(&self) -> (&str, u32, &str, &str) {
        (&self.new.rule, self.new.step, &self.new.recipient, &self.collect.key)
    }

    fn is_of(&self, new: &NewMessage, collect: &Collect) -> bool {
        self.name() == (&*new.rule, new.step, &*new.recipient, &*collect.key)
    }

    async fn store(self, process: &Process, tx: &mut Tx<'_, '_>, now: Timestamp) -> Result<()> {
        let mut events = &*self.events;
        while let Some(((new, event), rest)) = events.split_first() {
            if let Some((id, held)) = self.open(process, tx, now).await? {
                let room = usize::try_from(i64::from(self.collect.most) - held).unwrap_or(0).max(1);
                let (fits, rest) = events.split_at(room.min(events.len()));
                join(tx, id, fits).await?;
                events = rest;
                continue;
            }
            let held = self.held(tx, new, now).await?;
            begin(tx, &held, event, &self.collect.key, now).await?;
            events = rest;
        }
        Ok(())
    }

    /// The message that takes further events, and how many it has.
    async fn open(
        &self,
        process: &Process,
        tx: &mut Tx<'_, '_>,
        now: Timestamp,
    ) -> Result<Option<(i64, i64)>> {
        let (rule, step, recipient, key) = self.name();
        let find = format!(
            "SELECT id, events FROM mediaflow_messages
             WHERE rule = $1 AND recipient = $2 AND step = $3 AND collect = $4 AND state = 'pending' AND attempts = 0
               AND due > $5 AND events < $6
             ORDER BY id LIMIT 1{}",
            process.db.for_update()
        );
        let most = i64::from(self.collect.most);
        let row =
            tx.row(AssertSqlSafe(find), values![rule, recipient, step, key, now, most]).await?;
        row.map(|row| Ok((row.int("id")?, row.int("events")?))).transpose()
    }

    /// A message of this event, held back if as many as may go by themselves have gone.
    async fn held(
        &self,
        tx: &mut Tx<'_, '_>,
        new: &NewMessage,
        now: Timestamp,
    ) -> Result<NewMessage> {
        let mut held = new.clone();
        if let Some(limit) = self.collect.unless {
            let (rule, step, recipient, _) = self.name();
            let find = "SELECT count(*) AS begun, min(created_at) AS first FROM mediaflow_messages
                        WHERE rule = $1 AND recipient = $2 AND step = $3 AND collect IS NOT NULL AND created_at > $4";
            let since = Timestamp::from_millis(now.millis().saturating_sub(millis(limit.per)));
            let row = tx.row(find, values![rule, recipient, step, since]).await?;
            if let Some(row) = row
                && row.int("begun")? >= i64::from(limit.attempts)
                && let Some(first) = row.opt_time("first")?
            {
                held.hold_until(first.plus(limit.per), now);
            }
        }
        Ok(held)
    }
}

/// Adds a message of one event, to which others may come. The same one is there once.
async fn begin(
    tx: &mut Tx<'_, '_>,
    new: &NewMessage,
    event: &Event,
    key: &str,
    now: Timestamp,
) -> Result<()> {
    let insert = "INSERT INTO mediaflow_messages
           (uid, rule, step, recipient, group_key, channel, destination, address, thread, event, kind, job, state, due,
            expires_at, created_at, audience, locale, collect, next)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'pending', $13, $14, $15, $16, $17, $18, $19)
         ON CONFLICT (group_key, rule, recipient, step) DO NOTHING
         RETURNING id";
    let row = tx
        .row(
            insert,
            values![
                new.id,
                &new.rule,
                new.step,
                &new.recipient,
                &new.group,
                &new.destination.channel,
                to_text(&new.destination),
                new.address.as_ref().map(|address| address.reveal().to_owned()),
                new.thread.clone(),
                event.id,
                event.kind.as_str(),
                event.job,
                new.due.unwrap_or(now),
                new.expires_at,
                now,
                new.audience.map(|audience| audience.as_str().to_owned()),
                new.locale.clone(),
                key,
                next(&new.next)?
            ],
        )
        .await?;
    let Some(row) = row else { return Ok(()) };
    let first = "INSERT INTO mediaflow_message_events (message, event) VALUES ($1, $2)";
    tx.run(first, values![row.int("id")?, event.id]).await.map(drop)
}

/// How many rows one statement writes.
const TOGETHER: usize = 16;

/// Adds events to a message. Those that it has are there once.
async fn join(tx: &mut Tx<'_, '_>, id: i64, events: &[New<'_>]) -> Result<()> {
    for events in events.chunks(TOGETHER) {
        let rows: Vec<Value> =
            events.iter().flat_map(|(_, event)| values![id, event.id].to_vec()).collect();
        let insert = format!(
            "INSERT INTO mediaflow_message_events (message, event) VALUES {} ON CONFLICT (message, event) DO NOTHING",
            places(events.len(), 2)
        );
        tx.run(AssertSqlSafe(insert), &rows).await?;
    }
    let count = "UPDATE mediaflow_messages SET events =
                 (SELECT count(*) FROM mediaflow_message_events e WHERE e.message = $1) WHERE id = $1";
    tx.run(count, values![id]).await.map(drop)
}

/// The steps behind one, as they are stored.
pub(super) fn next(steps: &[NextStep]) -> Result<Option<String>> {
    if steps.is_empty() {
        return Ok(None);
    }
    let stored = serde_json::to_string(steps);
    stored.map(Some).map_err(|e| {
        Error::internal(codes::QUEUE_CORRUPT_ROW, "the steps of a rule can not be written").because(e)
    })
}

/// How many messages are replaced in one transaction.
const REPLACED: i64 = 100;

/// Puts the next steps in the place of messages that were given up. Gives how many there were.
pub(super) async fn replace(process: &Process, tx: &mut Tx<'_, '_>, now: Timestamp) -> Result<u64> {
    let find = format!(
        "SELECT id, rule, recipient, group_key, event, events, kind, job, audience, locale, next
         FROM mediaflow_messages WHERE state = 'dead' AND next IS NOT NULL ORDER BY id LIMIT {REPLACED}{}",
        process.db.skip_locked()
    );
    let rows = tx.rows(AssertSqlSafe(find), &[]).await?;
    for row in &rows {
        let done = "UPDATE mediaflow_messages SET next = NULL WHERE id = $1";
        tx.run(done, values![row.int("id")?]).await?;
        match row.json::<Vec<NextStep>>("next") {
            Ok(steps) => one(tx, row, steps, now).await?,
            Err(error) => tracing::error!(%error, "what comes after a message can not be read"),
        }
    }
    Ok(rows.len() as u64)
}

/// Puts the first step that still has somebody in the place of a message.
async fn one(
    tx: &mut Tx<'_, '_>,
    row: &Row,
    steps: Vec<NextStep>,
    now: Timestamp,
) -> Result<()> {
    let mut steps = steps.into_iter();
    while let Some(step) = steps.next() {
        let gone = "SELECT 1 AS one FROM mediaflow_gone WHERE channel = $1 AND recipient = $2 AND recipient <> ''";
        if tx.row(gone, values![&step.channel, &step.recipient]).await?.is_some() {
            continue;
        }
        let (due, expires_at) = step.times(now);
        let rest: Vec<_> = steps.collect();
        let insert = "INSERT INTO mediaflow_messages
               (uid, rule, step, recipient, group_key, channel, destination, address, thread, event, events, kind, job, state,
                due, expires_at, created_at, audience, locale, next)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'pending', $14, $15, $16, $17, $18, $19)
             ON CONFLICT (group_key, rule, recipient, step) DO NOTHING
             RETURNING id";
        let values = values![
            MessageId::new(),
            row.text("rule")?,
            step.step,
            &step.recipient,
            row.text("group_key")?,
            &step.channel,
            to_text(&step.key()),
            step.address.as_ref().map(|address| address.reveal().to_owned()),
            step.thread.clone(),
            row.text("event")?,
            row.int("events")?,
            row.text("kind")?,
            row.opt_text("job")?,
            due,
            expires_at,
            now,
            row.opt_text("audience")?,
            row.opt_text("locale")?,
            next(&rest)?
        ];
        if let Some(new) = tx.row(insert, values).await? {
            let events = "INSERT INTO mediaflow_message_events (message, event)
                          SELECT $1, event FROM mediaflow_message_events WHERE message = $2";
            tx.run(events, values![new.int("id")?, row.int("id")?]).await?;
        }
        return Ok(());
    }
    Ok(())
}

/// Stops what tells somebody else. Gives the number.
pub(crate) async fn acknowledge(process: &Process, what: &Acknowledged) -> Result<u64> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let (mut condition, mut named) = (String::new(), Vec::new());
    if let Some(rule) = &what.rule {
        tx.run("DELETE FROM mediaflow_counted WHERE rule = $1", values![rule]).await?;
        named.push(Value::from(rule));
        condition = format!("{condition} AND rule = ${}", named.len());
    }
    if let Some(job) = what.job {
        named.push(Value::from(job));
        condition = format!("{condition} AND job = ${}", named.len());
    }
    let stop = format!(
        "DELETE FROM mediaflow_messages WHERE state = 'pending' AND escalates = 1{condition}"
    );
    let stopped = tx.run(AssertSqlSafe(stop), &named).await?;
    transaction.commit().await?;
    Ok(stopped)
}

/// Whether something was given up that others take the place of.
pub(super) async fn is_due(process: &Process) -> Result<bool> {
    let find = "SELECT 1 AS one FROM mediaflow_messages WHERE state = 'dead' AND next IS NOT NULL LIMIT 1";
    Ok(process.db.row(find, &[]).await?.is_some())
}
