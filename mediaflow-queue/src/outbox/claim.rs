use mediaflow_core::notify::{Message, Thread};
use mediaflow_core::outbox::{
    About, ClaimRequest, Claimed, DestinationKey, Rate, Unsendable, Waiting,
};
use mediaflow_core::report::Report;
use mediaflow_core::{BatchId, Error, Event, EventKind, Result, Timestamp, codes};
use sqlx::AssertSqlSafe;

use super::destination::{self, Locked};
use super::finish::give_up_own;
use super::handle::{MARGIN, Outbox, to_key, to_text};
use crate::db::{Row, Tx, Value, distinct, values};
use crate::process::Process;

/// The destinations of these channels that something waits for.
pub(super) async fn waiting(process: &Process, channels: &[String]) -> Result<Vec<Waiting>> {
    let find = format!(
        "{} SELECT found.value AS key, {},
            (SELECT min(due) FROM mediaflow_messages m WHERE m.destination = found.value AND m.state = 'pending') AS due
         FROM found LEFT JOIN mediaflow_destinations d ON d.destination = found.value
         WHERE found.value IS NOT NULL",
        distinct("mediaflow_messages", "destination", "state = 'pending'"),
        destination::COLUMNS
    );
    let rows = process.db.rows(AssertSqlSafe(find), &[]).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        match read_waiting(&row) {
            Ok(Some(waiting)) if channels.contains(&waiting.key.channel) => found.push(waiting),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "a destination is left out"),
        }
    }
    Ok(found)
}

fn read_waiting(row: &Row) -> Result<Option<Waiting>> {
    // The last one may have been claimed between the two looks.
    let Some(due) = row.opt_time("due")? else { return Ok(None) };
    Ok(Some(Waiting::new(to_key(&row.text("key")?), destination::read(row)?, due)))
}

/// Takes messages of a destination, under a lease. They count as attempted from then on: whoever dies on the way may have
/// sent them.
pub(super) async fn claim(
    outbox: &Outbox,
    tx: &mut Tx<'_, '_>,
    request: &ClaimRequest,
    locked: &mut Locked,
    now: Timestamp,
) -> Result<Vec<Claimed>> {
    let key = to_text(&request.key);
    let policy = outbox.policy(&request.key.channel);
    let lease = now.plus(policy.timeout).plus(MARGIN);
    let mut most = request.messages;
    if !locked.is_clear(&key) {
        let state = locked.state(&key);
        if state.disabled_at.is_some() {
            give_up_own(tx, &key, now).await?;
        }
        let probe = state.is_open(&policy);
        if !state.is_ready(&policy, now) || probe != request.probe {
            return Ok(Vec::new());
        }
    } else if request.probe {
        // It works again: what another process has found out is looked for.
        return Ok(Vec::new());
    }
    if let Some(rate) = policy.rate {
        let state = locked.state(&key);
        most = most.min(Rate::new(rate).left(state.paid_until, now));
    }
    if most == 0 {
        return Ok(Vec::new());
    }
    // After one probe comes another recipient's, and all have their turn.
    let last_probe = if request.probe { locked.state(&key).last_probe.clone() } else { None };
    let due = Due { key: &key, most, ordered: policy.ordered, after: last_probe };
    let rows = take(&outbox.process, tx, due, now, lease).await?;
    if let Some(rate) = policy.rate {
        let state = locked.state(&key);
        state.paid_until = Rate::new(rate).paid(state.paid_until, now, rows.len());
    }
    if let (true, Some(first)) = (request.probe, rows.first()) {
        let state = locked.state(&key);
        (state.probe_until, state.last_probe) = (lease, Some(first.text("recipient")?));
    }
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let mut one = read(outbox, tx, &row, &request.key, request.reports).await?;
        one.probe = request.probe;
        claimed.push(one);
    }
    claimed.sort_by_key(|claimed| claimed.id);
    Ok(claimed)
}

/// Which messages are taken: those that have waited longest.
struct Due<'a> {
    key: &'a str,
    most: usize,
    ordered: bool,
    /// The recipients that come after this one go first; behind the last of them comes the first again.
    after: Option<String>,
}

async fn take(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    due: Due<'_>,
    now: Timestamp,
    lease: Timestamp,
) -> Result<Vec<Row>> {
    let take = format!(
        "WITH due AS MATERIALIZED (
             SELECT id FROM mediaflow_messages m
             WHERE destination = $1 AND state = 'pending' AND due <= $2 AND coalesce(hold_until, 0) <= $2 {}
             ORDER BY {} due, id LIMIT $3 {}
         )
         UPDATE mediaflow_messages
         SET state = 'sending', attempts = attempts + 1, worker = $4, lease_until = $5
         WHERE id IN (SELECT id FROM due) AND state = 'pending'
         RETURNING id, uid, rule, step, channel, recipient, address, thread, events, event, kind, job, attempts, failures, expires_at,
             audience, locale, (SELECT body FROM mediaflow_events e WHERE e.id = mediaflow_messages.event) AS body",
        if due.ordered { IN_ORDER } else { "" },
        if due.after.is_some() { "CASE WHEN recipient > $6 THEN 0 ELSE 1 END, recipient," } else { "" },
        process.db.skip_locked()
    );
    let most = i64::try_from(due.most).unwrap_or(i64::MAX);
    let mut values = values![due.key, now, most, &process.id, lease].to_vec();
    values.extend(due.after.map(Value::from));
    tx.rows(AssertSqlSafe(take), &values).await
}

/// Those of the same job that came before are through, or given up.
const IN_ORDER: &str = "
    AND NOT EXISTS (
        SELECT 1 FROM mediaflow_messages b
        WHERE b.job = m.job AND b.destination = m.destination AND b.recipient = m.recipient AND b.id < m.id
          AND b.state IN ('pending', 'sending') AND b.rule = m.rule AND b.escalates = 0
    )";

async fn read(
    outbox: &Outbox,
    tx: &mut Tx<'_, '_>,
    row: &Row,
    key: &DestinationKey,
    reports: usize,
) -> Result<Claimed> {
    let small = |column| Ok::<_, Error>(u32::try_from(row.int(column)?).unwrap_or(u32::MAX));
    let message = match message(outbox, tx, row, reports).await {
        Err(error) if is_of_the_database(&error) => return Err(error),
        Err(error) => {
            Err(Unsendable::new(&error, row.opt_text("address")?.as_deref(), about(row)?))
        }
        Ok(message) => Ok(message),
    };
    let mut claimed = Claimed::new(row.int("id")?, key.clone(), row.text("recipient")?, message);
    claimed.attempt = small("attempts")?;
    claimed.failures = small("failures")?;
    claimed.expires_at = row.time("expires_at")?;
    Ok(claimed)
}

/// Whether the database is what stands in the way, and not what is in the row: an address that its channel refuses here, or
/// what a newer build has written.
fn is_of_the_database(error: &Error) -> bool {
    error.code().starts_with("queue.") && error.code() != codes::QUEUE_CORRUPT_ROW
}

fn about(row: &Row) -> Result<About> {
    let kind = row.text("kind")?.parse().unwrap_or(EventKind::JobFailed);
    let job = row.opt_text("job")?.map(|job| job.parse()).transpose().ok().flatten();
    Ok(About::new(row.parsed("event")?, kind, job))
}

async fn message(
    outbox: &Outbox,
    tx: &mut Tx<'_, '_>,
    row: &Row,
    reports: usize,
) -> Result<Message> {
    let channel = row.text("channel")?;
    let first: Event = row.json("body")?;
    let mut message = Message::of(first);
    if row.int("events")? > 1 {
        let find = "SELECT e.body FROM mediaflow_message_events m JOIN mediaflow_events e ON e.id = m.event
                    WHERE m.message = $1 AND m.event <> $2 ORDER BY e.seq";
        let more = tx.rows(find, values![row.int("id")?, row.text("event")?]).await?;
        let more = more.iter().map(|row| row.json("body")).collect::<Result<Vec<Event>>>()?;
        message = Message::digest(row.parsed("uid")?, message.event().clone(), more);
    }
    message.id = row.parsed("uid")?;
    message.rule = row.text("rule")?;
    message.step = u32::try_from(row.int("step")?).unwrap_or(u32::MAX);
    message.audience = row.opt_text("audience")?.and_then(|audience| audience.parse().ok());
    message.locale = row.opt_text("locale")?;
    if let Some(address) = row.opt_text("address")? {
        message.address = Some(outbox.process.executor.notifier(&channel)?.address(&address)?);
    }
    if let Some(thread) = row.opt_text("thread")? {
        let recipient = row.text("recipient")?;
        message.thread = Some(continued(tx, &channel, &recipient, thread).await?);
    }
    if let (Some(batch), None, 1..) = (message.event().batch, message.event().job, reports) {
        message.reports = of_batch(tx, batch, reports).await?;
    }
    Ok(message)
}

/// A thread, with what its receiver calls the latest message in it.
async fn continued(
    tx: &mut Tx<'_, '_>,
    channel: &str,
    recipient: &str,
    thread: String,
) -> Result<Thread> {
    let find = "SELECT provider_id FROM mediaflow_messages
                WHERE thread = $1 AND provider_id IS NOT NULL AND channel = $2 AND recipient = $3 ORDER BY ended_at DESC, id DESC LIMIT 1";
    let row = tx.row(find, values![&thread, channel, recipient]).await?;
    let last = row.map(|row| row.opt_text("provider_id")).transpose()?.flatten();
    Ok(Thread::new(thread).after(last))
}

/// Reports of single jobs of a batch, those that failed first. One that this build can not read is left out.
async fn of_batch(tx: &mut Tx<'_, '_>, batch: BatchId, most: usize) -> Result<Vec<Report>> {
    let find = "SELECT j.report FROM mediaflow_batch_jobs b JOIN mediaflow_jobs j ON j.id = b.job
                WHERE b.batch = $1 ORDER BY CASE WHEN j.state = 'failed' THEN 0 ELSE 1 END, b.position LIMIT $2";
    let rows = tx.rows(find, values![batch, i64::try_from(most).unwrap_or(i64::MAX)]).await?;
    Ok(rows.iter().filter_map(|row| row.json("report").ok()).collect())
}
