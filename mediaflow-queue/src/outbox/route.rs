//! Routing in the tables: one process at a time has the right to, and an event is routed once.
//!
//! Which channels there are differs between processes: in a deploy that adds one, or where some workers have notifiers
//! that others lack. A process routes for its own channels. As long as there are others in the fleet, the event stays,
//! [marked](Mark) with those that are done. What a build can not read stays as well, marked with the build. What stays is
//! dropped when it is too old to be told, or when all channels are done that are left in the fleet.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::outbox::{
    Claimed, Exchanged, LONGEST_ROUTING, NewMessage, Routed, Routing, Unrouted,
};
use mediaflow_core::spec::{JobOptions, NotifyTarget};
use mediaflow_core::{Event, Result, Timestamp};
use sqlx::AssertSqlSafe;
use tokio::time::Instant;

use super::destination::Locked;
use super::handle::{MARGIN, Outbox, to_text};
use super::mark::Mark;
use super::told::Told;
use super::{compose, replace};
use crate::db::{Row, Tx, Value, distinct, in_parts, places, values};
use crate::process::Process;

/// How long the right to route lasts, and how often it is asked for.
const LEASE: Duration = Duration::from_secs(15);
const ASK: Duration = Duration::from_secs(5);

// It is not asked for while a group of events is being routed.
const _: () = assert!(ASK.as_millis() + LONGEST_ROUTING.as_millis() < LEASE.as_millis());

/// How long a channel is believed to come back that no process has.
const GONE: Duration = Duration::from_secs(86_400);

/// How often events are looked for that somebody has left to others.
const LEFT: Duration = Duration::from_secs(2);

/// How many events one statement drops.
const DROPPED: i64 = 500;

/// How much longer than its messages are worth sending an event is kept whose recipients could not be found: they are
/// looked for until then, and those that are configured are told in the end.
const LOOKED_FOR: Duration = Duration::from_secs(3600);

/// Events that this process is to route.
pub(super) async fn unrouted(
    outbox: &Outbox,
    channels: &[String],
    most: usize,
) -> Result<Vec<Unrouted>> {
    if !may_route(outbox, channels).await? {
        return Ok(Vec::new());
    }
    let process = &outbox.process;
    let (mut again, mut new): (Vec<_>, Vec<_>) =
        read(process, "", process.now(), most).await?.into_iter().partition(|found| found.again);
    // Those that were asked for before get few places while there are enough new ones.
    let few = again.len().min(most / 8);
    if again.len() + new.len() == most && again.len() > few {
        new = read(process, "", Timestamp::default(), most - few).await?;
    }
    let look = {
        let routing = outbox.lock_routing();
        routing.looked.is_none_or(|looked| looked.elapsed() >= LEFT)
    };
    let mut found = Vec::new();
    if look {
        // However many new ones there are, what others have left has a part of the places.
        let room = most.saturating_sub(new.len() + again.len()).max(most / 2);
        found = left(outbox, channels, room).await?;
    }
    let places = most.saturating_sub(found.len());
    new.truncate(places.saturating_sub(few));
    again.truncate(places - new.len());
    found.extend(new.into_iter().chain(again));
    found.sort_by_key(|found| (found.again, found.event.seq));
    Ok(found.into_iter().map(|found| found.event).collect())
}

/// An event that is to be routed.
struct Found {
    /// Its recipients were looked for before.
    again: bool,
    event: Unrouted,
}

/// Events that others have left, at most so many. Each of the marks has its part of them, so that none is in the way of
/// another, and what one leaves over is the next one's.
async fn left(outbox: &Outbox, channels: &[String], most: usize) -> Result<Vec<Found>> {
    let process = &outbox.process;
    let all = marks(process).await?;
    drop_left(outbox, &all).await?;
    let is_for = |mark: &String| Mark::read(mark).is_for(&outbox.reader, channels);
    let marks: Vec<_> = all.into_iter().filter(is_for).collect();
    let (mut found, mut more) = (Vec::new(), false);
    for (number, mark) in marks.iter().enumerate() {
        let part = (most - found.len()).div_ceil(marks.len() - number);
        let of_mark = read(process, mark, process.now(), part).await?;
        more |= of_mark.len() == part;
        found.extend(of_mark);
    }
    outbox.lock_routing().looked = (!more).then(Instant::now);
    Ok(found)
}

/// Drops events that were left to others, a few of each mark: those for whose channels nobody has come back, and those that
/// are too old to be told by now.
async fn drop_left(outbox: &Outbox, marks: &[String]) -> Result<()> {
    let process = &outbox.process;
    let sql = AssertSqlSafe(seen(process));
    let fleet = names(&process.db.rows(sql, values![millis(GONE)]).await?)?;
    let drop = format!(
        "DELETE FROM mediaflow_unrouted WHERE seq IN (
             SELECT seq FROM mediaflow_unrouted WHERE route >= $1 AND route <= $1 AND seq <= $2 ORDER BY route, seq LIMIT {DROPPED}{})",
        process.db.skip_locked()
    );
    for mark in marks {
        let done = !fleet.is_empty() && fleet.is_subset(&Mark::read(mark).channels);
        let upto = if done { i64::MAX } else { too_old(outbox, mark).await? };
        let dropped = process.db.run(AssertSqlSafe(drop.clone()), values![mark, upto]).await?;
        if dropped > 0 {
            tracing::warn!(mark, dropped, "events are dropped that were left to others");
        }
    }
    Ok(())
}

/// Up to which event of a mark all of the first ones are too old.
async fn too_old(outbox: &Outbox, mark: &str) -> Result<i64> {
    let process = &outbox.process;
    let worth = |channel: &str| outbox.policy(channel).time_to_live;
    let worth = process.executor.channels().map(worth);
    let worth = worth.fold(process.executor.delivery().time_to_live, Duration::max);
    let find = format!(
        "SELECT u.seq, u.route_at, e.at FROM mediaflow_unrouted u JOIN mediaflow_events e ON e.seq = u.seq
         WHERE u.route >= $1 AND u.route <= $1 ORDER BY u.route, u.seq LIMIT {DROPPED}"
    );
    let (now, mut upto) = (process.now(), i64::MIN);
    for row in process.db.rows(AssertSqlSafe(find), values![mark]).await? {
        let looked_for = row.time("route_at")? > Timestamp::default();
        let kept = if looked_for { worth.saturating_add(LOOKED_FOR) } else { worth };
        if row.time("at")?.plus(kept) > now {
            break;
        }
        upto = row.int("seq")?;
    }
    Ok(upto)
}

/// Asks for the right to route for these channels, now and then.
async fn may_route(outbox: &Outbox, channels: &[String]) -> Result<bool> {
    {
        let routing = outbox.lock_routing();
        if routing.ask_at.is_some_and(|at| at > Instant::now()) {
            return Ok(routing.until.is_some_and(|until| until > Instant::now()));
        }
    }
    let process = &outbox.process;
    let asked = Instant::now();
    let mut channels = channels.to_vec();
    channels.sort();
    let clock = process.db.clock();
    let lease = format!(
        "INSERT INTO mediaflow_leases (name, holder, lease_until) VALUES ($1, $2, {clock} + $3)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
         WHERE mediaflow_leases.holder = excluded.holder OR mediaflow_leases.lease_until <= {clock}"
    );
    let name = format!("router {}", channels.join(" "));
    let ours =
        process.db.run(AssertSqlSafe(lease), values![name, &process.id, millis(LEASE)]).await? > 0;
    if ours {
        show(process, &channels).await?;
    }
    let mut routing = outbox.lock_routing();
    routing.until = ours.then(|| asked + LEASE - ASK / 2);
    routing.ask_at = Some(asked + ASK);
    Ok(ours)
}

/// Tells the fleet which channels there are here.
async fn show(process: &Process, channels: &[String]) -> Result<()> {
    let clock = process.db.clock();
    for channel in channels {
        let see = format!(
            "INSERT INTO mediaflow_channels (name, seen_at) VALUES ($1, {clock})
             ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at"
        );
        process.db.run(AssertSqlSafe(see), values![channel]).await?;
    }
    Ok(())
}

/// The channels of the fleet.
fn seen(process: &Process) -> String {
    let clock = process.db.clock();
    format!("SELECT name FROM mediaflow_channels WHERE seen_at > {clock} - $1")
}

fn names(rows: &[Row]) -> Result<BTreeSet<String>> {
    rows.iter().map(|row| row.text("name")).collect()
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Gives back what a process has the right to.
pub(super) const RELEASE: &str = "DELETE FROM mediaflow_leases WHERE holder = $1";

/// The marks of events that were left to others.
async fn marks(process: &Process) -> Result<Vec<String>> {
    let find = format!(
        "{} SELECT value FROM found WHERE value > ''",
        distinct("mediaflow_unrouted", "route", "TRUE")
    );
    let rows = process.db.rows(AssertSqlSafe(find), &[]).await?;
    rows.iter().map(|row| row.text("value")).collect()
}

/// Events with this mark that may be routed at this moment; at the beginning of time, those that never had to wait.
async fn read(process: &Process, mark: &str, at: Timestamp, most: usize) -> Result<Vec<Found>> {
    let find = "SELECT u.seq, u.route_at, e.body, j.notify, b.options FROM mediaflow_unrouted u
        JOIN mediaflow_events e ON e.seq = u.seq
        LEFT JOIN mediaflow_jobs j ON j.id = e.job
        LEFT JOIN mediaflow_batches b ON e.job IS NULL AND b.id = e.batch
        WHERE u.route >= $1 AND u.route <= $1 AND u.route_at <= $2 ORDER BY u.route, u.seq LIMIT $3";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    // By a plan that knows no values: one that knows the mark would read all events that have it, however many, and sort them.
    // The order has the mark in front, which is no single one by these words: it is that of the index, which begins at the mark, and
    // not in front of all events that have another.
    let rows = process.db.looked(find, values![mark, at, most]).await?;
    let found = |row: &Row| {
        let event = Unrouted::new(row.int("seq")?, event(row));
        Ok(Found { again: row.time("route_at")? > Timestamp::default(), event })
    };
    rows.iter().map(found).collect()
}

/// The event with the targets of its job, or of its batch's first one.
fn event(row: &Row) -> Result<Event> {
    let mut event: Event = row.json("body")?;
    // Who could not be told is no one to tell that.
    if event.kind.is_of_delivery() {
        return Ok(event);
    }
    let targets: Option<Vec<NotifyTarget>> = row.opt_json("notify")?;
    let options: Option<JobOptions> = row.opt_json("options")?;
    if let Some(targets) = targets.or(options.map(|options| options.notify)) {
        event.notify = targets;
    }
    Ok(event)
}

/// Stores what became of events. Those that somebody else has routed meanwhile are passed over.
pub(super) async fn store(
    outbox: &Outbox,
    tx: &mut Tx<'_, '_>,
    routed: &[Routed],
    locked: &mut Locked,
    now: Timestamp,
    told: &mut Vec<Event>,
) -> Result<Exchanged> {
    let mut exchanged = Exchanged::default();
    if routed.is_empty() {
        return Ok(exchanged);
    }
    // Read with the events, so that a channel that was there before an event is told of it.
    let fleet = AssertSqlSafe(seen(&outbox.process));
    let fleet = names(&tx.rows(fleet, values![millis(GONE)]).await?)?;
    let own = outbox.process.executor.channels();
    let own: Vec<_> = own.map(str::to_owned).collect();
    let (mut messages, mut done) = (Vec::new(), Vec::new());
    for group in in_parts(routed) {
        for (seq, text) in pending(&outbox.process, tx, group).await? {
            let Some(routed) = group.iter().find(|routed| routed.seq == seq) else { continue };
            let mut mark = Mark::read(&text);
            match &routed.routing {
                Routing::Later(until) => {
                    let later = "UPDATE mediaflow_unrouted SET route_at = $2 WHERE seq = $1";
                    tx.run(later, values![seq, *until]).await?;
                    continue;
                }
                Routing::Unknown => mark = mark.left_by(&outbox.reader),
                Routing::Messages(new) => {
                    let Some(event) = &routed.event else { continue };
                    let failure = routed.failure.as_ref();
                    told.extend(failure.map(|failure| failure.clone().into_event(event.job, now)));
                    let new =
                        new.iter().filter(|new| !mark.channels.contains(&new.destination.channel));
                    messages.extend(new.map(|new| (new, event)));
                    mark.channels.extend(own.iter().cloned());
                    if fleet.is_subset(&mark.channels) {
                        done.push(seq);
                        continue;
                    }
                }
            }
            let mark = mark.to_string();
            if mark != text {
                let left = "UPDATE mediaflow_unrouted SET route = $2 WHERE seq = $1";
                tx.run(left, values![seq, mark]).await?;
            }
        }
    }
    for done in in_parts(&done) {
        let names: Vec<_> = done.iter().copied().map(Value::from).collect();
        let delete =
            format!("DELETE FROM mediaflow_unrouted WHERE seq IN {}", places(1, done.len()));
        tx.run(AssertSqlSafe(delete), &names).await?;
    }
    let messages = compose::take(&outbox.process, tx, messages, now, &mut exchanged).await?;
    for messages in in_parts(&messages) {
        add(outbox, tx, messages, locked, now, &mut exchanged, told).await?;
    }
    Ok(exchanged)
}

/// Events that are still to be routed, with their marks; nobody else routes them until the end of the transaction.
async fn pending(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    routed: &[Routed],
) -> Result<Vec<(i64, String)>> {
    let numbers: Vec<_> = routed.iter().map(|routed| Value::from(routed.seq)).collect();
    let find = format!(
        "SELECT seq, route FROM mediaflow_unrouted WHERE seq IN {} ORDER BY seq{}",
        places(1, numbers.len()),
        process.db.for_update()
    );
    let rows = tx.rows(AssertSqlSafe(find), &numbers).await?;
    rows.iter().map(|row| Ok((row.int("seq")?, row.text("route")?))).collect()
}

/// Columns of a new message.
const COLUMNS: usize = 23;

/// Whether nobody is at a new message's address any more. If something else takes its place, it is stored all the same.
const NOBODY: &str =
    "EXISTS (SELECT 1 FROM mediaflow_gone g WHERE g.channel = column6 AND g.recipient = column4
                            AND column4 <> '')";

/// Adds messages. Those that are sent at once belong to this process from the beginning.
async fn add(
    outbox: &Outbox,
    tx: &mut Tx<'_, '_>,
    messages: &[(&NewMessage, &Arc<Event>)],
    locked: &mut Locked,
    now: Timestamp,
    exchanged: &mut Exchanged,
    told: &mut Vec<Event>,
) -> Result<()> {
    let process = &outbox.process;
    // No terms of a channel change it.
    let lease = now.plus(process.executor.delivery().timeout).plus(MARGIN);
    let mut rows = Vec::with_capacity(messages.len() * COLUMNS);
    for (new, event) in messages {
        let key = to_text(&new.destination);
        let at_once = new.at_once && new.thread.is_none() && locked.is_clear(&key);
        let state = match (&new.refused, at_once) {
            (Some(_), _) => "dead",
            (None, true) => "sending",
            (None, false) => "pending",
        };
        rows.extend_from_slice(values![
            new.id,
            &new.rule,
            new.step,
            &new.recipient,
            &new.group,
            &new.destination.channel,
            key,
            new.address.as_ref().map(|address| address.reveal().to_owned()),
            new.thread.clone(),
            event.id,
            event.kind.as_str(),
            event.job,
            state,
            new.due.unwrap_or(now),
            new.expires_at,
            i64::from(at_once),
            at_once.then(|| process.id.clone()),
            at_once.then_some(lease),
            now,
            new.audience.map(|audience| audience.as_str().to_owned()),
            new.locale.clone(),
            i64::from(new.escalates.is_some()),
            replace::stored(&new.next)?
        ]);
    }
    // The subquery, and no join, keeps the rows in their order. A job may name the same address twice.
    let insert = format!(
        "INSERT INTO mediaflow_messages
           (uid, rule, step, recipient, group_key, channel, destination, address, thread, event, kind, job, state, due,
            expires_at, attempts, worker, lease_until, created_at, audience, locale, escalates, next)
         SELECT column1, column2, column3, column4, column5, column6, column7, column8, column9, column10, column11,
            column12, CASE WHEN column23 IS NOT NULL AND {NOBODY} THEN 'dead' ELSE column13 END, column14, column15, column16, column17, column18, column19, column20, column21, column22,
            column23
         FROM (VALUES {}) AS new
         WHERE column23 IS NOT NULL OR NOT {NOBODY}
         ON CONFLICT (group_key, rule, recipient, step) DO NOTHING
         RETURNING id, uid, rule, step, recipient, group_key, state, expires_at",
        places(messages.len(), COLUMNS)
    );
    for row in tx.rows(AssertSqlSafe(insert), &rows).await? {
        let (rule, recipient, group) =
            (row.text("rule")?, row.text("recipient")?, row.text("group_key")?);
        let step = row.int("step")?;
        let same = |(new, _): &&(&NewMessage, &Arc<Event>)| {
            new.rule == rule
                && i64::from(new.step) == step
                && new.recipient == recipient
                && new.group == group
        };
        let Some((new, event)) = messages.iter().find(same) else { continue };
        match &*row.text("state")? {
            "sending" => {}
            "dead" => {
                given_up(tx, row.int("id")?, new, now).await?;
                let Some(failure) = new.failure(event) else { continue };
                let key = to_text(&new.destination);
                let whom = BTreeSet::from([(key.clone(), &*recipient)]);
                let mut known = Told::read(process, tx, &whom).await?;
                if known.of(&key).insert(recipient.clone()) {
                    told.push(failure.into_event(event.job, now));
                }
                known.save(tx, now).await?;
                continue;
            }
            _ => {
                exchanged.waits = true;
                continue;
            }
        }
        let destination = new.destination.clone();
        let mut claimed =
            Claimed::new(row.int("id")?, destination, recipient, Ok(new.of(Event::clone(event))));
        claimed.expires_at = row.time("expires_at")?;
        exchanged.begun.push(claimed);
    }
    Ok(())
}

/// Gives up a message whose address its channel refuses, or where nobody is any more. It is kept, as every dead one is.
async fn given_up(tx: &mut Tx<'_, '_>, id: i64, new: &NewMessage, now: Timestamp) -> Result<()> {
    let end = "UPDATE mediaflow_messages SET ended_at = $2, error = $3 WHERE id = $1";
    let reason = new.refused.clone().unwrap_or_else(|| "nobody is at this address any more".into());
    tx.run(end, values![id, now, reason]).await.map(drop)
}
