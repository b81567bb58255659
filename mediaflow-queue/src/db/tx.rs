use std::fmt;

use mediaflow_core::Result;
use sqlx::SqlSafeStr;

use super::{Row, Value, failed, query, values};

/// A transaction of ours. Dropping it rolls back.
pub(crate) enum Transaction {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Transaction {
    pub(crate) fn tx(&mut self) -> Tx<'_, 'static> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction) => Tx::Sqlite(transaction),
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction) => Tx::Postgres(transaction),
        }
    }

    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(transaction) => transaction.commit().await.map_err(failed),
            #[cfg(feature = "postgres")]
            Self::Postgres(transaction) => transaction.commit().await.map_err(failed),
        }
    }
}

/// What is locked by its name, because it may have no row yet. SQLite has one writer at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name<'a> {
    /// An idempotency key.
    Key(&'a str),
    /// What one route has told, and what comes next in its place.
    Rule(&'a str),
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "mediaflow key {key}"),
            Self::Rule(rule) => write!(f, "mediaflow rule {rule}"),
        }
    }
}

/// A transaction, ours or the host's, to work in.
pub(crate) enum Tx<'a, 't> {
    #[cfg(feature = "sqlite")]
    Sqlite(&'a mut sqlx::Transaction<'t, sqlx::Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(&'a mut sqlx::Transaction<'t, sqlx::Postgres>),
}

impl Tx<'_, '_> {
    /// Whether one statement can write to several tables: `WITH written AS (INSERT ...) INSERT ...`.
    pub(crate) fn writes_in_queries(&self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => true,
        }
    }

    /// Whether `SELECT ... FOR UPDATE` locks rows. SQLite has one writer at a time.
    pub(crate) fn locks_rows(&self) -> bool {
        self.writes_in_queries()
    }

    /// Keeps a name from everybody else until the end of the transaction. Gives false if somebody else has it: waiting for them
    /// inside of the transaction would hold a connection.
    pub(crate) async fn try_name(&mut self, name: Name<'_>) -> Result<bool> {
        if !self.locks_rows() {
            return Ok(true);
        }
        let take = "SELECT 1 AS one WHERE pg_try_advisory_xact_lock(hashtextextended($1, 0))";
        self.row(take, values![name.to_string()]).await.map(|taken| taken.is_some())
    }

    /// Keeps a name from everybody else until the end of the transaction, once they have let it go. Several names are kept in
    /// one order, so that two processes never wait for each other.
    pub(crate) async fn keep_name(&mut self, name: Name<'_>) -> Result<()> {
        if self.locks_rows() {
            let take = "SELECT 1 AS one FROM pg_advisory_xact_lock(hashtextextended($1, 0))";
            self.row(take, values![name.to_string()]).await?;
        }
        Ok(())
    }

    /// What a query finds.
    pub(crate) async fn rows(
        &mut self,
        sql: impl SqlSafeStr,
        values: &[Value],
    ) -> Result<Vec<Row>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(tx) => query::sqlite::rows(&mut ***tx, sql, values).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(tx) => query::postgres::rows(&mut ***tx, sql, values).await,
        }
    }

    /// The first row that a query finds.
    pub(crate) async fn row(
        &mut self,
        sql: impl SqlSafeStr,
        values: &[Value],
    ) -> Result<Option<Row>> {
        self.rows(sql, values).await.map(|rows| rows.into_iter().next())
    }

    /// Writes. Gives the number of rows that it touched.
    pub(crate) async fn run(&mut self, sql: impl SqlSafeStr, values: &[Value]) -> Result<u64> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(tx) => query::sqlite::run(&mut ***tx, sql, values).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(tx) => query::postgres::run(&mut ***tx, sql, values).await,
        }
    }
}

/// The host's own transaction, in which a job can be submitted together with the host's rows: a `sqlx::Transaction`
/// on SQLite or PostgreSQL. Nobody else implements this.
pub trait HostTransaction<'t>: Send + private::Sealed<'t> {}

impl<'t, T: Send + private::Sealed<'t>> HostTransaction<'t> for T {}

pub(crate) mod private {
    use super::Tx;

    #[expect(unnameable_types, reason = "nobody outside can call or implement it")]
    pub trait Sealed<'t> {
        #[expect(private_interfaces, reason = "nobody outside can call it")]
        fn tx(&mut self) -> Tx<'_, 't>;
    }

    #[cfg(feature = "sqlite")]
    impl<'t> Sealed<'t> for sqlx::Transaction<'t, sqlx::Sqlite> {
        #[expect(private_interfaces, reason = "nobody outside can call it")]
        fn tx(&mut self) -> Tx<'_, 't> {
            Tx::Sqlite(self)
        }
    }

    #[cfg(feature = "postgres")]
    impl<'t> Sealed<'t> for sqlx::Transaction<'t, sqlx::Postgres> {
        #[expect(private_interfaces, reason = "nobody outside can call it")]
        fn tx(&mut self) -> Tx<'_, 't> {
            Tx::Postgres(self)
        }
    }
}
