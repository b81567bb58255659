use std::fmt;
#[cfg(feature = "sqlite")]
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use mediaflow_core::executor::Executor;
use mediaflow_core::spec::IntoSpec;
use mediaflow_core::{Error, JobId, Result, codes};

use crate::broadcast::EventBroadcast;
#[cfg(feature = "testing")]
use crate::db::Migration;
use crate::db::{Db, HostTransaction};
use crate::jobs::{self, Jobs};
use crate::process::Process;
use crate::settings::Settings;
use crate::supervise::supervise;
use crate::{tail, work};

/// Jobs in one file: the durable default, which needs no server and survives the end of the process at any moment.
#[cfg(feature = "sqlite")]
#[derive(Debug)]
#[non_exhaustive]
pub struct Sqlite;

#[cfg(feature = "sqlite")]
impl Sqlite {
    /// The queue in this file, which is made if it is missing. Its folder must exist. Several processes of one machine
    /// can share it; a network drive can not carry it.
    #[must_use]
    pub fn open(path: impl Into<PathBuf>) -> Queue {
        Queue::at(Target::Sqlite(path.into()))
    }
}

/// Jobs on a PostgreSQL server, version 15 or newer: for when one machine is not enough.
#[cfg(feature = "postgres")]
#[derive(Debug)]
#[non_exhaustive]
pub struct Postgres;

#[cfg(feature = "postgres")]
impl Postgres {
    /// The queue in this database: `postgres://user:password@host:5432/database`. The tables are made if they are
    /// missing.
    #[must_use]
    pub fn connect(url: impl Into<String>) -> Queue {
        Queue::at(Target::Postgres(url.into()))
    }
}

/// A durable [`Engine`](mediaflow_core::engine::Engine). Clones share. It connects when
/// [`Builder::start`](mediaflow_core::Builder::start) is called; settings come before.
///
/// A job is run at least once and reaches one terminal state, with one terminal event, exactly once. Each attempt
/// holds a token; who holds an old one, because it was paused or cut off and another worker took over, can write
/// neither the job's row nor its files any more. A state and the events that tell of it are one transaction, and each
/// event is routed to each of its destinations once.
///
/// Within a class the most urgent job goes first, by [`JobOptions::priority`](mediaflow_core::spec::JobOptions::priority), and
/// then the oldest. Each class has [places](mediaflow_core::Builder::places) of its own in a process.
#[derive(Clone)]
pub struct Queue(Arc<Shared>);

struct Shared {
    target: Target,
    settings: Mutex<Settings>,
    events: EventBroadcast,
    jobs: OnceLock<Arc<Jobs>>,
}

enum Target {
    #[cfg(feature = "sqlite")]
    Sqlite(PathBuf),
    #[cfg(feature = "postgres")]
    Postgres(String),
}

impl Queue {
    fn at(target: Target) -> Self {
        Self(Arc::new(Shared {
            target,
            settings: Mutex::default(),
            events: EventBroadcast::new(),
            jobs: OnceLock::new(),
        }))
    }

    /// How long ended jobs, with their reports, events and delivery logs, are kept. Default 7 days.
    #[must_use]
    pub fn retention(self, time: Duration) -> Self {
        self.set(|settings| settings.retention = time)
    }

    /// How long an idempotency key stands for its job, unless that fails or is cancelled. Default 24 hours, and never longer
    /// than the job is kept.
    #[must_use]
    pub fn idempotency(self, time: Duration) -> Self {
        self.set(|settings| settings.idempotency = time)
    }

    /// A worker process that gives no sign of life for so long is taken for dead, and its jobs are taken over. Default
    /// 12 s, at least 1 s. On SQLite the end of a process is seen at once in any case.
    #[must_use]
    pub fn lease(self, time: Duration) -> Self {
        self.set(|settings| settings.lease = time.max(Duration::from_secs(1)))
    }

    /// How many connections to a PostgreSQL server this process may hold, at least 2. Default 10, and four more: for
    /// listening, River's and its own, for the heartbeat, and for what is looked at again and again.
    #[must_use]
    pub fn connections(self, connections: u32) -> Self {
        self.set(|settings| settings.connections = connections.max(2))
    }

    /// The schema of River's tables on PostgreSQL, which is made if it is missing. Default `mediaflow_river`; our own tables
    /// are where the `search_path` of the connection leads.
    ///
    /// Needed by who keeps several mediaflows apart in one database by their `search_path` (each needs another one), who
    /// may make no schema but has been given one, or who points River UI at a schema of a fixed name. A host that works with
    /// River itself keeps its jobs in another schema: River deletes what has ended, and rescues what runs for long, in
    /// all of its schema, so that two can not share one. On SQLite, where all stands in one file, such a host needs
    /// another file.
    ///
    /// Change a name in use while nothing runs; what waits in the old schema is queued again in the new one.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn river_schema(self, name: impl Into<String>) -> Self {
        self.set(|settings| settings.river = name.into())
    }

    /// Makes this a newer build, for tests: one with a further migration. It is `compatible` if processes of this version
    /// can go on working on its tables. Below a line `-- online` stand statements that are done outside of a transaction.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn further_migration(self, compatible: bool, sql: impl Into<String>) -> Self {
        let migration = Migration::next(compatible, sql.into());
        self.set(|settings| settings.further = vec![migration])
    }

    fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.0.settings.lock().unwrap_or_else(PoisonError::into_inner));
        self
    }

    /// Submits a job within the host's own transaction: both are there after its commit, and neither after a rollback.
    ///
    /// The transaction must be on this queue's database; for SQLite begin it with `BEGIN IMMEDIATE`, as
    /// `riverqueue::database::begin_sqlite_write` does, or it fails when somebody else wrote meanwhile.
    ///
    /// ```no_run
    /// # use mediaflow_core::{Result, spec::Pipeline};
    /// # async fn example(queue: mediaflow_queue::Queue, pool: sqlx::SqlitePool) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    /// sqlx::query("INSERT INTO photos (name) VALUES ('cat.jpg')").execute(&mut *tx).await?;
    /// let copy = Pipeline::from("uploads/cat.jpg").output("public/cat.jpg", |photo| photo).build()?;
    /// let job = queue.submit_in(&mut tx, copy).await?;
    /// tx.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Mediaflow::submit`](mediaflow_core::Mediaflow::submit); `queue.closed` before the engine has started. After
    /// an error roll back: a part may have been written.
    pub async fn submit_in<'t>(
        &self,
        transaction: &mut impl HostTransaction<'t>,
        job: impl IntoSpec + Send,
    ) -> Result<JobId> {
        let process = self.process()?;
        let spec = process.executor.check(job.into_spec()?)?;
        jobs::submit_in(process, &mut transaction.tx(), spec).await
    }

    pub(super) async fn connect(&self, executor: &Executor) -> Result<()> {
        let settings = self.0.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let db = match &self.0.target {
            #[cfg(feature = "sqlite")]
            Target::Sqlite(path) => Db::sqlite(path).await?,
            #[cfg(feature = "postgres")]
            Target::Postgres(url) => {
                Db::postgres(url, &settings.river, settings.connections, settings.lease).await?
            }
        };
        db.migrate(&settings.further).await?;
        let id = format!("mediaflow-{}", uuid::Uuid::now_v7().simple());
        // What River calls needs the jobs, and they need River's client.
        let cell = work::JobsCell::default();
        let river = work::client(&cell, &db, executor, &id)?;
        let events = self.0.events.clone();
        let process = Process::new(db, executor.clone(), settings, id, river, events.clone());
        process.clock.compare(&process.db).await?;
        let (weak, closed) = (Arc::downgrade(&process), process.closed.clone());
        let again = closed.clone();
        let run = move || tail::run(Weak::clone(&weak), events.clone(), closed.clone());
        tokio::spawn(async move { supervise("tail", again, run).await });
        let jobs = Arc::new(Jobs::new(process));
        // It was made a moment ago and is set only here.
        let _ = cell.set(Arc::downgrade(&jobs));
        self.0.jobs.set(jobs).map_err(|_| {
            Error::input(codes::QUEUE_OPEN_TWICE, "this queue belongs to another Mediaflow already")
                .help("open the database a second time for a second one")
        })
    }

    pub(super) fn process(&self) -> Result<&Process> {
        self.jobs().map(|jobs| &*jobs.process)
    }

    pub(super) fn jobs(&self) -> Result<&Arc<Jobs>> {
        self.0.jobs.get().ok_or_else(|| {
            Error::input(codes::QUEUE_CLOSED, "the queue is not open yet")
                .help("hand it to `Builder::engine`, and call `start` first")
        })
    }

    pub(super) fn broadcast(&self) -> &EventBroadcast {
        &self.0.events
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Queue");
        match &self.0.target {
            #[cfg(feature = "sqlite")]
            Target::Sqlite(path) => f.field("sqlite", path),
            // The URL has a password in it.
            #[cfg(feature = "postgres")]
            Target::Postgres(_) => f.field("postgres", &"[REDACTED]"),
        };
        f.finish_non_exhaustive()
    }
}
