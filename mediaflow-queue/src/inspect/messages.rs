use mediaflow_core::Result;
use mediaflow_core::inspect::{
    Answer, Cursor, List, MessageFilter, MessageHistory, MessageState, MessageSummary, Page, Paging,
};
use mediaflow_core::outbox::DestinationKey;
use sqlx::AssertSqlSafe;

use super::store::store;
use super::walk::Walk;
use crate::db::Row;
use crate::outbox::{DeliveryAttempt, admin, to_text};
use crate::process::Process;

const COLUMNS: &str = "j.id, j.uid, j.event, j.kind, j.job, j.channel, j.destination, j.state, j.attempts, j.due, j.status, j.error, j.ended_at";

const JOIN: &str = "mediaflow_messages j ON j.id";

/// Messages, the newest first.
pub(crate) async fn messages(
    process: &Process,
    filter: &MessageFilter,
    paging: &Paging,
) -> Result<Page<MessageSummary>> {
    let store = store(process).await?;
    let (size, after) = paging.check::<i64>(List::Messages, store)?;
    read(process, store, filter, after, size).await
}

pub(super) async fn read(
    process: &Process,
    store: &str,
    filter: &MessageFilter,
    after: Option<i64>,
    size: usize,
) -> Result<Page<MessageSummary>> {
    let walk = walk(filter, after);
    let (sql, values) = walk.page(COLUMNS, JOIN, size);
    let rows = process.db.rows(AssertSqlSafe(sql), &values).await?;
    let mut items = rows.iter().map(summary).collect::<Result<Vec<_>>>()?;
    let mut next = None;
    if items.len() > size {
        items.truncate(size);
        next = items.last().map(|last| last.number);
    } else if let Some((sql, values)) = walk.boundary(size) {
        let last = process.db.row(AssertSqlSafe(sql), &values).await?;
        next = last.map(|row| row.int("key")).transpose()?;
        // What the other way has found beyond it comes again with the next page.
        items.retain(|item| next.is_none_or(|next| item.number >= next));
    }
    let more = next.is_some();
    Ok(Page::new(items, next.map(|next| Cursor::new(List::Messages, store, next)), more))
}

/// The way along an index to messages.
pub(super) fn walk(filter: &MessageFilter, after: Option<i64>) -> Walk {
    let mut walk = Walk::new(true);
    let from = "mediaflow_messages d";
    if let Some(job) = filter.job {
        let job = walk.bind(job);
        walk.way(from, "d.id", format!("d.job = {job}"));
        // One that tells of several events has the job of the first.
        let among = format!(
            "d.id IN (SELECT m.message FROM mediaflow_events e JOIN mediaflow_message_events m ON m.event = e.id
                      WHERE e.job = {job}) AND coalesce(d.job, '') <> {job}"
        );
        walk.way(from, "d.id", among);
    }
    if let Some((channel, origin)) = &filter.destination {
        let destination = walk.bind(to_text(&DestinationKey::new(channel, origin)));
        if walk.has_way() {
            walk.rest(format!("j.destination = {destination}"));
        } else {
            walk.way(
                from,
                "d.id",
                format!("d.destination = {destination} AND d.destination <> ''"),
            );
        }
    }
    if let Some(state) = filter.state {
        let name = walk.bind(state.as_str());
        if walk.has_way() || state == MessageState::Delivered {
            walk.rest(format!("j.state = {name}"));
        } else {
            walk.way(from, "d.id", format!("d.state = {name} AND d.state <> 'delivered'"));
        }
    }
    if !walk.has_way() {
        walk.whole_way(from, "d.id");
    }
    walk.range([(">", None, 0), ("<", after, i64::MAX)]);
    walk
}

/// A message, and what its receiver has answered.
pub(super) async fn history(process: &Process, message: MessageSummary) -> Result<MessageHistory> {
    let log = admin::delivery_log(process, message.number).await?;
    Ok(MessageHistory::new(message, log.into_iter().map(answer).collect()))
}

fn answer(attempt: DeliveryAttempt) -> Answer {
    let (number, at, took) = (attempt.attempt, attempt.at, attempt.took);
    let mut answer = Answer::new(number, at, took, attempt.outcome.as_str());
    (answer.status, answer.error, answer.body) = (attempt.status, attempt.error, attempt.body);
    answer
}

fn summary(row: &Row) -> Result<MessageSummary> {
    let (channel, text) = (row.text("channel")?, row.text("destination")?);
    let origin = text.split_once(' ').map_or("", |(_, origin)| origin).to_owned();
    let named = (row.parsed("uid")?, row.parsed("event")?, row.named("kind")?);
    let mut summary =
        MessageSummary::new(row.int("id")?, named, (channel, origin), row.time("due")?);
    summary.job = row.opt_text("job")?.map(|job| job.parse()).transpose()?;
    summary.state = row.named("state")?;
    summary.attempts = u32::try_from(row.int("attempts")?).unwrap_or(u32::MAX);
    let status = row.opt_int("status")?;
    summary.status = status.and_then(|status| u16::try_from(status).ok());
    summary.error = row.opt_text("error")?;
    summary.ended_at = row.opt_time("ended_at")?;
    Ok(summary)
}
