//! The tables as a stranger sees them.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::Backing;

#[derive(Clone, Debug)]
pub(super) enum Look {
    Sqlite(sqlx::SqlitePool),
    Postgres(sqlx::PgPool),
}

/// How long the database may be away.
const PATIENCE: Duration = Duration::from_secs(30);

impl Look {
    pub(super) fn at(backing: Backing, url: &str) -> Self {
        match backing {
            Backing::Sqlite => {
                let options = url.parse::<sqlx::sqlite::SqliteConnectOptions>().unwrap();
                let options = options.busy_timeout(PATIENCE);
                let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
                Self::Sqlite(pool.connect_lazy_with(options))
            }
            Backing::Postgres => {
                let pool = sqlx::postgres::PgPoolOptions::new().max_connections(2);
                let options = url.parse::<sqlx::postgres::PgConnectOptions>().unwrap();
                // Where our tables are, and where River's are.
                let options = options.options([("search_path", "public,mediaflow_river")]);
                Self::Postgres(pool.connect_lazy_with(options))
            }
        }
    }

    async fn once(&self, sql: &str) -> sqlx::Result<Vec<Vec<String>>> {
        let sql = AssertSqlSafe(sql.to_owned());
        macro_rules! texts {
            ($pool:expr) => {
                sqlx::query(sql)
                    .fetch_all($pool)
                    .await?
                    .iter()
                    .map(|row| {
                        let text =
                            |i| row.try_get::<Option<String>, _>(i).map(Option::unwrap_or_default);
                        (0..row.len()).map(text).collect()
                    })
                    .collect()
            };
        }
        match self {
            Self::Sqlite(pool) => texts!(pool),
            Self::Postgres(pool) => texts!(pool),
        }
    }

    /// What a query of texts finds. Waits while the database is away.
    pub(super) async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        super::eventually("answer of the database", PATIENCE, async || match self.once(sql).await {
            Ok(rows) => Some(rows),
            Err(sqlx::Error::Database(e))
                if e.code().is_some_and(|c| c.starts_with("42") || c == "1") =>
            {
                panic!("{sql}: {e}")
            }
            Err(_) => None,
        })
        .await
    }

    /// One column.
    pub(super) async fn texts(&self, sql: &str) -> Vec<String> {
        self.rows(sql).await.into_iter().filter_map(|row| row.into_iter().next()).collect()
    }

    pub(super) async fn count(&self, sql: &str) -> usize {
        let sql = format!("SELECT CAST(count(*) AS TEXT) FROM {sql}");
        self.texts(&sql).await[0].parse().unwrap()
    }

    /// Whether somebody holds the lock of the SQLite file, and keeps it.
    pub(super) async fn is_locked(&self) -> bool {
        let Self::Sqlite(pool) = self else { return false };
        let options = (*pool.connect_options()).clone().busy_timeout(Duration::from_millis(500));
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        let taken = sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await;
        connection.close().await.unwrap();
        taken.is_err()
    }
}
