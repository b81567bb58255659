use std::path::Path;
#[cfg(feature = "postgres")]
use std::time::Duration;

use mediaflow_core::Result;
use sqlx::SqlSafeStr;

#[cfg(feature = "postgres")]
use super::postgres;
#[cfg(feature = "sqlite")]
use super::sqlite;
use super::{Row, Transaction, Value, failed, query};

/// How long such a look may take.
#[cfg(feature = "postgres")]
const LOOK: Duration = Duration::from_secs(2);

/// An open database.
#[derive(Clone, Debug)]
pub(crate) enum Db {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Sqlite),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Postgres),
}

impl Db {
    #[cfg(feature = "sqlite")]
    pub(crate) async fn sqlite(path: &Path) -> Result<Self> {
        sqlite::Sqlite::open(path).await.map(Self::Sqlite)
    }

    #[cfg(feature = "postgres")]
    pub(crate) async fn postgres(
        url: &str,
        river: &str,
        connections: u32,
        lease: Duration,
    ) -> Result<Self> {
        postgres::Postgres::connect(url, river, connections, lease).await.map(Self::Postgres)
    }

    /// A transaction that may write. Nothing but SQL may be awaited before its end: on SQLite everybody waits for it.
    pub(crate) async fn begin(&self) -> Result<Transaction> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(db) => riverqueue::database::begin_sqlite_write(&db.write)
                .await
                .map(Transaction::Sqlite)
                .map_err(failed),
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => riverqueue::database::begin_postgres(&db.pool)
                .await
                .map(Transaction::Postgres)
                .map_err(failed),
        }
    }

    /// What a query finds, outside of any transaction.
    pub(crate) async fn rows(&self, sql: impl SqlSafeStr, values: &[Value]) -> Result<Vec<Row>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(db) => query::sqlite::rows(&db.read, sql, values).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => query::postgres::rows(&db.pool, sql, values).await,
        }
    }

    /// The first row that a query finds.
    pub(crate) async fn row(&self, sql: impl SqlSafeStr, values: &[Value]) -> Result<Option<Row>> {
        self.rows(sql, values).await.map(|rows| rows.into_iter().next())
    }

    /// What is read again and again, by a plan that is made once. If that fails on the connection for it, or takes too long,
    /// because it was cut off, it is read on another one.
    pub(crate) async fn looked(
        &self,
        sql: impl SqlSafeStr + Clone,
        values: &[Value],
    ) -> Result<Vec<Row>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => self.rows(sql, values).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => {
                let look = query::postgres::rows(&db.looks, sql.clone(), values);
                match tokio::time::timeout(LOOK, look).await {
                    Ok(Ok(rows)) => Ok(rows),
                    _ => self.rows(sql, values).await,
                }
            }
        }
    }

    /// One write by itself that gives back the row it touched.
    pub(crate) async fn write_row(
        &self,
        sql: impl SqlSafeStr,
        values: &[Value],
    ) -> Result<Option<Row>> {
        let rows = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(db) => query::sqlite::rows(&db.write, sql, values).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => query::postgres::rows(&db.pool, sql, values).await,
        };
        rows.map(|rows| rows.into_iter().next())
    }

    /// One write by itself. Gives the number of rows that it touched.
    pub(crate) async fn run(&self, sql: impl SqlSafeStr, values: &[Value]) -> Result<u64> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(db) => query::sqlite::run(&db.write, sql, values).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => query::postgres::run(&db.pool, sql, values).await,
        }
    }

    /// The file of a database that is one: there, locks tell who lives, and nobody tells of a commit.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(db) => Some(&db.path),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
        }
    }

    /// A number that changes when another connection than the writing one has committed something. Nothing if it can
    /// not be had without waiting, or the database is no file.
    pub(crate) async fn version_of_others(&self) -> Result<Option<i64>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(db) => {
                let Some(mut writer) = db.write.try_acquire() else { return Ok(None) };
                // <https://www.sqlite.org/pragma.html#pragma_data_version>
                let rows = query::sqlite::rows(&mut *writer, "PRAGMA data_version", &[]).await?;
                rows.first().map(|row| row.int("data_version")).transpose()
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Ok(None),
        }
    }

    /// Gives back the room of a log that has grown, where there is one.
    pub(crate) async fn shrink_log(&self) -> Result<()> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(db) => db.shrink_log().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Ok(()),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(db) => {
                db.read.close().await;
                db.write.close().await;
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => {
                db.looks.close().await;
                db.pool.close().await;
            }
        }
    }
}
