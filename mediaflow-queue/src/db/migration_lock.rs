use std::time::Duration;

use mediaflow_core::Result;
#[cfg(feature = "postgres")]
use sqlx::AssertSqlSafe;
use sqlx::SqlSafeStr;

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
                Self::Postgres(db.patient().acquire().await.map_err(super::failed)?.detach())
            }
        };
        let mut waits = false;
        while !lock.try_take().await? {
            if !std::mem::replace(&mut waits, true) {
                tracing::info!("another process is changing the tables; waiting for it");
            }
            tokio::time::sleep(EVERY).await;
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

#[cfg(feature = "sqlite")]
fn no_lock_file(e: std::io::Error) -> mediaflow_core::Error {
    mediaflow_core::Error::input("queue.open", "the lock file beside the database can not be used")
        .help("the process must have the right to write in the folder of the database")
        .because(e)
}
