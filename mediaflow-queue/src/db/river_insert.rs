use mediaflow_core::{Error, Result, Timestamp, codes};
use riverqueue::JobArgs;
use sqlx::AssertSqlSafe;

use super::{Db, Tx, Value, places, to_json, together, values};

/// Something that River is to run.
#[derive(Clone, Debug)]
pub(crate) struct NewTask {
    kind: &'static str,
    args: String,
    queue: String,
    priority: i16,
    scheduled_at: Option<Timestamp>,
}

impl NewTask {
    pub(crate) fn new<A: JobArgs>(args: &A, queue: &str, priority: i16) -> Result<Self> {
        let args = to_json(args)?;
        Ok(Self { kind: A::KIND, args, queue: queue.to_owned(), priority, scheduled_at: None })
    }

    /// Its arguments, as text.
    pub(crate) fn args(&self) -> &str {
        &self.args
    }

    /// When its turn is: River's priority, and the moment for which it is scheduled.
    pub(crate) fn turn(&self) -> [Value; 2] {
        let due = self.scheduled_at.map(|due| due.min(LAST)).or_else(|| rank(self.priority));
        [priority_in_river(self.priority).into(), due.into()]
    }

    /// It waits for this moment.
    pub(crate) fn scheduled_at(self, scheduled_at: Option<Timestamp>) -> Self {
        Self { scheduled_at, ..self }
    }
}

/// River knows four priorities, of which 1 is the most urgent.
fn priority_in_river(priority: i16) -> i64 {
    match priority {
        10.. => 1,
        1..10 => 2,
        0 => 3,
        _ => 4,
    }
}

/// Among rows of one priority River takes that first which was scheduled first, and then the one with the lowest number. So
/// the priorities that share one of River's are told apart by moments long ago, a second for each.
fn rank(priority: i16) -> Option<Timestamp> {
    const FIRST: u64 = 946_684_800_000;
    let seconds = i16::MAX.abs_diff(priority);
    (priority != 0).then(|| Timestamp::from_millis(FIRST + u64::from(seconds) * 1000))
}

/// Attempts are counted in our tables; River only must not give up before.
const ATTEMPTS: i16 = i16::MAX;

/// The last moment that River can read.
const LAST: Timestamp = Timestamp::from_millis(253_402_207_200_000);

const COLUMNS: usize = 5;

impl Tx<'_, '_> {
    /// Puts something into River's queue. Gives River's number for it.
    pub(crate) async fn enqueue(&mut self, db: &Db, task: NewTask) -> Result<i64> {
        let rivers = self.enqueue_many(db, &[task]).await?;
        rivers.into_iter().next().ok_or_else(|| {
            Error::internal(codes::QUEUE_RIVER, "River's table has given no number to a new row")
        })
    }

    /// Puts all these into River's queues, and gives River's numbers for them, in their order. River's client would write
    /// them one by one, and have every worker look for each.
    pub(crate) async fn enqueue_many(&mut self, db: &Db, tasks: &[NewTask]) -> Result<Vec<i64>> {
        let mut rows = Vec::with_capacity(tasks.len() * COLUMNS);
        for task in tasks {
            rows.extend_from_slice(values![task.kind, &task.args, &task.queue]);
            rows.extend(task.turn());
        }
        let mut rivers = Vec::with_capacity(tasks.len());
        for rows in together(&rows, COLUMNS) {
            let insert = insert(db, rows.len() / COLUMNS);
            let written = self.rows(AssertSqlSafe(insert), rows).await?;
            let first = rivers.len();
            for row in written {
                rivers.push(row.int("id")?);
            }
            // They are numbered in their order, and told in any.
            rivers[first..].sort_unstable();
        }
        Ok(rivers)
    }
}

/// A part of a statement that puts rows of `given`, with River's numbers for them as `river`, into its queues: where their
/// arguments, their queue, their priority and their moment stand, of tasks of this kind.
pub(crate) fn insert_given(db: &Db, kind: &str, [args, queue, priority, due]: [&str; 4]) -> String {
    let (table, kind) = (db.river_name("river_job"), format!("'{kind}'"));
    let row = row_on_server(db, [&kind, args, queue, priority, due]);
    format!("INSERT INTO {table} (id, {WRITTEN}) SELECT river, {row} FROM given")
}

/// The next number of River's.
pub(crate) fn next_number(db: &Db) -> String {
    format!("nextval('{}')", db.river_name("river_job_id_seq").replace('\'', "''"))
}

/// What is written of a new row.
const WRITTEN: &str = "kind, args, queue, max_attempts, created_at, priority, scheduled_at, state";

fn row_on_server(db: &Db, [kind, args, queue, priority, due]: [&str; 5]) -> String {
    let state = db.river_name("river_job_state");
    format!(
        "{kind}, CAST({args} AS JSONB), {queue}, {ATTEMPTS}, now(), CAST({priority} AS SMALLINT),
           coalesce(to_timestamp({due} / 1000.0), now()),
           CAST(CASE WHEN to_timestamp({due} / 1000.0) > now() THEN 'scheduled' ELSE 'available' END AS {state})"
    )
}

/// Writes so many rows as River's own client does. What it has no value for here is the same by default, but on SQLite the
/// times, whose defaults have no fractions of a second.
fn insert(db: &Db, rows: usize) -> String {
    let (table, list) = (db.river_name("river_job"), places(rows, COLUMNS));
    match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(_) => format!(
            "INSERT INTO {table} ({WRITTEN})
             SELECT column1, jsonb(column2), column3, {ATTEMPTS}, now, column4, coalesce(due, now),
               CASE WHEN due > now THEN 'scheduled' ELSE 'available' END
             FROM (SELECT *, strftime('%Y-%m-%d %H:%M:%f', 'now') AS now,
                     strftime('%Y-%m-%d %H:%M:%f', column5 / 1000.0, 'unixepoch') AS due
                   FROM (VALUES {list})) WHERE 1 RETURNING id"
        ),
        #[cfg(feature = "postgres")]
        Db::Postgres(_) => format!(
            "INSERT INTO {table} ({WRITTEN}) SELECT {} FROM (VALUES {list}) AS given RETURNING id",
            row_on_server(db, ["column1", "column2", "column3", "column4", "column5"])
        ),
    }
}
