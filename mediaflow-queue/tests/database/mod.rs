//! A database of either kind, as an operator sees it: with SQL, past the engine.
#![allow(dead_code, reason = "each test program uses another part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::path::PathBuf;
use std::time::Duration;

use mediaflow_core::spec::{IntoSpec as _, JobOptions, JobSpec, Pipeline};
use mediaflow_core::testing::{FakeBackend, FakeWork, dot, soon};
use mediaflow_core::{Builder, JobId, Mediaflow};
use mediaflow_queue::Queue;
use sqlx::AssertSqlSafe;

pub(crate) enum Database {
    Sqlite { path: PathBuf, pool: sqlx::SqlitePool, _folder: Option<tempfile::TempDir> },
    Postgres { url: String, pool: sqlx::PgPool },
}

/// A transaction of the host's, on either.
pub(crate) enum HostTransaction {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl HostTransaction {
    pub(crate) async fn rollback(self) {
        match self {
            Self::Sqlite(tx) => tx.rollback().await.unwrap(),
            Self::Postgres(tx) => tx.rollback().await.unwrap(),
        }
    }

    pub(crate) async fn commit(self) {
        match self {
            Self::Sqlite(tx) => tx.commit().await.unwrap(),
            Self::Postgres(tx) => tx.commit().await.unwrap(),
        }
    }
}

/// The words of the two databases for the same.
pub(crate) struct Words {
    pub(crate) now: &'static str,
    pub(crate) long_ago: &'static str,
}

impl Database {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        Self::sqlite_at(path, Some(folder)).await
    }
    async fn sqlite_at(path: PathBuf, folder: Option<tempfile::TempDir>) -> Self {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(10));
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        Self::Sqlite { path, pool, _folder: folder }
    }
    pub(crate) async fn postgres(name: &str) -> Self {
        let server = mediaflow_queue::testing::PrivatePostgres::shared().await.unwrap();
        Self::postgres_at(server.database(name).await.unwrap()).await
    }
    pub(crate) async fn postgres_at(url: String) -> Self {
        // River's tables are in a schema of their own; an operator need not write it each time.
        let options = url.parse::<sqlx::postgres::PgConnectOptions>().unwrap();
        let options = options.options([("search_path", "public,mediaflow_river")]);
        let pool = sqlx::postgres::PgPoolOptions::new().max_connections(2);
        let pool = pool.connect_with(options).await.unwrap();
        Self::Postgres { url, pool }
    }

    /// What another process needs to open it.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Sqlite { path, .. } => path.to_str().unwrap().to_owned(),
            Self::Postgres { url, .. } => url.clone(),
        }
    }

    /// The queue at such an address.
    pub(crate) fn queue_at(address: &str) -> Queue {
        if address.starts_with("postgres:") {
            mediaflow_queue::Postgres::connect(address)
        } else {
            mediaflow_queue::Sqlite::open(address)
        }
    }

    pub(crate) fn queue(&self) -> Queue {
        Self::queue_at(&self.address()).lease(Duration::from_secs(1))
    }

    pub(crate) fn words(&self) -> Words {
        match self {
            Self::Sqlite { .. } => Words {
                now: "strftime('%Y-%m-%d %H:%M:%f', 'now')",
                long_ago: "strftime('%Y-%m-%d %H:%M:%f', 'now', '-300 seconds')",
            },
            Self::Postgres { .. } => {
                Words { now: "now()", long_ago: "now() - interval '300 seconds'" }
            }
        }
    }

    pub(crate) async fn run(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite { pool, .. } => {
                sqlx::query(sql).execute(pool).await.unwrap().rows_affected()
            }
            Self::Postgres { pool, .. } => {
                sqlx::query(sql).execute(pool).await.unwrap().rows_affected()
            }
        }
    }

    /// A statement that can not be done.
    pub(crate) async fn fails(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        let failed = match self {
            Self::Sqlite { pool, .. } => sqlx::query(sql).execute(pool).await.is_err(),
            Self::Postgres { pool, .. } => sqlx::query(sql).execute(pool).await.is_err(),
        };
        assert!(failed);
    }

    pub(crate) async fn int(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite { pool, .. } => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
            Self::Postgres { pool, .. } => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
        }
    }

    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite { pool, .. } => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
            Self::Postgres { pool, .. } => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
        }
    }

    /// The tables that there are.
    pub(crate) async fn tables(&self) -> Vec<String> {
        let tables = match self {
            Self::Sqlite { .. } => {
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
            }
            Self::Postgres { .. } => {
                "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
            }
        };
        self.texts(tables).await
    }

    /// Submits jobs in a host's transaction, which stays open.
    pub(crate) async fn submit_in(
        &self,
        queue: &Queue,
        specs: impl IntoIterator<Item = JobSpec>,
    ) -> HostTransaction {
        match self {
            Self::Sqlite { pool, .. } => {
                let mut tx = riverqueue::database::begin_sqlite_write(pool).await.unwrap();
                for spec in specs {
                    queue.submit_in(&mut tx, spec).await.unwrap();
                }
                HostTransaction::Sqlite(tx)
            }
            Self::Postgres { pool, .. } => {
                let mut tx = riverqueue::database::begin_postgres(pool).await.unwrap();
                for spec in specs {
                    queue.submit_in(&mut tx, spec).await.unwrap();
                }
                HostTransaction::Postgres(tx)
            }
        }
    }

    /// Waits until a query gives this number.
    pub(crate) async fn until(&self, sql: &str, number: i64) {
        let reached = async {
            while self.int(sql).await != number {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon(&format!("{number} from {sql}"), reached).await;
    }

    /// Writes a message by hand: of the first event of this kind, through `hooks` to this address, with these columns.
    pub(crate) async fn message(&self, kind: &str, address: &str, columns: &str) {
        let origin = address.split('/').next().unwrap();
        let digest = mediaflow_core::notify::Address::at(origin, address);
        let (recipient, origin) = (digest.digest(), digest.origin());
        self.run(&format!(
            "INSERT INTO mediaflow_messages (uid, rule, recipient, group_key, channel, destination, address, event, kind, job,
               state, due, expires_at, created_at)
             SELECT id, 'hooks', '{recipient}', id, 'hooks', 'hooks {origin}', '{address}', id, kind, job, 'held', at,
               at + 432000000, at
             FROM mediaflow_events WHERE kind = '{kind}' ORDER BY seq LIMIT 1"
        ))
        .await;
        let state = if columns.contains("state") { "" } else { "state = 'pending', " };
        self.run(&format!("UPDATE mediaflow_messages SET {state}{columns} WHERE state = 'held'"))
            .await;
        self.run("DELETE FROM mediaflow_unrouted").await;
    }

    /// How many events tell the end of a job.
    pub(crate) async fn ends(&self, job: JobId) -> i64 {
        self.int(&format!(
            "SELECT count(*) FROM mediaflow_events WHERE job = '{job}'
             AND kind IN ('job.completed', 'job.failed', 'job.cancelled')"
        ))
        .await
    }

    /// Leaves a job as a process of this name would that died while it was at work on it.
    pub(crate) async fn abandon(&self, job: JobId, worker: &str) {
        let now = self.words().now;
        let worker_list = match self {
            Self::Sqlite { .. } => format!("jsonb('[\"{worker}\"]')"),
            Self::Postgres { .. } => format!("ARRAY['{worker}']"),
        };
        self.run(&format!(
            "UPDATE mediaflow_jobs SET state = 'running', worker = '{worker}', fence = 1, attempts = 1,
             started_at = queued_at WHERE id = '{job}'"
        ))
        .await;
        self.run(&format!(
            "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = {now}, attempted_by = {worker_list}
             WHERE id = (SELECT river FROM mediaflow_jobs WHERE id = '{job}')"
        ))
        .await;
    }

    /// Registers a worker whose last sign of life was long ago.
    pub(crate) async fn register_dead(&self, worker: &str) {
        self.run(&format!(
            "INSERT INTO mediaflow_workers (id, host, pid, started_at, beat_at) VALUES ('{worker}', 'gone', 1, 0, 0)"
        ))
        .await;
    }
}

pub(crate) fn builder(queue: Queue, fake: &FakeBackend) -> Builder {
    Mediaflow::builder().engine(queue).with(fake.operations())
}

/// A job with one step and one output.
pub(crate) fn work(name: &str) -> JobSpec {
    Pipeline::from(dot())
        .output(format!("out/{name}.gif"), |dot| dot.then(FakeWork::new(name)))
        .build()
        .and_then(mediaflow_core::spec::IntoSpec::into_spec)
        .unwrap()
}

/// A job with so many outputs, the steps of which are named by numbers: `00`, `01`.
pub(crate) fn many(outputs: usize) -> JobSpec {
    let first = Pipeline::from(dot());
    let all = (0..outputs).fold(first, |pipeline, number| {
        let name = format!("{number:02}");
        pipeline.output(format!("out/{name}.gif"), |dot| dot.then(FakeWork::new(name)))
    });
    all.build().unwrap().into_spec().unwrap()
}

pub(crate) fn once(spec: JobSpec) -> JobSpec {
    spec.with_options(JobOptions::new().max_attempts(1))
}

pub(crate) async fn shut(media: Mediaflow) {
    soon("shutdown", media.shutdown(Duration::from_secs(15))).await.unwrap();
}

/// A test on SQLite and on PostgreSQL.
#[macro_export]
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::database::Database::sqlite().await).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::database::Database::postgres(stringify!($name)).await).await;
                }
            )*
        }
    };
}
