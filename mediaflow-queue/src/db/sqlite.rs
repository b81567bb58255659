use std::path::{Path, PathBuf};
use std::time::Duration;

use mediaflow_core::{Error, Result, codes};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

use super::query::STATEMENTS;
use super::{failed, query};

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

/// How long the log of the file may stay: with every restart from its beginning it is cut to this. SQLite itself begins to
/// empty it at 4 MB.
const LOG: u64 = 16 << 20;

/// How much each connection that reads keeps of the file, in KiB: the system keeps all of it that is read often, for all of them
/// together, and a process does not grow with its file.
const READ: u32 = 512;

/// How long emptying the log waits for readers. Nobody writes meanwhile.
const EMPTYING: Duration = Duration::from_millis(100);

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
            .statement_cache_capacity(STATEMENTS)
            .pragma("journal_size_limit", LOG.to_string());
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
            .connect_with(options.clone().pragma("cache_size", format!("-{READ}")))
            .await
            .map_err(|e| placed(failed(e)))?;
        check_writable(&options).await.map_err(placed)?;
        Ok(Self { write, read, path: path.to_owned() })
    }

    /// A connection of its own.
    pub(super) async fn connection(&self) -> Result<SqliteConnection> {
        let options = (*self.write.connect_options()).clone();
        SqliteConnection::connect_with(&options).await.map_err(failed)
    }

    /// Empties the log if it has grown: while somebody reads, it can not be begun anew, and then stays as long as the
    /// burst has made it.
    pub(crate) async fn shrink_log(&self) -> Result<()> {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        if std::fs::metadata(log).map_or(0, |log| log.len()) <= LOG {
            return Ok(());
        }
        let options = (*self.write.connect_options()).clone().busy_timeout(EMPTYING);
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
        // It answers whether somebody was in the way: then it is done at the next time.
        let emptied = query::sqlite::rows(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)", &[]);
        emptied.await?;
        connection.close().await.map_err(failed)
    }
}

/// Whether the file can be written. Without the right to, it can be opened and read all the same while somebody else works with
/// it.
async fn check_writable(options: &SqliteConnectOptions) -> Result<()> {
    let options = options.clone().busy_timeout(EMPTYING);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    // Nothing is written; but only a statement that would do so is refused.
    let write = "BEGIN IMMEDIATE; CREATE TABLE mediaflow_writable (one INTEGER); ROLLBACK";
    let written = sqlx::raw_sql(write).execute(&mut connection).await;
    connection.close().await.map_err(failed)?;
    match written.map_err(failed) {
        Err(error) if error.code() == codes::QUEUE_READ_ONLY => Err(error),
        // That somebody else writes at this moment is waited for by whoever wants to write.
        _ => Ok(()),
    }
}
