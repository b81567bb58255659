//! Where the databases are: files on the disk of the build directory, or a private server.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use mediaflow::queue::testing::PrivatePostgres;
use mediaflow::queue::{Postgres, Queue, Sqlite};
use sqlx::Connection as _;

use super::Result;

/// One kind of database, and fresh ones of it. Dropping it removes them.
#[derive(Debug)]
pub(crate) enum Site {
    Sqlite { folder: tempfile::TempDir, made: AtomicU32 },
    Postgres(PrivatePostgres),
}

impl Site {
    pub(crate) fn sqlite() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("bench-jobs-").tempdir_in(disk()?)?;
        Ok(Self::Sqlite { folder, made: AtomicU32::new(0) })
    }

    pub(crate) async fn postgres() -> Result<Self> {
        Ok(Self::Postgres(PrivatePostgres::start().await?))
    }

    /// A server that takes so many connections.
    pub(crate) async fn postgres_for(connections: u32) -> Result<Self> {
        let server = PrivatePostgres::builder().set("max_connections", &connections.to_string());
        Ok(Self::Postgres(server.start().await?))
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// A database in which nothing is yet.
    pub(crate) async fn fresh(&self) -> Result<Place> {
        Ok(match self {
            Self::Sqlite { folder, made } => {
                let number = made.fetch_add(1, Ordering::Relaxed);
                Place::Sqlite(folder.path().join(format!("{number}.db")))
            }
            Self::Postgres(server) => Place::Postgres(server.database("bench").await?),
        })
    }
}

/// A folder on the disk that this program was built on: the temporary folder of a system can be memory.
pub(crate) fn disk() -> Result<PathBuf> {
    let mut program = std::env::current_exe()?;
    program.pop();
    Ok(program)
}

/// One database.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Place {
    pub(crate) fn queue(&self) -> Queue {
        match self {
            Self::Sqlite(path) => Sqlite::open(path),
            Self::Postgres(url) => Postgres::connect(url),
        }
    }

    /// How many bytes the database has written to its log so far.
    pub(crate) async fn logged(&self) -> Result<f64> {
        match self {
            Self::Sqlite(path) => {
                let log = path.with_extension("db-wal");
                Ok(std::fs::metadata(log).map_or(0, |log| log.len()) as f64)
            }
            Self::Postgres(_) => {
                self.number("SELECT (pg_current_wal_insert_lsn() - '0/0')::double precision").await
            }
        }
    }

    /// How many transactions were committed on a server so far.
    pub(crate) async fn transactions(&self) -> Result<f64> {
        let count = "SELECT xact_commit::double precision FROM pg_stat_database WHERE datname = current_database()";
        self.number(count).await
    }

    async fn number(&self, sql: &'static str) -> Result<f64> {
        let mut connection = sqlx::PgConnection::connect(&self.word()).await?;
        let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(number)
    }

    /// As one argument of a command.
    pub(crate) fn word(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(url) => url.clone(),
        }
    }

    pub(crate) fn parse(word: &str) -> Self {
        if word.starts_with("postgres://") {
            Self::Postgres(word.to_owned())
        } else {
            Self::Sqlite(word.into())
        }
    }
}
