//! What follows from attempts: each row, its log, and what is known of the destination.

use std::collections::BTreeMap;

use mediaflow_core::event::EventData;
use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::{Event, EventKind, NotifyError, Result, Timestamp};
use sqlx::AssertSqlSafe;

use super::send::Attempted;
use crate::db::{Tx, places, values};
use crate::process::Process;

/// What was written down.
#[derive(Debug, Default)]
pub(super) struct Finished {
    /// Tells of deliveries that were given up.
    pub(super) events: Vec<Event>,
    /// Destinations of which something else is true now than was known of them.
    pub(super) changed: Vec<i64>,
    /// What became of each delivery, by channel: for metrics.
    pub(super) counted: Vec<(String, &'static str)>,
}

/// What a group of attempts says about a destination.
#[derive(Debug, Default)]
struct Verdict {
    /// Something got through.
    works: bool,
    /// Failures in a row, the last ones of the group.
    failures: u32,
    /// How the probe went.
    probe: Option<bool>,
    throttled_until: Option<Timestamp>,
    gone: Option<String>,
}

/// Writes attempts down, in a transaction that may do more. What another process has taken over meanwhile is skipped.
pub(super) async fn finish(
    home: &Process,
    tx: &mut Tx<'_, '_>,
    attempts: &[Attempted],
    now: Timestamp,
) -> Result<Finished> {
    let policy = home.executor.delivery();
    let mut finished = Finished::default();
    let mut verdicts: BTreeMap<i64, Verdict> = BTreeMap::new();
    let mut log = Vec::with_capacity(attempts.len() * COLUMNS);
    for attempt in attempts {
        let claimed = &attempt.claimed;
        let wait = match &attempt.result {
            Ok(_) => None,
            Err(error) => error.retry().and_then(|asked| policy.wait(claimed.attempt, asked)),
        };
        let due = wait.map(|wait| now.plus(wait));
        if !write(home, tx, attempt, due, now).await? {
            continue;
        }
        log.extend_from_slice(values![
            claimed.id,
            claimed.attempt,
            attempt.at,
            i64::try_from(attempt.took.as_millis()).unwrap_or(i64::MAX),
            attempt.outcome().as_str(),
            attempt.status().map(i64::from),
            attempt.error(),
            attempt.body().map(str::to_owned)
        ]);
        verdicts.entry(claimed.line).or_default().hear(attempt, due, policy, now);
        finished.counted.push(match (&attempt.result, due) {
            (Ok(_), _) => (claimed.channel.clone(), "delivered"),
            (Err(_), Some(_)) => (claimed.channel.clone(), "failed"),
            (Err(error), None) => {
                finished.events.extend(given_up(attempt, error, now));
                (claimed.channel.clone(), "dead")
            }
        });
    }
    for log in log.chunks(COLUMNS * TOGETHER) {
        let insert = format!(
            "INSERT INTO mediaflow_attempts (delivery, attempt, at, took, outcome, status, error, body) VALUES {}",
            places(log.len() / COLUMNS, COLUMNS)
        );
        tx.run(AssertSqlSafe(insert), log).await?;
    }
    for (line, verdict) in verdicts {
        if verdict.write(tx, line, policy, now).await? {
            finished.changed.push(line);
        }
    }
    Ok(finished)
}

/// Columns of the log, and how many rows of it one statement writes.
const COLUMNS: usize = 8;
const TOGETHER: usize = 16;

/// Writes the row, if it is still this process that sends it.
async fn write(
    home: &Process,
    tx: &mut Tx<'_, '_>,
    attempt: &Attempted,
    due: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool> {
    let claimed = &attempt.claimed;
    let state = match (&attempt.result, due) {
        (Ok(_), _) => "delivered",
        (Err(_), Some(_)) => "pending",
        (Err(_), None) => "dead",
    };
    let ours = tx
        .run(
            "UPDATE mediaflow_deliveries SET state = $4, worker = NULL, lease_until = NULL, status = $5, error = $6,
             ended_at = $7, due = coalesce($8, due)
             WHERE id = $1 AND state = 'sending' AND worker = $2 AND attempts = $3",
            values![
                claimed.id,
                &home.id,
                claimed.attempt,
                state,
                attempt.status().map(i64::from),
                attempt.error(),
                due.is_none().then_some(now),
                due
            ],
        )
        .await?;
    if ours == 0 {
        return Ok(false);
    }
    if let (Some(due), true, Ok(event)) = (due, home.executor.delivery().ordered, &claimed.event) {
        // Those behind it can not go before it: with its moment they are not looked at until then.
        let behind = "UPDATE mediaflow_deliveries SET due = $4
                      WHERE job = $1 AND destination = $2 AND id > $3 AND state = 'pending' AND due < $4";
        tx.run(behind, values![event.job, claimed.line, claimed.id, due]).await?;
    }
    Ok(true)
}

/// The event that tells of a delivery that was given up. A failure to tell of a failure ends there.
fn given_up(attempt: &Attempted, error: &NotifyError, now: Timestamp) -> Option<Event> {
    let lost = attempt.claimed.event.as_ref().ok()?;
    if lost.kind == EventKind::DeliveryFailed {
        return None;
    }
    let data = EventData::Delivery {
        channel: attempt.claimed.channel.clone(),
        event: lost.id,
        attempts: attempt.claimed.attempt,
        reason: error.reason().to_owned(),
    };
    let mut event = Event::new(EventKind::DeliveryFailed, now, data);
    (event.job, event.batch) = (lost.job, lost.batch);
    Some(event)
}

/// Gives up all that waits for a destination that is disabled.
pub(super) async fn bury(tx: &mut Tx<'_, '_>, line: i64, now: Timestamp) -> Result<()> {
    let dead = "UPDATE mediaflow_deliveries SET state = 'dead', ended_at = $2, error = 'the destination is disabled'
                WHERE destination = $1 AND state = 'pending'";
    tx.run(dead, values![line, now]).await.map(drop)
}

impl Verdict {
    fn hear(
        &mut self,
        attempt: &Attempted,
        due: Option<Timestamp>,
        policy: &DeliveryPolicy,
        now: Timestamp,
    ) {
        let failed = match &attempt.result {
            // Somebody is there, whatever they say.
            Ok(_) | Err(NotifyError::Rejected { .. } | NotifyError::Auth { .. }) => false,
            Err(NotifyError::Gone { reason }) => {
                self.gone = Some(attempt.error().unwrap_or_else(|| reason.to_string()));
                false
            }
            Err(NotifyError::Throttled { after, .. }) => {
                let wait = after.map(|after| now.plus(after.min(policy.longest)));
                self.throttled_until = self.throttled_until.max(wait.or(due));
                // Who says how long to wait works; who does not may be a gateway before somebody who does not.
                after.is_none()
            }
            Err(_) => true,
        };
        if failed {
            self.failures += 1;
        } else {
            (self.works, self.failures) = (true, 0);
        }
        if attempt.claimed.probe {
            self.probe = Some(!failed);
        }
    }

    /// Writes what follows for the destination, and says whether anything does.
    async fn write(
        self,
        tx: &mut Tx<'_, '_>,
        line: i64,
        policy: &DeliveryPolicy,
        now: Timestamp,
    ) -> Result<bool> {
        let mut changed = false;
        if self.works {
            let works =
                "UPDATE mediaflow_destinations SET failures = 0, probes = 0, probe_until = 0
                         WHERE id = $1 AND failures > 0";
            changed |= tx.run(works, values![line]).await? > 0;
        }
        if self.failures > 0 {
            changed |= self.failed(tx, line, policy, now).await?;
        }
        if let Some(until) = self.throttled_until {
            block(tx, line, until).await?;
            changed = true;
        }
        if let Some(reason) = self.gone {
            let disable = "UPDATE mediaflow_destinations SET disabled_at = $2, disabled_reason = $3
                           WHERE id = $1 AND disabled_at IS NULL";
            tx.run(disable, values![line, now, reason]).await?;
            bury(tx, line, now).await?;
            changed = true;
        }
        Ok(changed)
    }

    /// Counts failures, and opens the breaker or keeps it open. What was under way when it opened says nothing new.
    async fn failed(
        &self,
        tx: &mut Tx<'_, '_>,
        line: i64,
        policy: &DeliveryPolicy,
        now: Timestamp,
    ) -> Result<bool> {
        let count = "UPDATE mediaflow_destinations SET failures = failures + $2 WHERE id = $1 RETURNING failures, probes";
        let Some(row) = tx.row(count, values![line, self.failures]).await? else {
            return Ok(false);
        };
        let (failures, limit) = (row.int("failures")?, i64::from(policy.breaker_after));
        if limit == 0 || failures < limit {
            return Ok(true);
        }
        if self.probe == Some(false) {
            let probes = row.int("probes")? + 1;
            let until = now.plus(policy.pause(u32::try_from(probes).unwrap_or(u32::MAX)));
            let again =
                "UPDATE mediaflow_destinations SET probes = $2, probe_until = 0 WHERE id = $1";
            tx.run(again, values![line, probes]).await?;
            block(tx, line, until).await?;
        } else if failures - i64::from(self.failures) < limit {
            tracing::warn!(destination = line, failures, "the breaker of a destination opens");
            block(tx, line, now.plus(policy.pause(0))).await?;
        }
        Ok(true)
    }
}

async fn block(tx: &mut Tx<'_, '_>, line: i64, until: Timestamp) -> Result<()> {
    let block =
        "UPDATE mediaflow_destinations SET blocked_until = $2 WHERE id = $1 AND blocked_until < $2";
    tx.run(block, values![line, until]).await.map(drop)
}
