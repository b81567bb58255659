//! SQL past the engine, as an operator writes it.

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};

use super::Result;
use super::site::Place;

/// One connection to a database.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) place: Place,
    pool: Pool,
}

#[derive(Debug)]
enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Database {
    pub(crate) async fn open(place: Place) -> Result<Self> {
        let pool = match &place {
            Place::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .journal_mode(SqliteJournalMode::Wal)
                    .pragma("cache_size", "-262144")
                    .foreign_keys(false);
                let pool = SqlitePoolOptions::new().max_connections(1);
                Pool::Sqlite(pool.connect_with(options).await?)
            }
            Place::Postgres(url) => {
                let options: PgConnectOptions = url.parse()?;
                // What is multiplied is whole: nobody has to look whether it is.
                let options = options.options([
                    ("session_replication_role", "replica"),
                    ("synchronous_commit", "off"),
                    ("maintenance_work_mem", "512MB"),
                ]);
                let pool = PgPoolOptions::new().max_connections(1);
                Pool::Postgres(pool.connect_with(options).await?)
            }
        };
        Ok(Self { place, pool })
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self.pool, Pool::Sqlite(_))
    }

    pub(crate) async fn run(&self, sql: &str) -> Result<u64> {
        let query = AssertSqlSafe(sql.to_owned());
        Ok(match &self.pool {
            Pool::Sqlite(pool) => sqlx::query(query).execute(pool).await?.rows_affected(),
            Pool::Postgres(pool) => sqlx::query(query).execute(pool).await?.rows_affected(),
        })
    }

    pub(crate) async fn int(&self, sql: &str) -> Result<i64> {
        let query = AssertSqlSafe(sql.to_owned());
        Ok(match &self.pool {
            Pool::Sqlite(pool) => sqlx::query_scalar(query).fetch_one(pool).await?,
            Pool::Postgres(pool) => sqlx::query_scalar(query).fetch_one(pool).await?,
        })
    }

    pub(crate) async fn texts(&self, sql: &str) -> Result<Vec<String>> {
        let query = AssertSqlSafe(sql.to_owned());
        Ok(match &self.pool {
            Pool::Sqlite(pool) => sqlx::query_scalar(query).fetch_all(pool).await?,
            Pool::Postgres(pool) => sqlx::query_scalar(query).fetch_all(pool).await?,
        })
    }

    /// Waits until a query gives this number.
    pub(crate) async fn until(&self, sql: &str, number: i64) -> Result<()> {
        let reached = async {
            while self.int(sql).await? != number {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            Ok(())
        };
        super::soon(sql, reached).await?
    }

    /// How much it is.
    pub(crate) async fn size(&self) -> Result<String> {
        let bytes = match &self.pool {
            Pool::Sqlite(_) => {
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            }
            Pool::Postgres(_) => "SELECT pg_database_size(current_database())",
        };
        Ok(format!("{:.1} GB", self.int(bytes).await? as f64 / 1e9))
    }
}
