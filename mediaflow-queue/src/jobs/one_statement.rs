//! Jobs of which nothing is to be found out before they are stored: a server takes them with one statement. Each statement
//! more is a way there and back, for which two processes have to get their turn on a busy machine.

use mediaflow_core::Result;
use mediaflow_core::spec::JobSpec;
use riverqueue::JobArgs as _;
use sqlx::AssertSqlSafe;

use super::ready::task;
use super::submit::{NAMES, Prepared, RIVER, Taken, Together, prepare};
use crate::db::{Db, JobTask, insert_given, next_number, places, to_json, values};
use crate::failpoint::failpoint;
use crate::process::Process;

/// What is given beside the columns of a job: its task with its place in River's queue, and its event.
const BESIDE: [&str; 5] = ["args", "turn", "turn_at", "event", "body"];

/// Columns of what is given, without River's number.
const COLUMNS: usize = NAMES.len() - 1 + BESIDE.len();

/// Takes jobs, each of which was submitted by itself. Nothing if that takes more than one statement.
pub(super) async fn submit(process: &Process, specs: &[&JobSpec]) -> Result<Option<Taken>> {
    if process.db.file().is_some() || !specs.iter().all(|spec| is_plain(process, spec)) {
        return Ok(None);
    }
    let together = Together { batch: None, now: process.now(), later: false, held: false };
    let (mut jobs, mut events, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for spec in specs {
        let Prepared { id, candidate, row } = prepare(process, spec, &together, &mut events)?;
        let (Some(candidate), Some(event)) = (candidate, events.last()) else { return Ok(None) };
        let task = task(&candidate)?;
        rows.extend(
            row.into_iter().enumerate().filter(|(at, _)| *at != RIVER).map(|(_, value)| value),
        );
        rows.extend_from_slice(values![task.args()]);
        rows.extend(task.turn());
        rows.extend_from_slice(values![event.id, to_json(event)?]);
        jobs.push((id, true));
    }
    rows.extend_from_slice(values![&process.id]);
    failpoint("submit.rows");
    failpoint("submit.outbox");
    process.db.run(AssertSqlSafe(statement(&process.db, specs.len())), &rows).await?;
    Ok(Some(Taken { jobs, events }))
}

/// Whether nothing else is written for a job than what every job has.
fn is_plain(process: &Process, spec: &JobSpec) -> bool {
    let options = &spec.options;
    let share = options
        .tenant
        .as_ref()
        .and_then(|tenant| process.executor.share(tenant, process.executor.class_of(spec)));
    share.is_none() && options.tags.is_empty() && options.idempotency_key.is_none()
}

/// Numbers so many jobs as River would, and writes River's row, ours, and the event of each.
fn statement(db: &Db, jobs: usize) -> String {
    let columns = columns().join(", ");
    format!(
        "WITH list (id, {columns}, {}) AS (VALUES {}),
         given AS MATERIALIZED (SELECT {} AS river, list.* FROM list),
         tasks AS ({}),
         jobs AS (INSERT INTO mediaflow_jobs (river, id, {columns}) SELECT river, id, {columns} FROM given),
         written AS (
           INSERT INTO mediaflow_events (id, kind, job, at, origin, owner, tenant, body)
           SELECT event, 'job.created', id, queued_at, ${}, owner, tenant, body FROM given
           ON CONFLICT (id) DO NOTHING RETURNING seq)
         INSERT INTO mediaflow_unrouted (seq) SELECT seq FROM written",
        BESIDE.join(", "),
        places(jobs, COLUMNS),
        next_number(db),
        insert_given(db, JobTask::KIND, ["args", "class", "turn", "turn_at"]),
        jobs * COLUMNS + 1
    )
}

/// Columns of a job but for its id, which is the first, and its number in River's queue, which is not known.
fn columns() -> &'static [&'static str] {
    const { assert!(RIVER == 1) }
    &NAMES[RIVER + 1..]
}
