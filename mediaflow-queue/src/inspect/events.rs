use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::inspect::{Cursor, EventFilter, List, Page, Paging, PlacedEvent};
use mediaflow_core::{Event, EventKind, Result, Timestamp};
use sqlx::AssertSqlSafe;

use super::store::store;
use super::walk::Walk;
use crate::db::values;
use crate::process::Process;

/// How long an event may take from being numbered to being committed. Numbers are given when a row is written, so a lower
/// one can appear after a higher one: nothing is given behind a number that is missing for a shorter time.
const LATE: Duration = Duration::from_secs(5);

/// The first number before which one is missing among those of the last moment.
const HOLE: &str = "SELECT min(seq) AS seq FROM (
    SELECT seq, lag(seq) OVER (ORDER BY seq) AS before FROM mediaflow_events WHERE at > $1) AS lately
    WHERE seq > before + 1";

const JOIN: &str = "mediaflow_events j ON j.seq";

/// Events behind a cursor, the oldest first.
pub(crate) async fn events(
    process: &Process,
    filter: &EventFilter,
    paging: &Paging,
) -> Result<Page<PlacedEvent>> {
    let store = store(process).await?;
    let (size, after) = paging.check::<i64>(List::Events, store)?;
    read(process, store, filter, after.unwrap_or(0), size).await
}

/// The place behind the newest event.
pub(crate) async fn newest(process: &Process) -> Result<Cursor> {
    let store = store(process).await?;
    let newest = "SELECT coalesce(max(seq), 0) AS seq FROM mediaflow_events";
    let row = process.db.row(newest, &[]).await?;
    let newest = row.map_or(Ok(0), |row| row.int("seq"))?;
    let upto = hole(process).await?.map_or(newest, |hole| newest.min(hole - 1));
    Ok(Cursor::new(List::Events, store, upto))
}

pub(super) async fn read(
    process: &Process,
    store: &str,
    filter: &EventFilter,
    after: i64,
    size: usize,
) -> Result<Page<PlacedEvent>> {
    // Looked for first: what is written meanwhile only adds to it.
    let hole = hole(process).await?;
    let walk = walk(filter, after, hole);
    let (sql, values) = walk.page("k.key, j.body", JOIN, size);
    let rows = process.db.rows(AssertSqlSafe(sql), &values).await?;
    let place = |number| Cursor::new(List::Events, store, number);
    let (mut items, mut last) = (Vec::with_capacity(rows.len()), after);
    for row in rows.iter().take(size) {
        last = row.int("key")?;
        // A newer version may have written what can not be read here at all; and how far a job is, is kept with the job.
        let event = row.json::<Event>("body").ok();
        if let Some(event) = event.filter(|event| event.kind != EventKind::JobProgress) {
            items.push(PlacedEvent::new(place(last), Arc::new(event)));
        }
    }
    let mut more = rows.len() > size;
    if let (false, Some((sql, values))) = (more, walk.boundary(size))
        && let Some(row) = process.db.row(AssertSqlSafe(sql), &values).await?
    {
        (last, more) = (last.max(row.int("key")?), true);
    }
    Ok(Page::new(items, Some(place(last)), more))
}

/// The way along an index to events.
pub(super) fn walk(filter: &EventFilter, after: i64, before: Option<i64>) -> Walk {
    let mut walk = Walk::new(false);
    let job = filter.job.map(|job| ("job", walk.bind(job)));
    let batch = filter.batch.map(|batch| ("batch", walk.bind(batch)));
    let owner = filter.owner.as_ref().map(|owner| ("owner", walk.bind(owner)));
    let tenant = filter.tenant.as_ref().map(|tenant| ("tenant", walk.bind(tenant)));
    for (column, value) in [job, batch, owner, tenant].into_iter().flatten() {
        if walk.has_way() {
            walk.rest(format!("j.{column} = {value}"));
        } else {
            walk.way("mediaflow_events d", "d.seq", format!("d.{column} = {value}"));
        }
    }
    if !walk.has_way() {
        walk.whole_way("mediaflow_events d", "d.seq");
    }
    walk.range([(">", Some(after), after), ("<", before, i64::MAX)]);
    let kinds: Vec<_> = filter.kinds.iter().map(|kind| walk.bind(kind.as_str())).collect();
    if !kinds.is_empty() {
        walk.rest(format!("j.kind IN ({})", kinds.join(", ")));
    }
    walk
}

/// The first event before which one may be missing still. On SQLite there is one writer at a time, and so none.
async fn hole(process: &Process) -> Result<Option<i64>> {
    if process.db.file().is_some() {
        return Ok(None);
    }
    let moment = u64::try_from(LATE.as_millis()).unwrap_or(u64::MAX);
    let moment = Timestamp::from_millis(process.now().millis().saturating_sub(moment));
    let row = process.db.row(HOLE, values![moment]).await?;
    row.map_or(Ok(None), |row| row.opt_int("seq"))
}
