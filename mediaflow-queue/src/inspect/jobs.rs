use std::collections::BTreeSet;

use mediaflow_core::inspect::{
    Cursor, EventFilter, JobFilter, JobHistory, JobSummary, List, MessageFilter, Page, Paging,
    PartSummary, WaitSummary,
};
use mediaflow_core::report::JobState;
use mediaflow_core::{BatchId, Failure, JobId, Result, Timestamp};
use serde_json::Value as Json;
use sqlx::AssertSqlSafe;

use super::store::store;
use super::walk::Walk;
use super::{events, messages};
use crate::db::{Row, values};
use crate::jobs as life;
use crate::process::Process;

const COLUMNS: &str = "j.id, j.batch, j.state, j.parts_left, j.spec, j.progress, j.attempts, j.failure, j.failure_code, j.queued_at, j.started_at, j.ended_at, j.held";

const JOIN: &str = "mediaflow_jobs j ON j.id";

/// Jobs, the newest first.
pub(crate) async fn jobs(
    process: &Process,
    filter: &JobFilter,
    paging: &Paging,
) -> Result<Page<JobSummary>> {
    let store = store(process).await?;
    let (size, after) = paging.check::<JobId>(List::Jobs, store)?;
    let walk = walk(filter, after);
    let (sql, values) = walk.page(COLUMNS, JOIN, size);
    let rows = process.db.rows(AssertSqlSafe(sql), &values).await?;
    let mut items = rows.iter().map(summary).collect::<Result<Vec<_>>>()?;
    let hidden = hidden(process, &rows).await?;
    let mut next = None;
    if items.len() > size {
        items.truncate(size);
        next = items.last().map(|last| last.job);
    } else if let Some((sql, values)) = walk.boundary(size) {
        let last = process.db.row(AssertSqlSafe(sql), &values).await?;
        next = last.map(|row| row.parsed("key")).transpose()?;
        // What other ways have found beyond it comes again with the next page.
        items.retain(|item| next.is_none_or(|next| item.job >= next));
    }
    items.retain(|item| item.batch.is_none_or(|batch| !hidden.contains(&batch)));
    let more = next.is_some();
    Ok(Page::new(items, next.map(|next| Cursor::new(List::Jobs, store, next)), more))
}

/// The batches among these that are not whole: of their jobs nobody hears yet.
async fn hidden(process: &Process, rows: &[Row]) -> Result<BTreeSet<BatchId>> {
    let held = |row: &Row| row.opt_text("held").is_ok_and(|held| held.as_deref() == Some("batch"));
    if !rows.iter().any(held) {
        return Ok(BTreeSet::new());
    }
    let open = process.db.rows(life::NOT_WHOLE, &[]).await?;
    open.iter().map(|row| row.parsed("batch")).collect()
}

/// All that is kept of one job.
pub(crate) async fn history(process: &Process, job: JobId) -> Result<JobHistory> {
    let status = life::status(process, job).await?;
    let store = store(process).await?;
    let find = format!("SELECT {COLUMNS} FROM mediaflow_jobs j WHERE j.id = $1");
    let row = process.db.row(AssertSqlSafe(find), values![job]).await?;
    let summary = summary(&row.ok_or_else(|| life::unknown(job))?)?;
    let about = EventFilter::new().job(job);
    let events = events::read(process, store, &about, 0, JobHistory::EVENTS).await?.items;
    let mut history = JobHistory::new(summary, status, events);
    let parts = "SELECT number, state, attempts, progress, failure FROM mediaflow_parts WHERE job = $1 ORDER BY number";
    let parts = process.db.rows(parts, values![job]).await?;
    history.parts = parts.iter().map(part).collect::<Result<_>>()?;
    history.waits = life::waits(process, job).await?.iter().map(WaitSummary::from).collect();
    let told = MessageFilter::new().job(job);
    let told = messages::read(process, store, &told, None, JobHistory::MESSAGES).await?;
    for message in told.items {
        history.messages.push(messages::history(process, message).await?);
    }
    Ok(history)
}

/// The way along an index to jobs.
pub(super) fn walk(filter: &JobFilter, after: Option<JobId>) -> Walk {
    let mut walk = Walk::new(true);
    let until = filter.until.map(first_of);
    let before = after.map(|after| after.to_string()).into_iter().chain(until).min();
    if let Some(batch) = filter.batch {
        let batch = walk.bind(batch);
        walk.way("mediaflow_batch_jobs d", "d.job", format!("d.batch = {batch}"));
    }
    if let Some(tag) = &filter.tag {
        let tag = walk.bind(tag);
        if walk.has_way() {
            walk.rest(format!(
                "EXISTS (SELECT 1 FROM mediaflow_tags t WHERE t.tag = {tag} AND t.job = j.id)"
            ));
        } else {
            walk.way("mediaflow_tags d", "d.job", format!("d.tag = {tag}"));
        }
    }
    let exact = [
        ("owner", filter.owner.as_ref()),
        ("tenant", filter.tenant.as_ref()),
        ("kind", filter.kind.as_ref()),
    ];
    let [owner, tenant, kind] =
        exact.map(|(column, value)| value.map(|value| (column, walk.bind(value))));
    let state = filter.state.map(|state| (state, walk.bind(state.as_str())));
    choose(&mut walk, owner);
    choose(&mut walk, tenant);
    if let Some((state, name)) = state {
        let meant = states(state, &name);
        if walk.has_way() {
            let meant: Vec<_> = meant.iter().map(|when| when.replace("d.", "j.")).collect();
            walk.rest(format!("({})", meant.join(" OR ")));
        } else {
            meant.into_iter().for_each(|when| walk.way("mediaflow_jobs d", "d.id", when));
        }
    }
    choose(&mut walk, kind);
    if !walk.has_way() {
        walk.whole_way("mediaflow_jobs d", "d.id");
    }
    // Behind every id: they are hexadecimal.
    let since = filter.since.map(first_of);
    walk.range([(">=", since, String::new()), ("<", before, "zz".to_owned())]);
    walk
}

fn choose(walk: &mut Walk, column: Option<(&str, String)>) {
    match column {
        Some((column, value)) if walk.has_way() => walk.rest(format!("j.{column} = {value}")),
        Some((column, value)) => {
            walk.way("mediaflow_jobs d", "d.id", format!("d.{column} = {value}"));
        }
        None => {}
    }
}

/// A job that is held is queued, and so is one that is parked, or it runs if it was split: where it waits is of no interest to anybody.
fn states(state: JobState, name: &str) -> Vec<String> {
    // What the index asks for.
    let mut states = vec![format!("d.state = {name} AND d.state <> ''")];
    match state {
        JobState::Queued => {
            states.push("d.state = 'parked' AND d.state <> '' AND d.parts_left IS NULL".to_owned());
            states.push("d.state = 'held' AND d.state <> ''".to_owned());
        }
        JobState::Running => {
            states.push(
                "d.state = 'parked' AND d.state <> '' AND d.parts_left IS NOT NULL".to_owned(),
            );
        }
        _ => {}
    }
    states
}

/// What sorts before all ids that were made at that moment or later, and behind all others.
fn first_of(time: Timestamp) -> String {
    let millis = time.millis().min((1 << 48) - 1);
    format!("{:08x}-{:04x}", millis >> 16, millis & 0xffff)
}

fn summary(row: &Row) -> Result<JobSummary> {
    // Of a newer version it may be anything.
    let spec: Json = row.json("spec").unwrap_or_default();
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let kind = text(&spec["kind"]).unwrap_or_default();
    let mut summary = JobSummary::new(row.parsed("id")?, kind, row.time("queued_at")?);
    summary.batch = row.opt_text("batch")?.map(|batch| batch.parse()).transpose()?;
    summary.state = match row.text("state")?.as_str() {
        "parked" if row.opt_int("parts_left")?.is_some() => JobState::Running,
        "parked" | "held" => JobState::Queued,
        _ => row.named("state")?,
    };
    summary.progress = row.share("progress")?;
    summary.attempts = u32::try_from(row.int("attempts")?).unwrap_or(u32::MAX);
    summary.tenant = text(&spec["options"]["tenant"]);
    summary.owner = text(&spec["options"]["owner"]);
    let tags = spec["options"]["tags"].as_array();
    summary.tags = tags.into_iter().flatten().filter_map(text).collect();
    summary.failure = match row.opt_text("failure_code")? {
        Some(code) => Some(code),
        None => row.opt_json::<Failure>("failure")?.map(|failure| failure.code),
    };
    summary.started_at = row.opt_time("started_at")?;
    summary.ended_at = row.opt_time("ended_at")?;
    Ok(summary)
}

fn part(row: &Row) -> Result<PartSummary> {
    let small = |column| row.int(column).map(|value| u32::try_from(value).unwrap_or(u32::MAX));
    let mut part = PartSummary::new(small("number")?, row.text("state")?);
    part.attempts = small("attempts")?;
    part.progress = row.share("progress")?;
    part.failure = row.opt_json("failure")?;
    Ok(part)
}
