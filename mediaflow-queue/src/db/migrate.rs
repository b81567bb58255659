use mediaflow_core::{Error, Result};
use sqlx::AssertSqlSafe;

use super::{Db, Tx, migration_lock, values};

/// Our migrations, the oldest first. One that was released never changes.
const MIGRATIONS: &[&str] = &[include_str!("schema/0001.sql"), include_str!("schema/0002.sql")];

impl Db {
    /// Makes the tables, or brings them to today's version. Processes that start together take turns.
    pub(crate) async fn migrate(&self) -> Result<()> {
        run(self).await
    }
}

async fn run(db: &Db) -> Result<()> {
    let stored = version(db).await?;
    let today = MIGRATIONS.len() as i64;
    if stored > today {
        return Err(Error::unsupported(
            "queue.newer_schema",
            "a newer mediaflow has made these tables",
        )
        .with("found", stored)
        .with("understood", today)
        .help("update this process; nothing was changed"));
    }
    let _lock = migration_lock::take(db).await?;
    river(db).await?;
    let mut transaction = db.begin().await?;
    let mut tx = transaction.tx();
    tx.run(
        "CREATE TABLE IF NOT EXISTS mediaflow_schema (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)",
        &[],
    )
    .await?;
    // Looked at again: another process may have had the lock meanwhile.
    let stored =
        tx.row("SELECT coalesce(max(version), 0) AS version FROM mediaflow_schema", &[]).await?;
    let stored = stored.map(|row| row.int("version")).transpose()?.unwrap_or(0);
    for (number, migration) in (1..).zip(MIGRATIONS).skip_while(|(number, _)| *number <= stored) {
        for statement in statements(migration, &tx) {
            tx.run(AssertSqlSafe(statement), &[]).await?;
        }
        let now = mediaflow_core::Timestamp::from(std::time::SystemTime::now());
        tx.run(
            "INSERT INTO mediaflow_schema (version, applied_at) VALUES ($1, $2)",
            values![number, now],
        )
        .await?;
    }
    transaction.commit().await
}

/// The version of our tables; 0 if there are none.
async fn version(db: &Db) -> Result<i64> {
    let there = match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(_) => db
            .row("SELECT 1 FROM sqlite_master WHERE name = 'mediaflow_schema'", &[])
            .await?
            .is_some(),
        #[cfg(feature = "postgres")]
        Db::Postgres(_) => db
            .row("SELECT 1 WHERE to_regclass('mediaflow_schema') IS NOT NULL", &[])
            .await?
            .is_some(),
    };
    if !there {
        return Ok(0);
    }
    let row =
        db.row("SELECT coalesce(max(version), 0) AS version FROM mediaflow_schema", &[]).await?;
    row.map_or(Ok(0), |row| row.int("version"))
}

async fn river(db: &Db) -> Result<()> {
    let migrated = match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(db) => {
            riverqueue::migrate::SqliteMigrator::new(db.write.clone()).migrate_up().await
        }
        #[cfg(feature = "postgres")]
        Db::Postgres(pool) => {
            riverqueue::migrate::PostgresMigrator::new(pool.clone()).migrate_up().await
        }
    };
    migrated.map(drop).map_err(|e| match e {
        riverqueue::migrate::Error::Database(e) => super::failed(e),
        e => {
            Error::internal("queue.schema", "River's tables can not be brought to today's version")
                .because(e)
        }
    })
}

/// The statements of a migration, in this database's words. No statement of ours has a semicolon inside.
fn statements(migration: &str, tx: &Tx<'_, '_>) -> Vec<String> {
    let serial = match tx {
        #[cfg(feature = "sqlite")]
        Tx::Sqlite(_) => "INTEGER PRIMARY KEY AUTOINCREMENT",
        #[cfg(feature = "postgres")]
        Tx::Postgres(_) => "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    };
    let code: String = migration
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let code = code.replace("{serial}", serial);
    code.split(';').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
}
