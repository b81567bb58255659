//! Builds of different versions work on one database at once: during a deploy, and when it is taken back.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;
#[path = "mixed_versions/load.rs"]
mod load;

use std::process::Stdio;
use std::time::{Duration, Instant};

use database::{Database, builder, shut, work};
use load::{a_newer_build_takes_over_under_load, an_older_build_takes_over_under_load};
use mediaflow_core::report::JobState;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{FakeBackend, soon};
use mediaflow_core::{ErrorKind, Mediaflow};
use mediaflow_queue::Queue;

on_both! {
    a_newer_build_takes_over_under_load
    an_older_build_takes_over_under_load
    an_older_process_goes_on_when_a_newer_one_migrates_under_it
    an_older_process_starts_on_newer_tables
    tables_that_an_older_process_can_not_use_are_refused
    a_broken_migration_is_finished
    a_killed_migration_is_finished
    many_that_start_at_once_migrate_once
    tables_from_before_there_was_compatibility_are_brought_up_to_date
}

/// What a newer build changes: quickly, in a transaction, and slowly, outside of one.
const FURTHER: &str = "
ALTER TABLE mediaflow_jobs ADD COLUMN colour TEXT;
CREATE TABLE mediaflow_colours (id {serial}, name TEXT NOT NULL);
-- online
CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_jobs_colour ON mediaflow_jobs (colour);
UPDATE mediaflow_jobs SET colour = 'grey' WHERE id IN (SELECT id FROM mediaflow_jobs WHERE colour IS NULL LIMIT 3);
";

const INDEX: &str = "CREATE INDEX CONCURRENTLY IF NOT EXISTS mediaflow_jobs_colour";

fn newer(queue: Queue) -> Queue {
    queue.further_migration(true, FURTHER)
}

async fn start(queue: Queue) -> Mediaflow {
    builder(queue, &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .start()
        .await
        .unwrap()
}

/// Jobs that are under way while something else happens.
async fn under_load<T>(media: &Mediaflow, prefix: &str, what: impl Future<Output = T>) -> T {
    let load = async {
        let mut jobs = Vec::new();
        for number in 0..40 {
            jobs.push(media.submit(work(&format!("{prefix}-{number}"))).await.unwrap());
        }
        for job in jobs {
            assert_eq!(soon("end", job.ended()).await.unwrap().state, JobState::Succeeded);
        }
    };
    tokio::join!(what, load).0
}

/// The versions of the tables, with the oldest build that each is for, and whether all was done.
async fn versions(database: &Database) -> Vec<String> {
    let find = "SELECT CAST(version AS TEXT) || ' from ' || CAST(compatible_from AS TEXT)
           || CASE WHEN finished_at IS NULL THEN ' unfinished' ELSE '' END
         FROM mediaflow_schema ORDER BY version";
    database.texts(find).await
}

/// The version of this build.
async fn today(database: &Database) -> i64 {
    database.int("SELECT max(version) FROM mediaflow_schema").await
}

async fn is_indexed(database: &Database) -> bool {
    let find = match database {
        Database::Sqlite { .. } => {
            "SELECT count(*) FROM sqlite_master WHERE name = 'mediaflow_jobs_colour'"
        }
        Database::Postgres { .. } => {
            "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('mediaflow_jobs_colour') AND indisvalid"
        }
    };
    database.int(find).await == 1
}

async fn all_ended_once(database: &Database) {
    let jobs = database.int("SELECT count(*) FROM mediaflow_jobs").await;
    let ends = "SELECT count(*) FROM mediaflow_events WHERE kind = 'job.completed'";
    assert_eq!(database.int(ends).await, jobs);
    let ended = "SELECT count(*) FROM mediaflow_jobs WHERE state = 'succeeded'";
    assert_eq!(database.int(ended).await, jobs);
}

async fn an_older_process_goes_on_when_a_newer_one_migrates_under_it(database: Database) {
    let older = start(database.queue()).await;
    let before = today(&database).await;
    let newer = under_load(&older, "during", start(newer(database.queue()))).await;
    let last = versions(&database).await.pop().unwrap();
    assert_eq!(last, format!("{} from {before}", before + 1));
    assert!(is_indexed(&database).await);

    under_load(&older, "older", under_load(&newer, "newer", async {})).await;
    all_ended_once(&database).await;
    // What both have written has gone through the step that was done online, or came after it.
    assert!(database.int("SELECT count(*) FROM mediaflow_jobs WHERE colour = 'grey'").await <= 120);
    // The release is taken back.
    shut(newer).await;
    under_load(&older, "again", async {}).await;
    shut(older).await;
    let older = start(database.queue()).await;
    under_load(&older, "restarted", async {}).await;
    all_ended_once(&database).await;
    shut(older).await;
}

async fn an_older_process_starts_on_newer_tables(database: Database) {
    let newer = start(newer(database.queue())).await;
    let older = under_load(&newer, "during", start(database.queue())).await;
    under_load(&older, "older", under_load(&newer, "newer", async {})).await;
    // One of the older build is the only one left, and is replaced by another.
    shut(newer).await;
    under_load(&older, "alone", async {}).await;
    shut(older).await;
    let older = start(database.queue()).await;
    under_load(&older, "restarted", async {}).await;
    all_ended_once(&database).await;
    shut(older).await;
}

async fn tables_that_an_older_process_can_not_use_are_refused(database: Database) {
    let queue = database.queue().further_migration(false, "CREATE TABLE mediaflow_new (id TEXT)");
    shut(start(queue.clone()).await).await;
    let found = versions(&database).await;
    let today = today(&database).await;

    let refused = builder(database.queue(), &FakeBackend::new()).start().await;
    let error = refused.expect_err("tables of tomorrow");
    assert_eq!((error.code(), error.kind()), ("queue.newer_schema", ErrorKind::Unsupported));
    let facts = [("found", today), ("needed", today), ("understood", today - 1)];
    for (fact, version) in facts {
        assert_eq!(error.fact(fact), Some(version.to_string().as_str()), "{error:?}");
    }
    assert!(error.to_string().contains("update this process"), "{error}");
    assert_eq!(versions(&database).await, found);
}

/// The process that has migrated was killed between its steps, and on PostgreSQL in the middle of building an index.
async fn a_broken_migration_is_finished(database: Database) {
    let older = start(database.queue()).await;
    under_load(&older, "before", async {}).await;
    let before = today(&database).await;
    database.run("ALTER TABLE mediaflow_jobs ADD COLUMN colour TEXT").await;
    let note = format!(
        "INSERT INTO mediaflow_schema (version, applied_at, compatible_from) VALUES ({}, 1, {before})",
        before + 1
    );
    database.run(&note).await;
    if matches!(database, Database::Postgres { .. }) {
        // A unique index over what is not unique is left as it is after any other failure: there, and of no use.
        let unique = INDEX.replace("INDEX", "UNIQUE INDEX");
        database.run("UPDATE mediaflow_jobs SET colour = 'red'").await;
        database.fails(&format!("{unique} ON mediaflow_jobs (colour)")).await;
        database.run("UPDATE mediaflow_jobs SET colour = NULL").await;
        assert!(!is_indexed(&database).await);
    }
    let last = versions(&database).await.pop().unwrap();
    assert_eq!(last, format!("{} from {before} unfinished", before + 1));

    // Nothing of it is an older process's to finish.
    shut(older).await;
    shut(start(database.queue()).await).await;
    assert!(!is_indexed(&database).await);
    let newer = start(newer(database.queue())).await;
    assert!(is_indexed(&database).await);
    let last = versions(&database).await.pop().unwrap();
    assert_eq!(last, format!("{} from {before}", before + 1));
    let colourless = "SELECT count(*) FROM mediaflow_jobs WHERE colour IS NULL";
    assert_eq!(database.int(colourless).await, 0, "three at a time, until none is left");
    shut(newer).await;
}

async fn a_killed_migration_is_finished(database: Database) {
    shut(start(database.queue()).await).await;
    let before = today(&database).await;
    for failpoint in ["migration.applied", "migration.online"] {
        let killed = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process_that_is_killed"])
            .env(DATABASE, database.address())
            .env("MEDIAFLOW_FAILPOINT", failpoint)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status();
        let status = soon("death of the process", killed).await.unwrap();
        assert!(!status.success(), "{failpoint} was not reached");
        let last = versions(&database).await.pop().unwrap();
        assert_eq!(last, format!("{} from {before} unfinished", before + 1), "{failpoint}");
    }
    let newer = start(newer(database.queue())).await;
    assert!(is_indexed(&database).await);
    let last = versions(&database).await.pop().unwrap();
    assert_eq!(last, format!("{} from {before}", before + 1));
    under_load(&newer, "after", async {}).await;
    shut(newer).await;
}

const DATABASE: &str = "MEDIAFLOW_MIGRATED_DATABASE";

/// Nothing but what the test before it starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_is_killed() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    start(newer(Database::queue_at(&database))).await;
}

async fn many_that_start_at_once_migrate_once(database: Database) {
    let starts = (0..6).map(|number| {
        let queue = database.queue();
        start(if number % 2 == 0 { newer(queue) } else { queue })
    });
    let started = soon("starts", futures_util::future::join_all(starts)).await;
    assert!(is_indexed(&database).await);
    assert!(!versions(&database).await.iter().any(|version| version.contains("unfinished")));
    for media in started {
        shut(media).await;
    }
}

/// Who waits for another process's migration waits for as long as that takes, whatever limits the user has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_waits_for_a_migration_does_not_time_out() {
    let database = Database::postgres("a_long_migration").await;
    let Database::Postgres { pool, .. } = &database else { panic!("it is a server") };
    let name = database.texts("SELECT CAST(current_database() AS TEXT)").await.remove(0);
    for limit in ["statement_timeout", "lock_timeout"] {
        database.run(&format!("ALTER DATABASE {name} SET {limit} = '500ms'")).await;
    }
    // The lock that a process holds which changes the tables: "mediaflo" in ASCII.
    let mut other = pool.acquire().await.unwrap();
    let lock = format!("SELECT pg_advisory_lock({})", 0x6d65_6469_6166_6c6f_i64);
    sqlx::query(sqlx::AssertSqlSafe(lock.clone())).execute(&mut *other).await.unwrap();
    let waiting = tokio::spawn(start(newer(database.queue())));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!waiting.is_finished());
    let unlock = lock.replace("advisory_lock", "advisory_unlock");
    sqlx::query(sqlx::AssertSqlSafe(unlock)).execute(&mut *other).await.unwrap();
    let media = soon("start", waiting).await.unwrap();
    assert!(is_indexed(&database).await);
    shut(media).await;
}

/// A transaction of the host's that stays open keeps the tables as they are, and nobody from working on them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_waits_for_a_host_holds_up_nobody_else() {
    let database = Database::postgres("an_open_host").await;
    let older = start(database.queue()).await;
    let queue = database.queue();
    let host = builder(queue.clone(), &FakeBackend::new());
    let host = host.storage_with("out", MemoryStorage::new()).submit_only().start().await.unwrap();
    let open = database.submit_in(&queue, [work("host")]).await;
    let opening = tokio::spawn(start(newer(database.queue())));
    let waiting =
        "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted";
    database.until(waiting, 1).await;

    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    while began.elapsed() < Duration::from_secs(10) {
        let submitted = Instant::now();
        let job = older.submit(work("meanwhile")).await.unwrap();
        assert_eq!(soon("end", job.ended()).await.unwrap().state, JobState::Succeeded);
        longest = longest.max(submitted.elapsed());
    }
    // A submission and an end each meet the migration once, if all goes badly.
    assert!(longest < Duration::from_secs(4), "a job took {longest:?}");
    assert!(!opening.is_finished());
    let colour = "SELECT count(*) FROM pg_attribute
        WHERE attrelid = to_regclass('mediaflow_jobs') AND attname = 'colour'";
    assert_eq!(database.int(colour).await, 0);

    open.commit().await;
    let newer = soon("start", opening).await.unwrap();
    assert!(is_indexed(&database).await);
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE ended_at IS NULL", 0).await;
    all_ended_once(&database).await;
    for media in [older, host, newer] {
        shut(media).await;
    }
}

async fn tables_from_before_there_was_compatibility_are_brought_up_to_date(database: Database) {
    let media = start(database.queue()).await;
    under_load(&media, "before", async {}).await;
    shut(media).await;
    let today = versions(&database).await;
    for column in ["compatible_from", "finished_at"] {
        database.run(&format!("ALTER TABLE mediaflow_schema DROP COLUMN {column}")).await;
    }
    // They are for builds of their version, and none that is older.
    database.run("INSERT INTO mediaflow_schema (version, applied_at) VALUES (99, 0)").await;
    let refused = builder(database.queue(), &FakeBackend::new()).start().await;
    let error = refused.expect_err("tables of a far future");
    assert_eq!(error.fact("needed"), Some("99"));
    database.run("DELETE FROM mediaflow_schema WHERE version = 99").await;

    let newer = start(newer(database.queue())).await;
    under_load(&newer, "after", async {}).await;
    // What was written before there were these columns is for nobody else.
    let numbers = |all: &[String]| {
        all.iter().filter_map(|one| one.split(' ').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&versions(&database).await[..today.len()]), numbers(&today));
    shut(newer).await;
    soon("start of an older build", async { shut(start(database.queue()).await).await }).await;
    all_ended_once(&database).await;
}
