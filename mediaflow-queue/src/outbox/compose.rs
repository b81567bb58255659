//! What goes into messages of several events, and what is only counted.

use std::collections::BTreeSet;
use std::sync::Arc;

use mediaflow_core::outbox::{Collect, DestinationKey, Escalates, Exchanged, NewMessage};
use mediaflow_core::{Event, Result, Timestamp};
use sqlx::AssertSqlSafe;

use super::escalate::count;
use super::handle::to_text;
use super::replace;
use crate::db::{Name, Tx, Value, places, values};
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
    // Others open a message of the same name at this moment, for channels that they alone have: whoever comes second finds it.
    let rules: BTreeSet<_> = groups.iter().map(|group| &*group.new.rule).collect();
    for rule in rules {
        tx.keep_name(Name::Rule(rule)).await?;
    }
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
            held.leave_thread();
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
                replace::stored(&new.next)?
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
