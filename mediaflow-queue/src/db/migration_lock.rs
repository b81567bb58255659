use std::time::Duration;

use mediaflow_core::{Error, Result, codes};
use sqlx::{AssertSqlSafe, SqlSafeStr};
use tokio::time::{Instant, sleep};

use super::{Db, Value, query};
#[cfg(feature = "postgres")]
use super::{Row, values};

/// The right to change the tables, for one process at a time, and the connection on which that is done. Dropping it gives
/// the right back, and undoes what was begun.
pub(super) enum MigrationLock {
    /// Closing the file gives the lock back.
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::SqliteConnection, std::fs::File),
    /// The lock belongs to the connection. When its process is killed, the server goes on with the statement that it was
    /// given, and as long the lock stays: nobody finds an index that is still being built.
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgConnection),
}

/// "mediaflo" in ASCII: an advisory lock is known by a number.
#[cfg(feature = "postgres")]
const LOCK: i64 = 0x6d65_6469_6166_6c6f;

/// How often a lock is asked for that another process holds. Waiting for it inside of a statement would be waiting with a
/// snapshot, and who builds an index waits for those who hold one: each would wait for the other.
const EVERY: Duration = Duration::from_millis(100);

/// For how long one transaction waits, in all, for tables that others are using. Whoever wants such a table after it waits
/// behind it: so this is shorter than what our own statements wait. It is longer than the second after which the server ends
/// an autovacuum that is in somebody's way.
#[cfg(feature = "postgres")]
pub(super) const IN_THE_WAY: Duration = Duration::from_millis(1200);

/// What the last statements of such a transaction wait at least, however long the first ones took.
#[cfg(feature = "postgres")]
const LEAST: Duration = Duration::from_millis(200);

impl MigrationLock {
    /// Waits until no other process is changing the tables, for as long as that takes.
    pub(super) async fn take(db: &Db) -> Result<Self> {
        let mut lock = match db {
            #[cfg(feature = "sqlite")]
            Db::Sqlite(db) => {
                let path = db.path.with_added_extension("lock");
                let file = std::fs::File::options().create(true).append(true).open(&path);
                let file =
                    file.map_err(no_lock_file).map_err(|e| e.with("file", path.display()))?;
                Self::Sqlite(db.connection().await?, file)
            }
            #[cfg(feature = "postgres")]
            Db::Postgres(db) => {
                let patient = db.patient(Duration::ZERO);
                Self::Postgres(patient.acquire().await.map_err(super::failed)?.detach())
            }
        };
        let mut waits = false;
        while !lock.try_take().await? {
            if !std::mem::replace(&mut waits, true) {
                tracing::info!("another process is changing the tables; waiting for it");
            }
            sleep(EVERY).await;
        }
        Ok(lock)
    }

    async fn try_take(&mut self) -> Result<bool> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_, file) => match file.try_lock() {
                Ok(()) => Ok(true),
                Err(std::fs::TryLockError::WouldBlock) => Ok(false),
                Err(std::fs::TryLockError::Error(e)) => Err(no_lock_file(e)),
            },
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => {
                let ask = "SELECT 1 AS one WHERE pg_try_advisory_lock($1)";
                self.row(ask, values![LOCK]).await.map(|taken| taken.is_some())
            }
        }
    }

    /// Begins a transaction. It is undone unless it is committed before this is dropped.
    pub(super) async fn begin(&mut self) -> Result<()> {
        let begin = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(..) => "BEGIN IMMEDIATE",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "BEGIN",
        };
        self.run(begin, &[]).await.map(drop)
    }

    pub(super) async fn commit(&mut self) -> Result<()> {
        self.run("COMMIT", &[]).await.map(drop)
    }

    /// Does statements in one transaction. A host's transaction that has submitted a job may stay open for long, and a change
    /// of a table waits for its end, with everybody else behind it: so it is given up after a moment, and done again from its
    /// beginning when the others have had their turn, for as long as that takes.
    pub(super) async fn together(&mut self, statements: &[String]) -> Result<()> {
        let mut turns = Turns::new();
        while let Err(error) = self.try_together(statements).await {
            if !Turns::passes(&error) {
                return Err(error);
            }
            self.run("ROLLBACK", &[]).await?;
            turns.wait(&error).await;
        }
        Ok(())
    }

    async fn try_together(&mut self, statements: &[String]) -> Result<()> {
        self.begin().await?;
        let began = Instant::now();
        for statement in statements {
            self.limit_waiting(began).await?;
            self.run(AssertSqlSafe(statement.clone()), &[]).await?;
        }
        self.commit().await
    }

    /// Lets the next statement wait for what is left to its transaction. On SQLite the whole file was waited for.
    async fn limit_waiting(
        &mut self,
        #[cfg_attr(not(feature = "postgres"), expect(unused_variables, reason = "no limit"))]
        began: Instant,
    ) -> Result<()> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(..) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => {
                let left = IN_THE_WAY.saturating_sub(began.elapsed()).max(LEAST);
                let limit = format!("SET LOCAL lock_timeout = {}", left.as_millis());
                self.run(AssertSqlSafe(limit), &[]).await.map(drop)
            }
        }
    }

    /// What a query finds.
    #[cfg(feature = "postgres")]
    pub(super) async fn rows(
        &mut self,
        sql: impl SqlSafeStr,
        values: &[Value],
    ) -> Result<Vec<Row>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection, _) => query::sqlite::rows(connection, sql, values).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => query::postgres::rows(connection, sql, values).await,
        }
    }

    /// The first row that a query finds.
    #[cfg(feature = "postgres")]
    pub(super) async fn row(
        &mut self,
        sql: impl SqlSafeStr,
        values: &[Value],
    ) -> Result<Option<Row>> {
        self.rows(sql, values).await.map(|rows| rows.into_iter().next())
    }

    /// Writes. Gives the number of rows that it touched.
    pub(super) async fn run(&mut self, sql: impl SqlSafeStr, values: &[Value]) -> Result<u64> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection, _) => query::sqlite::run(connection, sql, values).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => query::postgres::run(connection, sql, values).await,
        }
    }

    /// Drops an index that a broken build has left: it is written at each change and never read, and its name would keep
    /// it from being built again.
    #[cfg(feature = "postgres")]
    pub(super) async fn drop_unusable(&mut self, index: &str) -> Result<()> {
        let find =
            "SELECT 1 AS one FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid";
        if self.row(find, values![index]).await?.is_some() {
            tracing::warn!(index, "an index was left unfinished; it is built again");
            let remove = format!("DROP INDEX CONCURRENTLY IF EXISTS {index}");
            self.run(AssertSqlSafe(remove), &[]).await?;
        }
        Ok(())
    }
}

/// The turns of a transaction that others are in the way of. Between two of them the others have longer than one lasts.
pub(super) struct Turns {
    began: Instant,
    pause: Duration,
}

impl Turns {
    const FIRST: Duration = Duration::from_secs(2);
    const LONGEST: Duration = Duration::from_secs(5);

    pub(super) fn new() -> Self {
        Self { began: Instant::now(), pause: Self::FIRST }
    }

    /// Whether it was others that were in the way.
    pub(super) fn passes(error: &Error) -> bool {
        error.code() == codes::QUEUE_CONFLICT
    }

    /// Waits until it is time for the next one.
    pub(super) async fn wait(&mut self, error: &Error) {
        tracing::warn!(
            ?error,
            waited = ?self.began.elapsed(),
            "the tables can not be changed while a transaction that uses them is open; trying again until it has ended"
        );
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(Self::LONGEST);
    }
}

#[cfg(feature = "sqlite")]
fn no_lock_file(e: std::io::Error) -> Error {
    Error::input(codes::QUEUE_OPEN, "the lock file beside the database can not be used")
        .help("the process must have the right to write in the folder of the database")
        .because(e)
}
