//! What has ended long ago is deleted, a little at a time.

use std::time::Duration;

use mediaflow_core::Result;
use sqlx::AssertSqlSafe;
use tokio::time::Instant;

use crate::db::values;
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

/// Not while somebody is to be told of its end: who that is stands in its options.
const BATCHES: &str = "DELETE FROM mediaflow_batches WHERE id IN (
    SELECT b.id FROM mediaflow_batches b WHERE b.ended_at < $1
      AND NOT EXISTS (SELECT 1 FROM mediaflow_events e WHERE e.batch = b.id AND e.job IS NULL AND (
        EXISTS (SELECT 1 FROM mediaflow_unrouted u WHERE u.seq = e.seq AND e.at > $2
                AND EXISTS (SELECT 1 FROM mediaflow_channels WHERE seen_at > $2))
        OR EXISTS (SELECT 1 FROM mediaflow_messages d WHERE d.group_key = e.id AND d.state IN ('pending', 'sending'))
        OR EXISTS (SELECT 1 FROM mediaflow_messages d
                   WHERE d.event = e.id AND d.events > 1 AND d.state IN ('pending', 'sending'))))
    ORDER BY b.ended_at LIMIT 200)";

/// What is remembered of destinations that work by now, or that nobody has told anything for long. One that is disabled
/// stays so as long as there is something that was given up for it. Each turn looks at a page of them.
const DESTINATIONS: &str =
    "SELECT max(destination) AS last FROM (
       SELECT destination FROM mediaflow_destinations WHERE destination > $1 ORDER BY destination LIMIT 500) AS page";

/// The destinations of a page that were not touched since a moment, which a rate writes down in microseconds.
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

/// What arrived or was given up goes after the same time, with its address and its log.
const MESSAGES: &str = "DELETE FROM mediaflow_messages WHERE id IN (
    SELECT id FROM mediaflow_messages WHERE state IN ('delivered', 'dead') AND ended_at < $1 ORDER BY ended_at LIMIT 500)";

/// Addresses that are gone are asked again after the same time.
const GONE: &str = "DELETE FROM mediaflow_gone WHERE at < $1";

/// What was said of work elsewhere is known for the same time, so that nobody can say it again.
const SIGNALS: &str = "DELETE FROM mediaflow_signals WHERE id IN (
    SELECT id FROM mediaflow_signals WHERE at < $1 ORDER BY at LIMIT 500)";

/// What was told so long ago is told again.
const TOLD: &str = "DELETE FROM mediaflow_told WHERE at < $1";

/// Not while somebody is to be told of them, nor while a batch is there that counts them. Who is to be told is not known
/// before their events are routed, for which a fleet without any notifier has nobody.
const JOBS: &str = "DELETE FROM mediaflow_jobs WHERE id IN (
    SELECT j.id FROM mediaflow_jobs j WHERE j.ended_at < $1
      AND NOT EXISTS (SELECT 1 FROM mediaflow_unrouted u JOIN mediaflow_events e ON e.seq = u.seq
                      WHERE e.job = j.id AND EXISTS (SELECT 1 FROM mediaflow_channels WHERE seen_at > $2)
                        AND e.at > $2)
      AND NOT EXISTS (SELECT 1 FROM mediaflow_messages d WHERE d.job = j.id AND d.state IN ('pending', 'sending'))
      AND NOT EXISTS (SELECT 1 FROM mediaflow_batch_jobs b WHERE b.job = j.id)
    ORDER BY j.ended_at LIMIT 200)";

/// Those of jobs go after their job, and all after their messages: one that was given up can be sent again for as long as
/// it is kept.
const EVENTS: &str = "DELETE FROM mediaflow_events WHERE id IN (
    SELECT e.id FROM mediaflow_events e WHERE e.at < $1
      AND NOT EXISTS (SELECT 1 FROM mediaflow_jobs j WHERE j.id = e.job)
      AND NOT EXISTS (SELECT 1 FROM mediaflow_unrouted u WHERE u.seq = e.seq AND e.at > $2
                      AND EXISTS (SELECT 1 FROM mediaflow_channels WHERE seen_at > $2))
      AND NOT EXISTS (SELECT 1 FROM mediaflow_messages d WHERE d.group_key = e.id)
      AND NOT EXISTS (SELECT 1 FROM mediaflow_messages d WHERE d.event = e.id AND d.events > 1)
      AND NOT EXISTS (SELECT 1 FROM mediaflow_message_events m WHERE m.event = e.id)
    ORDER BY e.at LIMIT 500)";

/// The next page of events, as far as it is old enough.
const PAGE: &str = "SELECT max(CASE WHEN at < $2 THEN seq END) AS upto FROM (
    SELECT seq, at FROM mediaflow_events WHERE seq > $1 ORDER BY seq LIMIT 2000) AS page";

const PAST_PROGRESS: &str = "DELETE FROM mediaflow_events
    WHERE seq > $1 AND seq <= $2 AND at < $3 AND kind = 'job.progress'
      AND NOT EXISTS (SELECT 1 FROM mediaflow_messages d WHERE d.group_key = mediaflow_events.id)
      AND NOT EXISTS (SELECT 1 FROM mediaflow_messages d WHERE d.event = mediaflow_events.id AND d.events > 1)
      AND NOT EXISTS (SELECT 1 FROM mediaflow_message_events m WHERE m.event = mediaflow_events.id)";

#[derive(Debug, Default)]
pub(super) struct Retention {
    /// Progress was deleted up to this event.
    progress: i64,
    /// The last destination that was looked at.
    destination: String,
}

impl Retention {
    /// Deletes for a moment. Gives true if there is more to delete.
    pub(super) async fn turn(&mut self, process: &Process) -> Result<bool> {
        let began = Instant::now();
        self.destinations(process).await?;
        while self.step(process).await? {
            if began.elapsed() > TURN {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Looks at a page of the destinations, and then at the next one.
    async fn destinations(&mut self, process: &Process) -> Result<()> {
        let page = process.db.row(DESTINATIONS, values![&self.destination]).await?;
        let last = page.map(|row| row.opt_text("last")).transpose()?.flatten();
        let Some(last) = last else {
            self.destination = String::new();
            return Ok(());
        };
        // Whoever fails for so long is disabled: what counts for that is not forgotten before.
        let kept = process.settings.retention.max(process.executor.delivery().disable_after);
        for (only, time) in [(WORKS, RATE), (NOT_GIVEN_UP, kept)] {
            let delete = AssertSqlSafe(untouched(process, only));
            let values = values![&self.destination, &last, past(process, time)];
            process.db.run(delete, values).await?;
        }
        self.destination = last;
        Ok(())
    }

    async fn step(&mut self, process: &Process) -> Result<bool> {
        let past = |time| past(process, time);
        let (db, until) = (&process.db, past(process.settings.retention));
        let mut deleted = 0;
        for sql in [MESSAGES, GONE, TOLD] {
            deleted += db.run(sql, values![until]).await?;
        }
        deleted += db.run(SIGNALS, values![until.min(past(EARLY))]).await?;
        for sql in [BATCHES, JOBS, EVENTS] {
            deleted += db.run(sql, values![until, past(UNROUTED).min(until)]).await?;
        }
        let until = past(PROGRESS);
        let page = db.row(PAGE, values![self.progress, until]).await?;
        let upto = page.map(|row| row.opt_int("upto")).transpose()?.flatten();
        if let Some(upto) = upto {
            db.run(PAST_PROGRESS, values![self.progress, upto, until]).await?;
            self.progress = upto;
        }
        Ok(deleted > 0 || upto.is_some())
    }
}

/// So long ago.
fn past(process: &Process, time: Duration) -> i64 {
    let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    i64::try_from(process.now().millis().saturating_sub(time)).unwrap_or(i64::MAX)
}
