//! Where the databases are: files on the disk of the build directory, or a private server.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use mediaflow::queue::testing::PrivatePostgres;
use mediaflow::queue::{Postgres, Queue, Sqlite};

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
