use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use mediaflow_core::{CancellationToken, Error, Result, codes};
use sqlx::AssertSqlSafe;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::lock::Lock;
use crate::db::{Db, values};
use crate::process::Process;

/// This process among the workers: a row, and a heartbeat on a thread of its own, with a connection of its own.
/// Neither a busy runtime nor a busy pool can stop it. Dropping it ends both.
pub(crate) struct Heartbeat {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// How long taking the row away may take while the database is away.
const DEREGISTER: Duration = Duration::from_secs(2);

impl Heartbeat {
    /// Registers this process. Others take over what it holds when the beat stops for [`Queue::lease`].
    ///
    /// [`Queue::lease`]: crate::Queue::lease
    pub(crate) async fn begin(process: &Arc<Process>) -> Result<Self> {
        let stop = CancellationToken::new();
        let heartbeat = HeartbeatThread {
            shared: process.db.clone(),
            process: Arc::downgrade(process),
            id: process.id.clone(),
            capability: process.capability.clone(),
            classes: process.classes().collect::<Vec<_>>().join(" "),
            lease: process.settings.lease,
            lock: None,
        };
        let (begun, beginning) = oneshot::channel();
        let until = stop.clone();
        let thread = std::thread::Builder::new()
            .name("mediaflow-heart".into())
            .spawn(move || heartbeat.run(begun, &until))
            .map_err(no_thread)?;
        let heartbeat = Self { stop, thread: Some(thread) };
        // Nobody tells when the thread has ended before its beginning.
        beginning.await.unwrap_or_else(|_| Err(silent()))?;
        Ok(heartbeat)
    }

    /// Takes this process from the workers.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by then.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat").finish_non_exhaustive()
    }
}

struct HeartbeatThread {
    /// Where the others work; only its address is used.
    shared: Db,
    process: Weak<Process>,
    id: String,
    capability: String,
    classes: String,
    lease: Duration,
    lock: Option<Lock>,
}

impl HeartbeatThread {
    fn run(self, begun: oneshot::Sender<Result<()>>, stop: &CancellationToken) {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.beat(begun, stop)),
            Err(e) => drop(begun.send(Err(no_thread(e)))),
        }
    }

    async fn beat(mut self, begun: oneshot::Sender<Result<()>>, stop: &CancellationToken) {
        let interval = self.lease / 4;
        let mut db = self.connection();
        let registered = self.register(&db).await;
        let failed = registered.is_err();
        if begun.send(registered).is_err() || failed {
            return;
        }
        let mut wait = interval;
        while stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
            let beaten = timeout(self.lease / 2, self.once(&db)).await;
            wait = interval;
            if let Err(error) = beaten.unwrap_or_else(|_| Err(silent())) {
                tracing::warn!(%error, worker = self.id, "this worker could not give a sign of life");
                // Of a connection that was cut, nothing more may be heard for a quarter of an hour.
                db = self.connection();
                wait = (interval / 4).min(Duration::from_secs(1));
            }
        }
        let leave = async {
            db.run("DELETE FROM mediaflow_workers WHERE id = $1", values![&self.id]).await
        };
        if !matches!(timeout(DEREGISTER, leave).await, Ok(Ok(_))) {
            tracing::debug!(
                worker = self.id,
                "the end of this worker was not written; the others will notice"
            );
        }
        db.close().await;
    }

    async fn once(&mut self, db: &Db) -> Result<()> {
        let beat = format!(
            "UPDATE mediaflow_workers SET beat_at = {}, open = $2 WHERE id = $1 RETURNING beat_at",
            db.clock()
        );
        let Some(process) = self.process.upgrade() else { return Ok(()) };
        let (before, values) = (process.clock.before(), values![&self.id, process.open()]);
        if let Some(row) = db.write_row(AssertSqlSafe(beat), values).await? {
            process.clock.told(db, before, row.int("beat_at")?);
            return Ok(());
        }
        tracing::warn!(
            worker = self.id,
            "this worker was silent for too long, and what it held was taken over: it stops its attempts"
        );
        self.stop_lost(&process, db).await?;
        self.register(db).await
    }

    /// Stops the attempts that were taken over, and not those that were begun since.
    async fn stop_lost(&self, process: &Process, db: &Db) -> Result<()> {
        // First this: what begins between the two is not in it.
        let begun: Vec<_> = process.active().keys().copied().collect();
        let find = "SELECT river FROM mediaflow_jobs WHERE worker = $1
                    UNION SELECT river FROM mediaflow_parts WHERE worker = $1";
        let rows = db.rows(find, values![&self.id]).await?;
        let held = rows.iter().map(|row| row.int("river")).collect::<Result<HashSet<_>>>()?;
        let active = process.active();
        let lost = begun.iter().filter(|river| !held.contains(river));
        lost.filter_map(|river| active.get(river)).for_each(|active| active.stop.cancel());
        Ok(())
    }

    async fn register(&mut self, db: &Db) -> Result<()> {
        if let Some(file) = db.file() {
            // Before there is a row: without its lock, a worker counts as dead.
            self.lock = None;
            self.lock = Some(Lock::hold(file, &self.id)?);
        }
        let now = db.clock();
        let add = format!(
            "INSERT INTO mediaflow_workers (id, host, pid, started_at, beat_at, capability, classes)
             VALUES ($1, $2, $3, {now}, {now}, $4, $5)
             ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at"
        );
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let values = values![&self.id, host, std::process::id(), &self.capability, &self.classes];
        db.run(AssertSqlSafe(add), values).await.map(drop)
    }

    /// One connection, which is opened at the first beat.
    fn connection(&self) -> Db {
        let mut db = self.shared.clone();
        match &mut db {
            #[cfg(feature = "sqlite")]
            Db::Sqlite(db) => {
                let options = (*db.write.connect_options())
                    .clone()
                    .busy_timeout(self.lease / 4)
                    // A beat that a power cut takes away is missed by nobody.
                    .synchronous(sqlx::sqlite::SqliteSynchronous::Normal);
                let one = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
                db.write = one.idle_timeout(None).max_lifetime(None).connect_lazy_with(options);
                db.read = db.write.clone();
            }
            #[cfg(feature = "postgres")]
            Db::Postgres(db) => {
                // The end of this thread closes what is its own.
                db.pool = db.single();
                db.looks = db.pool.clone();
            }
        }
        db
    }
}

fn silent() -> Error {
    Error::transient(codes::QUEUE_UNAVAILABLE, "the database does not answer")
        .help("is it running, and reachable from here? Work goes on when it is back")
}

fn no_thread(e: std::io::Error) -> Error {
    Error::internal(codes::QUEUE_THREAD, "no thread can be started for the signs of life")
        .because(e)
}
