use std::path::{Path, PathBuf};
use std::time::Duration;

use mediaflow_core::{Error, Result};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqlitePool};

use super::failed;

/// One file: a single connection that writes, so that writers wait in a fair queue instead of in SQLite's back-off,
/// and some that read meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Sqlite {
    pub(crate) write: SqlitePool,
    pub(crate) read: SqlitePool,
    pub(crate) path: PathBuf,
}

/// How long a foreign process may hold the lock before a write fails (and is tried again).
const BUSY: Duration = Duration::from_secs(30);

impl Sqlite {
    pub(super) async fn open(path: &Path) -> Result<Self> {
        let placed = |e: Error| e.with("file", path.display());
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A job that was accepted survives a power cut, not only the end of the process.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .statement_cache_capacity(200);
        let forever = |pool: SqlitePoolOptions| {
            pool.idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                // SQLite itself undoes a transaction for which the disk has no room, or which it can not read. A
                // connection that still believes to be in it could never begin another.
                .before_acquire(|connection, _| {
                    Box::pin(async { Ok(!connection.is_in_transaction()) })
                })
                .acquire_timeout(2 * BUSY)
        };
        let write = forever(SqlitePoolOptions::new().max_connections(1))
            .connect_with(options.clone())
            .await
            .map_err(|e| placed(failed(e)))?;
        let read = forever(SqlitePoolOptions::new().max_connections(4))
            .connect_with(options)
            .await
            .map_err(|e| placed(failed(e)))?;
        Ok(Self { write, read, path: path.to_owned() })
    }
}
