//! Everything that is said to River, and every statement on its tables; what is put into its queues is beside it.

use std::collections::BTreeMap;

use mediaflow_core::plan::CostClass;
use mediaflow_core::{Error, JobId, Result, Timestamp, codes};
use riverqueue::{Client, JobArgs};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::{Db, Row, Tx, Value, values};

/// Runs a job. River knows only its name.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "mediaflow.job")]
pub(crate) struct JobTask {
    pub(crate) job: JobId,
}

/// Runs a part of a job.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "mediaflow.part")]
pub(crate) struct PartTask {
    pub(crate) job: JobId,
    pub(crate) part: u32,
}

/// Puts the parts of a job together.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "mediaflow.assemble")]
pub(crate) struct AssemblyTask {
    pub(crate) job: JobId,
}

/// River's queue of a class of jobs.
pub(crate) fn class_queue(class: CostClass) -> String {
    format!("{PREFIX}{class}")
}

/// The class of which a queue has jobs, and the capability that it is for, if only those are to take from it who have that.
pub(crate) fn class_and_capability(queue: &str) -> Option<(&str, Option<&str>)> {
    let name = queue.strip_prefix(PREFIX)?;
    let (class, capability) =
        name.split_once('_').map_or((name, None), |(class, of)| (class, Some(of)));
    Some((class, capability))
}

/// What the names of our queues begin with.
pub(crate) const PREFIX: &str = "mediaflow_";

/// What River's jobs of ours are called.
#[cfg(feature = "postgres")]
pub(super) const fn kinds() -> [&'static str; 3] {
    [JobTask::KIND, PartTask::KIND, AssemblyTask::KIND]
}

/// The queue of those workers of a class that know the same.
pub(crate) fn queue_of(class: &str, capability: &str) -> String {
    format!("{class}_{capability}")
}

impl Tx<'_, '_> {
    /// Marks what River runs as done, together with everything else in the transaction: as River's own
    /// `Jobs::complete`, for many at once. Our rows decide who may end a job: that River has given its row to somebody
    /// else, or has lost it, changes nothing.
    pub(crate) async fn complete(&mut self, db: &Db, rivers: &[i64]) -> Result<()> {
        if rivers.is_empty() {
            return Ok(());
        }
        let now = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "strftime('%Y-%m-%d %H:%M:%f', 'now')",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "now()",
        };
        let done = format!(
            "UPDATE {} SET state = 'completed', finalized_at = {now}
             WHERE id IN {} AND state = 'running'",
            db.river_name("river_job"),
            super::places(1, rivers.len())
        );
        let rivers: Vec<Value> = rivers.iter().copied().map(Value::from).collect();
        self.run(AssertSqlSafe(done), &rivers).await.map(drop)
    }

    /// Cancels what waits, or asks whoever runs it to stop.
    pub(crate) async fn cancel(&mut self, client: &Client, river: i64) -> Result<()> {
        let request = client.jobs().cancel(river);
        let done = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(tx) => request.tx(&mut **tx).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(tx) => request.tx(&mut **tx).await,
        };
        match done {
            // Cleaned up already: nothing is left to cancel.
            Ok(_) | Err(riverqueue::Error::NotFound(_)) => Ok(()),
            Err(e) => Err(failed(e)),
        }
    }
}

impl Db {
    /// How a statement names what belongs to River: on PostgreSQL that is in a schema of its own.
    pub(super) fn river_name(&self, name: &str) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => name.to_owned(),
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => db.river.qualify(name),
        }
    }

    /// Whether River has a table of this name.
    pub(super) async fn has_river_table(&self, name: &str) -> Result<bool> {
        let find = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "SELECT 1 AS one FROM sqlite_master WHERE name = $1",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "SELECT 1 AS one WHERE to_regclass($1) IS NOT NULL",
        };
        self.row(find, values![self.river_name(name)]).await.map(|row| row.is_some())
    }

    /// Makes sure that River knows a queue, before a worker has ever started.
    pub(crate) async fn add_queue(&self, name: &str) -> Result<()> {
        let now = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "strftime('%Y-%m-%d %H:%M:%f', 'now')",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "now()",
        };
        let add = format!(
            "INSERT INTO {} (name, updated_at) VALUES ($1, {now}) ON CONFLICT (name) DO NOTHING",
            self.river_name("river_queue")
        );
        self.run(AssertSqlSafe(add), values![name]).await.map(drop)
    }

    /// All queues of ours.
    pub(crate) async fn queues(&self) -> Result<Vec<String>> {
        let find = format!(
            "SELECT name FROM {} WHERE name LIKE '{PREFIX}%' ORDER BY name",
            self.river_name("river_queue")
        );
        self.rows(AssertSqlSafe(find), &[]).await?.iter().map(|row| row.text("name")).collect()
    }

    /// Whether somebody has paused our queues.
    pub(crate) async fn is_paused(&self) -> Result<bool> {
        let find = format!(
            "SELECT 1 AS one FROM {} WHERE name LIKE '{PREFIX}%' AND paused_at IS NOT NULL LIMIT 1",
            self.river_name("river_queue")
        );
        self.row(AssertSqlSafe(find), &[]).await.map(|paused| paused.is_some())
    }

    /// Makes available what is due by the database's clock. River's leader sees to that too, more rarely, and by the clock of
    /// its machine. Gives the queues, and how much is new in each.
    pub(crate) async fn release_due(&self) -> Result<BTreeMap<String, usize>> {
        let mut queues = BTreeMap::new();
        if self.file().is_some() {
            return Ok(queues); // There is one clock.
        }
        let jobs = self.river_name("river_job");
        let release = format!(
            "UPDATE {jobs} SET state = 'available' WHERE id IN (
                 SELECT id FROM {jobs}
                 WHERE state IN ('retryable', 'scheduled') AND priority >= 0 AND queue IS NOT NULL AND scheduled_at <= now()
                 ORDER BY priority, scheduled_at, id LIMIT 1000{}) RETURNING queue",
            self.skip_locked()
        );
        for row in self.rows(AssertSqlSafe(release), &[]).await? {
            *queues.entry(row.text("queue")?).or_default() += 1;
        }
        Ok(queues)
    }

    /// What is held by workers, or by this one, in River's rows or ours: `river`, `worker`.
    pub(crate) async fn claims(&self, of: Option<&str>) -> Result<Vec<Row>> {
        let holder = self.holder();
        let (held, ours) = match of {
            Some(_) => (format!("{holder} = $1"), "worker = $1"),
            None => ("1 = 1".to_owned(), "worker IS NOT NULL"),
        };
        let find = format!(
            "SELECT id AS river, {holder} AS worker FROM {}
             WHERE state = 'running' AND kind LIKE 'mediaflow.%' AND {held}
             UNION SELECT river, worker FROM mediaflow_jobs WHERE {ours}
             UNION SELECT river, worker FROM mediaflow_parts WHERE {ours}",
            self.river_name("river_job")
        );
        let worker: Vec<Value> = of.into_iter().map(Value::from).collect();
        self.rows(AssertSqlSafe(find).into_sql_str(), &worker).await
    }

    /// Waiting jobs whose rows in River were cancelled or discarded within the last `seconds`: `id`, `river`, the state
    /// of River's row.
    pub(crate) async fn waiting_without_river(&self, seconds: u64, limit: i64) -> Result<Vec<Row>> {
        let find = format!(
            "SELECT j.id, CAST(r.state AS TEXT) AS river FROM {} r JOIN mediaflow_jobs j ON j.river = r.id
             WHERE r.state IN ('cancelled', 'discarded') AND r.finalized_at >= {}
               AND j.ended_at IS NULL AND j.state = 'queued' LIMIT {limit}",
            self.river_name("river_job"),
            self.ago(seconds)
        );
        self.rows(AssertSqlSafe(find), &[]).await
    }

    /// Running jobs, or jobs at their assembly, whose rows in River ended more than `seconds` ago, or are gone while nobody
    /// has the job.
    pub(crate) async fn running_without_river(&self, seconds: u64, limit: i64) -> Result<Vec<Row>> {
        let find = format!(
            "SELECT j.id, CAST(r.state AS TEXT) AS river FROM mediaflow_jobs j LEFT JOIN {} r ON r.id = j.river
             WHERE j.ended_at IS NULL AND j.state = 'running' AND coalesce(j.parts_left, 0) = 0
               AND (r.id IS NULL AND j.worker IS NULL OR r.finalized_at < {}) LIMIT {limit}",
            self.river_name("river_job"),
            self.ago(seconds)
        );
        self.rows(AssertSqlSafe(find), &[]).await
    }

    /// Jobs that wait for a part whose row in River is gone, or ended: for a part that runs, ended more than `seconds` ago.
    pub(crate) async fn parts_without_river(&self, seconds: u64, limit: i64) -> Result<Vec<Row>> {
        let find = format!(
            "SELECT j.id, CAST(r.state AS TEXT) AS river FROM mediaflow_jobs j
             JOIN mediaflow_parts p ON p.job = j.id LEFT JOIN {} r ON r.id = p.river
             WHERE j.ended_at IS NULL AND j.state = 'running' AND j.parts_left > 0
               AND (p.state = 'queued' AND (r.id IS NULL OR r.finalized_at IS NOT NULL)
                 OR p.state = 'running' AND r.finalized_at < {}) LIMIT {limit}",
            self.river_name("river_job"),
            self.ago(seconds)
        );
        self.rows(AssertSqlSafe(find), &[]).await
    }

    /// A page of the waiting jobs of a class after one of them: `id`, `due`, `river`, and whether River's row is `lost`.
    pub(crate) async fn waiting_page(
        &self,
        class: &str,
        after: (i64, String),
        limit: i64,
    ) -> Result<Vec<Row>> {
        let find = format!(
            "SELECT j.id, j.due, CAST(r.state AS TEXT) AS river,
               CAST(CASE WHEN r.id IS NULL OR r.finalized_at IS NOT NULL THEN 1 ELSE 0 END AS BIGINT) AS lost
             FROM mediaflow_jobs j LEFT JOIN {} r ON r.id = j.river
             WHERE j.ended_at IS NULL AND j.state = 'queued' AND j.class = $1 AND (j.due, j.id) > ($2, $3)
             ORDER BY j.due, j.id LIMIT $4",
            self.river_name("river_job")
        );
        self.rows(AssertSqlSafe(find), values![class, after.0, after.1, limit]).await
    }

    /// The client that River gave a row to last. Nothing if the column was damaged.
    fn holder(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => {
                "CASE WHEN json_valid(attempted_by, 6) THEN json_extract(attempted_by, '$[#-1]') END"
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "attempted_by[array_upper(attempted_by, 1)]",
        }
    }

    /// What River is to run, as JSON text. Nothing if the column was damaged.
    fn args(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "CASE WHEN json_valid(args, 6) THEN json(args) END",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "CAST(args AS TEXT)",
        }
    }

    /// A moment in the past, as River writes it.
    fn ago(&self, seconds: u64) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => {
                format!("strftime('%Y-%m-%d %H:%M:%f', 'now', '-{seconds} seconds')")
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => format!("now() - interval '{seconds} seconds'"),
        }
    }
}

/// What River has handed out, and was not asked to cancel.
const UNDISTURBED: &str = "state = 'running' AND metadata ->> 'cancel_attempted_at' IS NULL";

/// A row that is in River's queue again, under a new number.
#[derive(Debug)]
pub(crate) struct Requeued {
    pub(crate) old: i64,
    pub(crate) new: i64,
    /// If it is a part that River was to run.
    pub(crate) part: Option<PartTask>,
}

impl Tx<'_, '_> {
    /// Puts what River gave to a worker back into its queue under a new number: all of it, or only what has the number
    /// `only`.
    pub(crate) async fn requeue(
        &mut self,
        db: &Db,
        worker: &str,
        only: Option<i64>,
    ) -> Result<Vec<Requeued>> {
        let jobs = db.river_name("river_job");
        let find = format!(
            "SELECT id, {} AS args FROM {jobs}
             WHERE state = 'running' AND kind LIKE 'mediaflow.%' AND {} = $1 AND ($2 = 0 OR id = $2){}",
            db.args(),
            db.holder(),
            db.skip_locked()
        );
        let again = format!(
            "INSERT INTO {jobs} (args, attempt, attempted_by, errors, kind, max_attempts, priority, queue, tags, scheduled_at)
             SELECT args, attempt, attempted_by, errors, kind, max_attempts, priority, queue, tags, scheduled_at
             FROM {jobs} WHERE id = $1 RETURNING id"
        );
        let mut requeued = Vec::new();
        for row in self.rows(AssertSqlSafe(find), values![worker, only.unwrap_or(0)]).await? {
            let old = row.int("id")?;
            let again = AssertSqlSafe(again.clone());
            let Some(new) = self.row(again, values![old]).await? else { continue };
            let new = new.int("id")?;
            self.delete_task(db, old.into()).await?;
            let part = row.opt_json::<PartTask>("args").ok().flatten();
            requeued.push(Requeued { old, new, part });
        }
        Ok(requeued)
    }

    /// Puts what this process runs back into the queue that it came from, under a new number: at once with its rank, or to
    /// wait until it is due, because what River itself lets wait is due by the clock of the worker's machine. Gives nothing if
    /// it is left to River, which has been asked to cancel it, or does not know it any more.
    pub(crate) async fn put_back(
        &mut self,
        db: &Db,
        river: i64,
        due: Option<Timestamp>,
    ) -> Result<Option<i64>> {
        let time = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "strftime('%Y-%m-%d %H:%M:%f', $2 / 1000.0, 'unixepoch')",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "to_timestamp($2 / 1000.0)",
        };
        let jobs = db.river_name("river_job");
        let state = "CASE WHEN $2 > 0 THEN 'scheduled' ELSE 'available' END";
        let state = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => state.to_owned(),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => format!("CAST({state} AS {})", db.river_name("river_job_state")),
        };
        let again = format!(
            "INSERT INTO {jobs} (args, kind, max_attempts, priority, queue, tags, scheduled_at, state)
             SELECT args, kind, max_attempts, priority, queue, tags,
               CASE WHEN $2 > 0 THEN {time} ELSE scheduled_at END, {state} FROM {jobs}
             WHERE id = $1 AND {UNDISTURBED} RETURNING id"
        );
        let due = due.unwrap_or_default();
        let Some(new) = self.row(AssertSqlSafe(again), values![river, due]).await? else {
            return Ok(None);
        };
        self.complete(db, &[river]).await?;
        new.int("id").map(Some)
    }

    /// Takes what this process runs out of River: it waits in our tables now. Gives false if it is left to River, as
    /// [`Tx::put_back`] says.
    pub(crate) async fn take_out(&mut self, db: &Db, river: i64) -> Result<bool> {
        let find = format!(
            "SELECT id FROM {} WHERE id = $1 AND {UNDISTURBED}",
            db.river_name("river_job")
        );
        let found = self.row(AssertSqlSafe(find), values![river]).await?.is_some();
        if found {
            self.complete(db, &[river]).await?;
        }
        Ok(found)
    }

    /// What waits in a queue: River's numbers, and the parts among them.
    pub(crate) async fn waiting(
        &mut self,
        db: &Db,
        queue: &str,
        most: usize,
    ) -> Result<Vec<(i64, Option<PartTask>)>> {
        let find = format!(
            "SELECT id, {} AS args FROM {}
             WHERE queue = $1 AND state IN ('available', 'retryable', 'scheduled') ORDER BY id LIMIT {most}",
            db.args(),
            db.river_name("river_job")
        );
        let rows = self.rows(AssertSqlSafe(find), values![queue]).await?;
        rows.iter().map(|row| Ok((row.int("id")?, row.opt_json("args").ok().flatten()))).collect()
    }

    /// Takes these out of River's queues, as far as they still wait and nobody else takes them. Gives their numbers.
    pub(crate) async fn take_waiting(&mut self, db: &Db, rivers: &[i64]) -> Result<Vec<i64>> {
        let find = format!(
            "SELECT id FROM {} WHERE id = $1 AND state IN ('available', 'retryable', 'scheduled'){}",
            db.river_name("river_job"),
            db.skip_locked()
        );
        let mut taken = Vec::new();
        for river in rivers {
            if self.row(AssertSqlSafe(find.clone()), values![*river]).await?.is_some() {
                self.delete_task(db, (*river).into()).await?;
                taken.push(*river);
            }
        }
        Ok(taken)
    }

    /// Deletes what was queued, by River's number.
    pub(crate) async fn delete_task(&mut self, db: &Db, river: Value) -> Result<()> {
        let delete = format!("DELETE FROM {} WHERE id = $1", db.river_name("river_job"));
        self.run(AssertSqlSafe(delete), &[river]).await.map(drop)
    }

    /// Whether a job that has not ended has a row in River that has, or waits for parts.
    pub(crate) async fn is_lost(&mut self, db: &Db, job: JobId) -> Result<bool> {
        let find = format!(
            "SELECT 1 AS one FROM mediaflow_jobs j LEFT JOIN {} r ON r.id = j.river
             WHERE j.id = $1 AND j.ended_at IS NULL AND (r.finalized_at IS NOT NULL OR j.parts_left > 0)",
            db.river_name("river_job")
        );
        self.row(AssertSqlSafe(find), values![job]).await.map(|row| row.is_some())
    }
}

/// Which of our rows wait without River's knowing of them.
pub(crate) fn missing(db: &Db, ours: &str) -> String {
    format!("NOT EXISTS (SELECT 1 FROM {} r WHERE r.id = {ours}.river)", db.river_name("river_job"))
}

/// What a failure of River means.
pub(crate) fn failed(error: riverqueue::Error) -> Error {
    match error {
        riverqueue::Error::Database(error) => super::failed(error),
        error => Error::internal(codes::QUEUE_RIVER, "River refused a request").because(error),
    }
}
