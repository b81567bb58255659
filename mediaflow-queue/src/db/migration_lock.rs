use mediaflow_core::Result;

use super::Db;

/// The right to change the tables, for one process at a time.
pub(super) enum MigrationLock {
    #[cfg(feature = "sqlite")]
    Sqlite(#[expect(dead_code, reason = "closing the file gives the lock back")] std::fs::File),
    #[cfg(feature = "postgres")]
    Postgres(#[expect(dead_code, reason = "rolling back gives the lock back")] super::Transaction),
}

/// "mediaflo" in ASCII: an advisory lock is known by a number.
#[cfg(feature = "postgres")]
const LOCK: i64 = 0x6d65_6469_6166_6c6f;

/// Waits until no other process is changing the tables. The lock ends when it is dropped.
pub(super) async fn take(db: &Db) -> Result<MigrationLock> {
    match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(db) => {
            let path = db.path.with_added_extension("lock");
            let locked = tokio::task::spawn_blocking(move || {
                let file = std::fs::File::options().create(true).append(true).open(path)?;
                file.lock().map(|()| file)
            });
            let file = locked.await.map_err(std::io::Error::other).and_then(|file| file);
            file.map(MigrationLock::Sqlite).map_err(|e| {
                mediaflow_core::Error::input(
                    "queue.open",
                    "the lock file beside the database can not be used",
                )
                .with("file", db.path.with_added_extension("lock").display())
                .help("the process must have the right to write in the folder of the database")
                .because(e)
            })
        }
        #[cfg(feature = "postgres")]
        Db::Postgres(_) => {
            let mut transaction = db.begin().await?;
            // It does nothing while the tables are changed, for as long as that takes.
            transaction.tx().run("SET LOCAL idle_in_transaction_session_timeout = 0", &[]).await?;
            // A transaction's lock goes with it, whatever happens to this process.
            transaction
                .tx()
                .rows("SELECT 1 AS one FROM pg_advisory_xact_lock($1)", super::values![LOCK])
                .await?;
            Ok(MigrationLock::Postgres(transaction))
        }
    }
}
