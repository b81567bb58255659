//! What has ended long ago is deleted, a little at a time.
//!
//! What grows is walked through by age ([`Aged`]), and how far is stored: whoever is the first worker next goes on there.

use std::time::Duration;

use mediaflow_core::Result;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use tokio::time::Instant;

use super::aged::{Aged, BATCHES, DEAD, DELIVERED, EVENTS, JOBS, Times, Turn, Walk};
use crate::db::{to_json, values};
use crate::process::Process;

/// How long the past progress of jobs is kept.
const PROGRESS: Duration = Duration::from_secs(3600);

/// How long a destination is remembered of which nothing is to be said: far longer than any rate takes to be free again.
const RATE: Duration = Duration::from_secs(3600);

/// How long events wait to be routed before their job is deleted all the same: a notifier may be away for that long.
const UNROUTED: Duration = Duration::from_secs(86_400);

/// How long an update is kept at least that nothing waits for yet.
const EARLY: Duration = Duration::from_secs(86_400);

/// How long one turn may take: others want to write as well.
const TURN: Duration = Duration::from_secs(1);

/// No time of a rule in which events count is longer, so that older ones count no more.
const COUNTED: Duration = Duration::from_secs(7 * 86_400);

/// What has no age of its own is looked at a page at a time, by its key: the last one of the next page.
fn last_of_page(table: &str, key: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "SELECT max({key}) AS last FROM (
           SELECT {key} FROM {table} WHERE {key} > $1 ORDER BY {key} LIMIT 500) AS page"
    ))
}

/// How many events of a rule have counted, of a page of rules that were not counted for long.
const PAST_COUNTED: &str =
    "DELETE FROM mediaflow_counted WHERE rule > $1 AND rule <= $2 AND since < $3";

/// What is remembered of destinations that work by now, or that nobody has told anything for long. One that is disabled
/// stays so as long as there is something that was given up for it: the destinations of a page that were not touched since a moment, which a rate writes down in microseconds.
fn untouched(process: &Process, only: &str) -> String {
    format!(
        "DELETE FROM mediaflow_destinations WHERE destination IN (
           SELECT d.destination FROM mediaflow_destinations d
           WHERE d.destination > $1 AND d.destination <= $2 AND d.touched_at < $3 AND d.blocked_until < $3
             AND d.probe_until < $3 AND d.paid_until / 1000 < $3 AND coalesce(d.failing_since, 0) < $3
             AND coalesce(d.disabled_at, 0) < $3 AND {only}
             AND NOT EXISTS (SELECT 1 FROM mediaflow_messages m
                             WHERE m.destination = d.destination AND m.state = 'pending'){})",
        process.db.skip_locked()
    )
}

/// Nothing is against it, and it has all its places: as one without a row.
const WORKS: &str = "d.failures = 0 AND d.probes = 0 AND d.paused = 0 AND d.told = 0 AND d.ramp = 0
    AND d.failing_since IS NULL AND d.disabled_at IS NULL AND d.reason IS NULL";

const NOT_GIVEN_UP: &str = "(d.disabled_at IS NULL OR NOT EXISTS (
    SELECT 1 FROM mediaflow_messages m WHERE m.destination = d.destination AND m.state = 'dead'))";

/// What is remembered for a time: addresses that are gone are asked again after it, and what was told is told again.
const REMEMBERED: [&str; 2] = ["mediaflow_gone", "mediaflow_told"];

/// What was said of work elsewhere is known for the same time, so that nobody can say it again.
const SAID: &str = "mediaflow_signals";

/// The oldest rows of a table, up to the moment of the last one of a page.
fn oldest(table: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "DELETE FROM {table} WHERE at < $1 AND at <= (
           SELECT max(at) FROM (SELECT at FROM {table} WHERE at < $1 ORDER BY at LIMIT 500) AS page)"
    ))
}

/// The next page of events, as far as it is old enough.
const PAGE: &str = "SELECT max(CASE WHEN at < $2 THEN seq END) AS upto FROM (
    SELECT seq, at FROM mediaflow_events WHERE seq > $1 ORDER BY seq LIMIT 500) AS page";

const PAST_PROGRESS: &str = "DELETE FROM mediaflow_events WHERE seq IN (
    SELECT e.seq FROM (
        SELECT seq, id, at, kind FROM mediaflow_events WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT 500) AS e
    WHERE e.at < $3 AND e.kind = 'job.progress'
      AND (SELECT 1 FROM mediaflow_messages d WHERE d.group_key = e.id LIMIT 1) IS NULL
      AND (SELECT 1 FROM mediaflow_messages d WHERE d.event = e.id AND d.events > 1 LIMIT 1) IS NULL
      AND (SELECT 1 FROM mediaflow_message_events m WHERE m.event = e.id LIMIT 1) IS NULL)";

/// What leaves in this order, as far as it is old enough: what others depend on comes after them.
const ORDER: [&Aged; 5] = [&DELIVERED, &DEAD, &BATCHES, &JOBS, &EVENTS];

/// How far everything was looked at. It is stored, and one that an earlier version has left or can not read begins anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Places {
    /// As in [`ORDER`].
    aged: [Walk; ORDER.len()],
    /// Progress was deleted up to this event.
    progress: i64,
    /// The last destination that was looked at.
    destination: String,
    /// The last rule that was looked at.
    rule: String,
}

/// Deletes for a moment. Gives true if there is more to delete.
pub(super) async fn turn(process: &Process) -> Result<bool> {
    let before = read(process).await?;
    let mut places = before.clone();
    destinations(process, &mut places).await?;
    counted(process, &mut places).await?;
    let more = delete(process, &mut places).await;
    // Also after an error: what was deleted is not looked for again.
    if places != before {
        let save = "INSERT INTO mediaflow_facts (name, value) VALUES ('retention', $1)
                    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        process.db.run(save, values![to_json(&places)?]).await?;
    }
    more
}

async fn read(process: &Process) -> Result<Places> {
    let find = "SELECT value FROM mediaflow_facts WHERE name = 'retention'";
    let row = process.db.row(find, &[]).await?;
    Ok(row.and_then(|row| row.json("value").ok()).unwrap_or_default())
}

/// Looks at a page of the destinations, and at the next one in the next turn.
async fn destinations(process: &Process, places: &mut Places) -> Result<()> {
    let before = std::mem::take(&mut places.destination);
    let Some(last) = next_page(process, "mediaflow_destinations", "destination", &before).await?
    else {
        return Ok(());
    };
    // Whoever fails for so long is disabled: what counts for that is not forgotten before.
    let kept = process.settings.retention.max(process.executor.delivery().disable_after);
    for (only, time) in [(WORKS, RATE), (NOT_GIVEN_UP, kept)] {
        let delete = AssertSqlSafe(untouched(process, only));
        process.db.run(delete, values![&before, &last, past(process, time)]).await?;
    }
    places.destination = last;
    Ok(())
}

/// Looks at a page of what has counted, as at one of the destinations.
async fn counted(process: &Process, places: &mut Places) -> Result<()> {
    let before = std::mem::take(&mut places.rule);
    if let Some(last) = next_page(process, "mediaflow_counted", "rule", &before).await? {
        process.db.run(PAST_COUNTED, values![&before, &last, past(process, COUNTED)]).await?;
        places.rule = last;
    }
    Ok(())
}

/// The last key of the page behind one; none if there is no more.
async fn next_page(
    process: &Process,
    table: &str,
    key: &str,
    before: &str,
) -> Result<Option<String>> {
    let page = process.db.row(last_of_page(table, key), values![before]).await?;
    Ok(page.map(|row| row.opt_text("last")).transpose()?.flatten())
}

/// A step of everything, and again, until nothing more is old enough.
async fn delete(process: &Process, places: &mut Places) -> Result<bool> {
    let began = Instant::now();
    let mut turns = [const { Turn::new() }; ORDER.len()];
    loop {
        let past = |time| past(process, time);
        let until = past(process.settings.retention);
        let times = Times { now: past(Duration::ZERO), until, unrouted: past(UNROUTED).min(until) };
        let mut more = false;
        for table in REMEMBERED {
            more |= process.db.run(oldest(table), values![until]).await? > 0;
        }
        more |= process.db.run(oldest(SAID), values![until.min(past(EARLY))]).await? > 0;
        for ((aged, walk), turn) in ORDER.iter().zip(&mut places.aged).zip(&mut turns) {
            more |= aged.step(process, &times, walk, turn).await?;
        }
        more |= progress(process, places).await?;
        if !more || began.elapsed() > TURN {
            return Ok(more);
        }
    }
}

async fn progress(process: &Process, places: &mut Places) -> Result<bool> {
    let until = past(process, PROGRESS);
    let page = process.db.row(PAGE, values![places.progress, until]).await?;
    let Some(upto) = page.map(|row| row.opt_int("upto")).transpose()?.flatten() else {
        return Ok(false);
    };
    process.db.run(PAST_PROGRESS, values![places.progress, upto, until]).await?;
    places.progress = upto;
    Ok(true)
}

/// So long ago.
fn past(process: &Process, time: Duration) -> i64 {
    let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    i64::try_from(process.now().millis().saturating_sub(time)).unwrap_or(i64::MAX)
}
