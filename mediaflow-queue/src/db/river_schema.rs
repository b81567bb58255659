//! Where River's tables are: on SQLite beside ours in the file, on PostgreSQL in a schema of their own.
//!
//! River's leader looks after all rows of its tables, whoever has queued them: it rescues what runs for long, and deletes
//! what has ended, as its own client was told to. So nobody else's jobs may be among ours.

use mediaflow_core::{Error, Result, codes};
use sqlx::AssertSqlSafe;

use super::migration_lock::MigrationLock;
#[cfg(feature = "postgres")]
use super::river::kinds;
#[cfg(feature = "postgres")]
use super::values;
use super::{Db, distinct};

/// Refuses tables of River that somebody else works with.
pub(super) async fn refuse_foreign(db: &Db) -> Result<()> {
    let (jobs, queues) = (db.river_name("river_job"), db.river_name("river_queue"));
    for (table, found, find) in [
        (
            "river_job",
            "kind",
            format!(
                "{} SELECT value AS name FROM found WHERE value NOT LIKE 'mediaflow.%' LIMIT 1",
                distinct(&jobs, "kind", "TRUE")
            ),
        ),
        (
            "river_queue",
            "queue",
            format!("SELECT name FROM {queues} WHERE name NOT LIKE 'mediaflow%' LIMIT 1"),
        ),
    ] {
        if !db.has_river_table(table).await? {
            continue;
        }
        if let Some(row) = db.row(AssertSqlSafe(find), &[]).await? {
            return Err(foreign(db, found, row.text("name")?));
        }
    }
    Ok(())
}

fn foreign(db: &Db, found: &'static str, name: String) -> Error {
    let error = Error::input(
        codes::QUEUE_FOREIGN_JOBS,
        "River's tables here hold the jobs of somebody else",
    )
    .with(found, name);
    match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(_) => error.help(
            "the two would delete each other's jobs: give mediaflow a file of its own; nothing was changed",
        ),
        #[cfg(feature = "postgres")]
        Db::Postgres(db) => error.with("schema", &db.river).help(
            "the two would delete each other's jobs: name a schema of its own with `Queue::river_schema`; nothing was changed",
        ),
    }
}

/// Refuses to move River's tables away from processes that are at work on them: they would take what they do not find there
/// for lost.
pub(super) async fn refuse_earlier(db: &Db) -> Result<()> {
    match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(_) => Ok(()),
        #[cfg(feature = "postgres")]
        Db::Postgres(_) => of_postgres::refuse_earlier(db).await,
    }
}

/// Whether River's tables are of today's version, and nothing is left of an earlier layout.
pub(super) async fn ready(db: &Db) -> Result<bool> {
    match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(db) => {
            let migrator = riverqueue::migrate::SqliteMigrator::new(db.write.clone());
            migrator.validate(None).await.map(|found| found.is_valid()).map_err(failed)
        }
        #[cfg(feature = "postgres")]
        Db::Postgres(postgres) => of_postgres::ready(db, postgres).await,
    }
}

/// Makes River's tables or brings them to today's version, and moves what is left of an earlier layout.
pub(super) async fn prepare(
    db: &Db,
    #[cfg_attr(not(feature = "postgres"), expect(unused_variables, reason = "nothing is moved"))]
    lock: &mut MigrationLock,
) -> Result<()> {
    match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(db) => {
            let migrator = riverqueue::migrate::SqliteMigrator::new(db.write.clone());
            migrator.migrate_up().await.map(drop).map_err(failed)
        }
        #[cfg(feature = "postgres")]
        Db::Postgres(postgres) => of_postgres::prepare(db, postgres, lock).await,
    }
}

fn failed(error: riverqueue::migrate::Error) -> Error {
    match error {
        riverqueue::migrate::Error::Database(error) => super::failed(error),
        error => Error::internal(
            codes::QUEUE_SCHEMA,
            "River's tables can not be brought to today's version",
        )
        .because(error),
    }
}

#[cfg(feature = "postgres")]
mod of_postgres {
    use riverqueue::database::SchemaName;
    use riverqueue::migrate::PostgresMigrator;

    use super::{AssertSqlSafe, Db, Error, MigrationLock, Result, codes, failed, kinds, values};
    use crate::db::migration_lock::{IN_THE_WAY, Turns};
    use crate::db::postgres::Postgres;

    /// A job is known to River by a number, and a new schema counts anew. So far apart are its numbers from those that
    /// were given out elsewhere, and may still be by processes of an earlier layout.
    const APART: i64 = 1_000_000_000;

    /// A table of ours among River's: which tables of ours they belong to. Two mediaflows in one database would give away
    /// each other's jobs.
    /// The queues that there were before River had a schema of its own.
    const EARLIER: [&str; 2] = ["mediaflow_image", "mediaflow_video"];

    const OWNER: &str = "mediaflow_owner";

    /// Indexes of what a job is given and of its metadata: for lists by these, which nobody asks for here. River's own client
    /// goes by number, state, queue and kind; and each row would be entered into both anew whenever its state changes.
    const UNASKED: [&str; 2] = ["river_job_args_index", "river_job_metadata_index"];

    /// The schema that a table of this name is found in.
    const SCHEMA_OF: &str = "SELECT CAST(n.nspname AS TEXT) AS name FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = to_regclass($1) AND has_table_privilege(c.oid, 'SELECT')";

    /// How old a worker's sign of life is that may not come again.
    const SILENT: i64 = 60_000;

    pub(super) async fn refuse_earlier(db: &Db) -> Result<()> {
        let known = db.has_river_table(OWNER).await?
            || db.row(SCHEMA_OF, values!["mediaflow_workers"]).await?.is_none();
        let Some(earlier) = Earlier::find(db).await?.filter(|_| !known) else { return Ok(()) };
        if db.row(AssertSqlSafe(earlier.any()), &[]).await?.is_none() {
            return Ok(());
        }
        let alive = format!(
            "SELECT host FROM mediaflow_workers WHERE beat_at > {} - $1 LIMIT 1",
            db.clock()
        );
        let Some(row) = db.row(AssertSqlSafe(alive), values![SILENT]).await? else { return Ok(()) };
        Err(Error::transient(
            codes::QUEUE_EARLIER_WORKERS,
            "processes of an earlier version are at work, which do not know where River's tables go",
        )
        .with("host", row.text("host")?)
        .help("stop them, and start this again; a process that was killed counts as gone after a minute"))
    }

    pub(super) async fn ready(db: &Db, postgres: &Postgres) -> Result<bool> {
        let patient = postgres.patient(IN_THE_WAY);
        let migrator = PostgresMigrator::new(patient.clone()).with_schema(postgres.river.clone());
        let valid = migrator.validate(None).await.map(|found| found.is_valid()).map_err(failed);
        patient.close().await;
        if !valid? || !db.has_river_table(OWNER).await? {
            return Ok(false);
        }
        for index in UNASKED {
            if db.has_river_table(index).await? {
                return Ok(false);
            }
        }
        let owner = format!("SELECT tables FROM {}", db.river_name(OWNER));
        let owner = db.row(AssertSqlSafe(owner), &[]).await?;
        let owner = owner.map(|row| row.text("tables")).transpose()?;
        let ours = db.row(SCHEMA_OF, values!["mediaflow_jobs"]).await?;
        let ours = ours.map(|row| row.text("name")).transpose()?;
        if owner != ours {
            return Ok(false);
        }
        let Some(earlier) = Earlier::find(db).await? else { return Ok(true) };
        Ok(db.row(AssertSqlSafe(earlier.any()), &[]).await?.is_none())
    }

    pub(super) async fn prepare(
        db: &Db,
        postgres: &Postgres,
        lock: &mut MigrationLock,
    ) -> Result<()> {
        if let Some(schema) = postgres.river.as_deref() {
            // Looked for first: who may not make a schema may not even ask for one that is there.
            let find = "SELECT 1 AS one FROM pg_namespace WHERE nspname = $1";
            if lock.row(find, values![schema]).await?.is_none() {
                let name = postgres.river.quoted_identifier().unwrap_or_default();
                lock.run(AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {name}")), &[]).await?;
            }
        }
        migrate_river(postgres).await?;
        own(db, lock).await?;
        count_apart(db, lock).await?;
        match Earlier::find(db).await? {
            Some(earlier) => earlier.take_over(db, lock).await,
            None => Ok(()),
        }
    }

    /// River's own migrations, each of which is a transaction: as ours, they give way to others and are done again.
    async fn migrate_river(postgres: &Postgres) -> Result<()> {
        let patient = postgres.patient(IN_THE_WAY);
        let migrator = PostgresMigrator::new(patient.clone()).with_schema(postgres.river.clone());
        let mut turns = Turns::new();
        let unasked = UNASKED.map(|index| postgres.river.qualify(index)).join(", ");
        let drop_unasked = format!("DROP INDEX IF EXISTS {unasked}");
        let migrated = loop {
            let done = async {
                migrator.migrate_up().await.map_err(failed)?;
                let done = sqlx::raw_sql(AssertSqlSafe(&*drop_unasked)).execute(&patient).await;
                done.map_err(super::super::failed)
            };
            match done.await {
                Err(error) if Turns::passes(&error) => turns.wait(&error).await,
                done => break done.map(drop),
            }
        };
        patient.close().await;
        migrated
    }

    /// Notes that these tables of River belong to our tables, unless they belong to others.
    async fn own(db: &Db, lock: &mut MigrationLock) -> Result<()> {
        let owner = db.river_name(OWNER);
        let make = format!("CREATE TABLE IF NOT EXISTS {owner} (tables TEXT NOT NULL)");
        lock.run(AssertSqlSafe(make), &[]).await?;
        let ours = lock.row(SCHEMA_OF, values!["mediaflow_jobs"]).await?;
        let ours = ours.map(|row| row.text("name")).transpose()?.unwrap_or_default();
        // Tables that were renamed, or are gone, own nothing.
        let find = format!(
            "SELECT tables FROM {owner}
             WHERE tables <> $1 AND to_regclass(quote_ident(tables) || '.mediaflow_jobs') IS NOT NULL"
        );
        if let Some(other) = lock.row(AssertSqlSafe(find), values![&ours]).await? {
            let other = other.text("tables")?;
            return Err(Error::input(
                codes::QUEUE_RIVER_SCHEMA,
                "River's schema belongs to another mediaflow in this database",
            )
            .with("its_tables_are_in", other)
            .with("ours_are_in", ours)
            .help("name another one with `Queue::river_schema`"));
        }
        lock.begin().await?;
        lock.run(AssertSqlSafe(format!("DELETE FROM {owner}")), &[]).await?;
        let note = format!("INSERT INTO {owner} (tables) VALUES ($1)");
        lock.run(AssertSqlSafe(note), values![ours]).await?;
        lock.commit().await
    }

    /// Lets River count from where it can meet no number that one of our jobs has from elsewhere.
    async fn count_apart(db: &Db, lock: &mut MigrationLock) -> Result<()> {
        let numbers = db.river_name("river_job_id_seq");
        let apart = format!(
            "SELECT setval(to_regclass($1), given.most + $2) AS next FROM {numbers} AS numbers,
               (SELECT greatest((SELECT max(river) FROM mediaflow_jobs),
                                (SELECT max(river) FROM mediaflow_parts)) AS most) AS given
             WHERE numbers.last_value < given.most"
        );
        lock.rows(AssertSqlSafe(apart), values![&numbers, APART]).await.map(drop)
    }

    /// River's tables of an earlier layout, in which they stood beside ours, or beside the host's own jobs.
    struct Earlier {
        jobs: String,
        queues: String,
        /// Which of its jobs are ours.
        ours: String,
    }

    impl Earlier {
        async fn find(db: &Db) -> Result<Option<Self>> {
            let Some(found) = db.row(SCHEMA_OF, values!["river_job"]).await? else {
                return Ok(None);
            };
            let Ok(schema) = SchemaName::new(found.text("name")?) else { return Ok(None) };
            let (jobs, queues) = (schema.qualify("river_job"), schema.qualify("river_queue"));
            let ours = format!(
                "kind IN {} AND (finalized_at IS NOT NULL OR args ->> 'job' IN (SELECT id FROM mediaflow_jobs))",
                list(&kinds())
            );
            Ok((jobs != db.river_name("river_job")).then_some(Self { jobs, queues, ours }))
        }

        /// Finds something of ours, if anything is left.
        fn any(&self) -> String {
            let Self { jobs, queues, ours } = self;
            let names = list(&EARLIER);
            format!(
                "(SELECT 1 AS one FROM {jobs} WHERE {ours} LIMIT 1)
                 UNION ALL (SELECT 1 FROM {queues} WHERE name IN {names} LIMIT 1)"
            )
        }

        /// Moves what has not ended, under the numbers that it has, and deletes what has. A queue that was paused stays so.
        async fn take_over(&self, db: &Db, lock: &mut MigrationLock) -> Result<()> {
            let Self { jobs, queues, ours } = self;
            let (new_jobs, new_queues) = (db.river_name("river_job"), db.river_name("river_queue"));
            let (state, names) = (db.river_name("river_job_state"), list(&EARLIER));
            let columns = "attempt, max_attempts, attempted_at, created_at, scheduled_at, priority, args, \
                attempted_by, errors, kind, metadata, queue, tags";
            // In one statement: what a process of that layout queues meanwhile is not deleted unseen.
            let take = format!(
                "WITH taken AS (DELETE FROM {jobs} WHERE {ours} RETURNING *)
                 INSERT INTO {new_jobs} (id, state, {columns})
                 SELECT id, CAST(CAST(state AS TEXT) AS {state}), {columns} FROM taken WHERE finalized_at IS NULL"
            );
            let pauses = format!(
                "WITH taken AS (DELETE FROM {queues} WHERE name IN {names} RETURNING *)
                 INSERT INTO {new_queues} (name, created_at, metadata, paused_at, updated_at)
                 SELECT name, created_at, metadata, paused_at, updated_at FROM taken
                 ON CONFLICT (name) DO NOTHING"
            );
            // Looked for first: these tables may be the host's, and closed to us.
            if lock.row(AssertSqlSafe(self.any()), &[]).await?.is_none() {
                return Ok(());
            }
            lock.begin().await?;
            let taken = lock.run(AssertSqlSafe(take), &[]).await?;
            lock.run(AssertSqlSafe(pauses), &[]).await?;
            lock.commit().await?;
            tracing::info!(taken, from = jobs, to = new_jobs, "River has a schema of its own now");
            Ok(())
        }
    }

    fn list(names: &[&str]) -> String {
        format!("('{}')", names.join("', '"))
    }
}
