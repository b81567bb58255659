//! Messages of several events, steps that take the place of others, and what tells somebody else.

use std::collections::BTreeSet;
use std::sync::Arc;

use mediaflow_core::notify::Acknowledged;
use mediaflow_core::outbox::{
    Collect, DestinationKey, Escalates, Exchanged, NewMessage, NextStep, next_of,
};
use mediaflow_core::{Error, Event, MessageId, Result, Timestamp, codes};
use sqlx::AssertSqlSafe;

use super::handle::to_text;
use crate::db::{Row, Tx, Value, places, through_conflicts, together, values};
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
    let mut alone = Vec::with_capacity(messages.len());
    let (mut counted, mut groups) = (Vec::new(), Vec::<Group<'_>>::new());
    for (new, event) in messages {
        match (&new.collect, new.escalates) {
            (_, Some(Escalates::Times { times, within })) => {
                counted.push((new, event, times, within));
            }
            (Some(collect), _) => match groups.iter_mut().find(|group| group.is_of(new, collect)) {
                // A job may name the same address twice.
                Some(group) if group.events.iter().any(|(had, _)| had.group == new.group) => {}
                Some(group) => group.events.push((new, event)),
                None => groups.push(Group { new, collect, events: vec![(new, event)] }),
            },
            (None, _) => alone.push((new, event)),
        }
    }
    // In one order, so that two processes never wait for each other.
    counted.sort_by(|(a, ..), (b, ..)| (&a.rule, a.step).cmp(&(&b.rule, b.step)));
    for (new, event, times, within) in counted {
        let since = Timestamp::from_millis(now.millis().saturating_sub(millis(within)));
        if count(tx, new, since, now).await? == i64::from(times) {
            alone.push((new, event));
        }
    }
    groups.sort_by(|a, b| a.name().cmp(&b.name()));
    for group in groups {
        if is_gone(tx, &group.new.destination.channel, &group.new.recipient).await? {
            alone.extend(group.events);
            continue;
        }
        group.store(process, tx, now).await?;
        exchanged.waits = true;
    }
    Ok(alone)
}

/// Whether nobody is at an address any more.
async fn is_gone(tx: &mut Tx<'_, '_>, channel: &str, recipient: &str) -> Result<bool> {
    let gone = "SELECT 1 AS one FROM mediaflow_gone WHERE channel = $1 AND recipient = $2 AND recipient <> ''";
    Ok(tx.row(gone, values![channel, recipient]).await?.is_some())
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
    fn name(&self) -> (&str, u32, &str, &DestinationKey, &str) {
        let new = self.new;
        (&new.rule, new.step, &new.recipient, &new.destination, &self.collect.key)
    }

    fn is_of(&self, new: &NewMessage, collect: &Collect) -> bool {
        self.name() == (&*new.rule, new.step, &*new.recipient, &new.destination, &*collect.key)
    }

    async fn store(self, process: &Process, tx: &mut Tx<'_, '_>, now: Timestamp) -> Result<()> {
        let most = i64::from(self.collect.most);
        let mut open = self.open(process, tx, now).await?;
        let mut events = &*self.events;
        while let Some(((new, event), rest)) = events.split_first() {
            match open.take() {
                Some((id, held)) => {
                    let room = usize::try_from(most - held).unwrap_or(0).max(1);
                    let (fits, rest) = events.split_at(room.min(events.len()));
                    join(tx, id, fits).await?;
                    events = rest;
                }
                None => {
                    let (held, takes) = self.held(tx, new, now).await?;
                    let id = begin(tx, &held, event, &self.collect.key, now).await?;
                    // What comes with it goes into it, however late it is.
                    open = id.filter(|_| takes && most > 1).map(|id| (id, 1));
                    events = rest;
                }
            }
        }
        Ok(())
    }

    /// A message that takes further events, and how many it has.
    async fn open(
        &self,
        process: &Process,
        tx: &mut Tx<'_, '_>,
        now: Timestamp,
    ) -> Result<Option<(i64, i64)>> {
        let (rule, step, recipient, destination, key) = self.name();
        let find = format!(
            "SELECT id, events FROM mediaflow_messages
             WHERE rule = $1 AND recipient = $2 AND step = $3 AND collect = $4 AND state = 'pending' AND attempts = 0
               AND sent_at IS NULL AND destination = $5 AND due > $6 AND events < $7
             LIMIT 1{}",
            process.db.for_update()
        );
        let (destination, most) = (to_text(destination), i64::from(self.collect.most));
        let values = values![rule, recipient, step, key, destination, now, most];
        let row = tx.row(AssertSqlSafe(find), values).await?;
        row.map(|row| Ok((row.int("id")?, row.int("events")?))).transpose()
    }

    /// A message of this event, held back if as many as may go by themselves have gone; and whether it takes further ones.
    async fn held(
        &self,
        tx: &mut Tx<'_, '_>,
        new: &NewMessage,
        now: Timestamp,
    ) -> Result<(NewMessage, bool)> {
        let mut held = new.clone();
        let Some(limit) = self.collect.unless else { return Ok((held, true)) };
        let (rule, step, recipient, destination, _) = self.name();
        let find = "SELECT count(*) AS begun, min(created_at) AS first FROM mediaflow_messages
                    WHERE rule = $1 AND recipient = $2 AND step = $3 AND collect IS NOT NULL AND created_at > $4
                      AND destination = $5";
        let since = Timestamp::from_millis(now.millis().saturating_sub(millis(limit.per)));
        let values = values![rule, recipient, step, since, to_text(destination)];
        let row = tx.row(find, values).await?;
        let begun = row.as_ref().map_or(Ok(0), |row| row.int("begun"))?;
        let first = row.map_or(Ok(None), |row| row.opt_time("first"))?;
        let over = first.filter(|_| begun >= i64::from(limit.attempts));
        if let Some(first) = over {
            held.hold_until(self.collect.after(first.plus(limit.per)), now);
        }
        Ok((held, over.is_some()))
    }
}

/// Adds a message of one event, to which others may come. The same one is there once: then there is nothing to give.
async fn begin(
    tx: &mut Tx<'_, '_>,
    new: &NewMessage,
    event: &Event,
    key: &str,
    now: Timestamp,
) -> Result<Option<i64>> {
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
    let Some(row) = row else { return Ok(None) };
    let id = row.int("id")?;
    let first = "INSERT INTO mediaflow_message_events (message, event) VALUES ($1, $2)";
    tx.run(first, values![id, event.id]).await?;
    Ok(Some(id))
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
        Error::internal(codes::QUEUE_CORRUPT_ROW, "the steps of a rule can not be written")
            .because(e)
    })
}

/// How many messages are replaced at once, and how many of such groups in one transaction.
const REPLACED: usize = 100;
const GROUPS: usize = 10;

/// Puts the next steps in the place of messages that were given up. Gives how many there were.
pub(super) async fn replace(process: &Process, tx: &mut Tx<'_, '_>, now: Timestamp) -> Result<u64> {
    let find = format!(
        "SELECT id, rule, step, recipient, group_key, event, events, kind, job, audience, locale, next
         FROM mediaflow_messages WHERE state = 'dead' AND next IS NOT NULL AND id > $1 ORDER BY id LIMIT {REPLACED}{}",
        process.db.skip_locked()
    );
    let (mut after, mut replaced) = (0, 0);
    for _ in 0..GROUPS {
        let rows = tx.rows(AssertSqlSafe(find.clone()), values![after]).await?;
        for row in &rows {
            after = row.int("id")?;
            match row.json::<Vec<NextStep>>("next") {
                Ok(steps) => {
                    one(tx, row, steps, now).await?;
                    replaced += 1;
                }
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
    let done = "UPDATE mediaflow_messages SET next = NULL, replaced = 1 WHERE id = $1";
    tx.run(done, values![id]).await?;
    let gone = gone(tx, &steps).await?;
    let is_there =
        |step: &NextStep| !gone.contains(&(step.channel.clone(), step.recipient.clone()));
    for (step, behind) in next_of(steps, is_there) {
        tell(tx, row, step, &behind, now).await?;
    }
    Ok(())
}

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
        next(behind)?
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

/// The events of a message of which a recipient is not told yet by a step of its rule, in their order; nor is any of those told
/// who are beside the message's own recipient.
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
        let recipient = place(Value::from(&step.recipient));
        let mut by = format!("m.step = {next} AND m.recipient = {recipient}");
        if !step.beside.is_empty() {
            let own = place(own.into());
            let beside: Vec<_> = step.beside.iter().map(|one| place(Value::from(one))).collect();
            let beside = beside.join(", ");
            by = format!(
                "({by} OR m.step = {own} AND m.recipient IN ({beside}) AND m.state <> 'dead')"
            );
        }
        let find = format!(
            "SELECT m.group_key AS event FROM mediaflow_messages m WHERE m.group_key IN {of} AND m.rule = {rule} AND {by}
             UNION ALL
             SELECT e.event FROM mediaflow_message_events e JOIN mediaflow_messages m ON m.id = e.message
             WHERE e.event IN {of} AND m.rule = {rule} AND {by}"
        );
        for row in tx.rows(AssertSqlSafe(find), &values).await? {
            told.insert(row.text("event")?);
        }
    }
    events.retain(|event| !told.contains(event));
    Ok(events)
}

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
        // What is being sent at this moment is not sent again, if it does not arrive.
        let last = format!(
            "UPDATE mediaflow_messages SET escalates = 2 WHERE state = 'sending' AND escalates = 1{condition}"
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

/// Whether something was given up that others take the place of, or was acknowledged on its way.
pub(super) async fn is_due(process: &Process) -> Result<bool> {
    let find = "SELECT 1 AS one FROM mediaflow_messages WHERE state = 'dead' AND next IS NOT NULL
                UNION ALL SELECT 1 AS one FROM mediaflow_messages WHERE state = 'pending' AND escalates = 2 LIMIT 1";
    Ok(process.db.row(find, &[]).await?.is_some())
}
