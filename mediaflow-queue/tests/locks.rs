//! Transactions that are in one another's way, and what becomes of those who wait.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::sync::Arc;
use std::time::{Duration, Instant};

use database::{Database, builder, many, shut, work};
use futures_util::future::join_all;
use mediaflow_core::report::JobState;
use mediaflow_core::spec::{JobOptions, JobSpec};
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Behaviour, FakeBackend, ManualClock, ScriptedNotifier, soon};
use mediaflow_core::{Builder, EventKind, Mediaflow};
use mediaflow_queue::Queue;
use mediaflow_queue::testing::PrivatePostgres;
use sqlx::AssertSqlSafe;

on_both! {
    crossed_batches_do_not_wait_for_one_another
    crossed_keys_do_not_wait_for_one_another
    a_key_without_time_never_gives_a_job_that_is_not_there
}

fn keyed(name: &str) -> JobSpec {
    work(name).with_options(JobOptions::new().idempotency_key(name))
}

/// How many deadlocks there have been.
async fn deadlocks(database: &Database) -> i64 {
    match database {
        Database::Sqlite { .. } => 0,
        Database::Postgres { .. } => {
            let count = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
            database.int(count).await
        }
    }
}

async fn crossed_batches_do_not_wait_for_one_another(database: Database) {
    let fake = FakeBackend::new();
    let names: Vec<_> = (0..24).map(|number| format!("job-{number}")).collect();
    names.iter().for_each(|name| fake.script(name, [Behaviour::Block]));
    let worker = || {
        builder(database.queue(), &fake)
            .storage_with("out", MemoryStorage::new())
            .places("image", 12)
    };
    let (one, two) = (worker().start().await.unwrap(), worker().start().await.unwrap());
    // Each job is in each of the batches.
    let mut batches = Vec::new();
    for turn in 0..6 {
        let mut jobs: Vec<_> = names.iter().map(|name| keyed(name)).collect();
        jobs.rotate_left(turn * 4);
        batches.push(one.eager(jobs).await.unwrap());
    }
    for name in &names {
        soon("beginning", fake.begun(name, 1)).await;
    }
    let released = Instant::now();
    fake.release();
    for batch in batches {
        assert_eq!(soon("batch", batch.done()).await.unwrap().state, JobState::Succeeded);
    }
    assert!(released.elapsed() < Duration::from_secs(10), "{:?}", released.elapsed());
    assert_eq!(deadlocks(&database).await, 0);
    let told = "SELECT count(*) FROM mediaflow_events WHERE kind = 'batch.completed'";
    assert_eq!(database.int(told).await, 6);
    shut(one).await;
    shut(two).await;
}

async fn crossed_keys_do_not_wait_for_one_another(database: Database) {
    let fake = FakeBackend::new();
    let client = || builder(database.queue(), &fake).storage_with("out", MemoryStorage::new());
    let (one, two) = (
        client().submit_only().start().await.unwrap(),
        client().submit_only().start().await.unwrap(),
    );
    for round in 0..10 {
        let names = (0..8).map(|number| format!("r{round}-{number}"));
        let jobs: Vec<_> = names.map(|name| keyed(&name)).collect();
        let crossed: Vec<_> = jobs.iter().rev().cloned().collect();
        let (first, second) = tokio::join!(one.eager(jobs), two.eager(crossed));
        let first: Vec<_> = first.unwrap().jobs().map(|job| job.id()).collect();
        let mut second: Vec<_> = second.unwrap().jobs().map(|job| job.id()).collect();
        second.reverse();
        assert_eq!(first, second);
    }
    assert_eq!(deadlocks(&database).await, 0);
    assert_eq!(database.int("SELECT count(*) FROM mediaflow_jobs").await, 80);
    shut(one).await;
    shut(two).await;
}

async fn a_key_without_time_never_gives_a_job_that_is_not_there(database: Database) {
    let fake = FakeBackend::new();
    let queue = database.queue().idempotency(Duration::ZERO);
    let client = builder(queue, &fake).storage_with("out", MemoryStorage::new());
    let client = client.submit_only().start().await.unwrap();
    for job in join_all((0..20).map(|_| client.submit(keyed("same")))).await {
        job.unwrap().status().await.expect("a job that was stored");
    }
    shut(client).await;
}

/// On SQLite there is one writer at a time, the host included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_a_host_holds_open_is_waited_for_by_nobody_else() {
    let database = Database::postgres("a_key_that_a_host_holds_open").await;
    let Database::Postgres { pool, .. } = &database else { panic!("a server") };
    let (queue, fake) = (database.queue(), FakeBackend::new());
    let media = builder(queue.clone(), &fake).storage_with("out", MemoryStorage::new());
    let media = media.start().await.unwrap();
    let mut host = pool.begin().await.unwrap();
    let held = queue.submit_in(&mut host, keyed("held")).await.unwrap();
    // More than there are connections.
    let same = join_all((0..24).map(|_| media.submit(keyed("held"))));
    let others = async {
        let began = Instant::now();
        for number in 0..20 {
            let name = format!("other-{number}");
            let job = media.submit(if number % 2 == 0 { keyed(&name) } else { work(&name) }).await;
            soon("success", job.unwrap().done()).await.unwrap();
        }
        let batch = media.eager([keyed("a"), work("b")]).await.unwrap();
        soon("batch", batch.done()).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        host.commit().await.unwrap();
    };
    let (same, ()) = tokio::join!(same, others);
    for same in same {
        assert_eq!(same.unwrap().id(), held, "one key, one job");
    }
    shut(media).await;
}

/// Somebody else is the first, and does not hold the key any more when it can be looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_lost_and_free_again_gives_a_job_that_is_there() {
    let database = Database::postgres("a_key_that_is_lost_and_free").await;
    let Database::Postgres { pool, .. } = &database else { panic!("a server") };
    let media = builder(database.queue(), &FakeBackend::new());
    let media =
        media.storage_with("out", MemoryStorage::new()).submit_only().start().await.unwrap();
    media.submit(work("other")).await.unwrap();
    let mut other = pool.begin().await.unwrap();
    let take = "UPDATE mediaflow_jobs SET idempotency_key = 'key', key_until = 0";
    sqlx::query(take).execute(&mut *other).await.unwrap();
    let commits = async {
        let waits = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        database.until(waits, 1).await;
        other.commit().await.unwrap();
    };
    let (job, ()) = tokio::join!(media.submit(keyed("key")), commits);
    job.unwrap().status().await.expect("a job that was stored");
    shut(media).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_needs_a_key_that_is_held_open_does_not_wait_for_ever() {
    let database = Database::postgres("whoever_needs_a_key_that_is_held").await;
    let Database::Postgres { pool, .. } = &database else { panic!("a server") };
    let queue = database.queue();
    let media = builder(queue.clone(), &FakeBackend::new());
    let media =
        media.storage_with("out", MemoryStorage::new()).submit_only().start().await.unwrap();
    let mut host = pool.begin().await.unwrap();
    queue.submit_in(&mut host, keyed("held")).await.unwrap();
    let error = soon("answer", media.submit(keyed("held"))).await.expect_err("it is held");
    assert_eq!(error.code(), "queue.conflict");
    host.rollback().await.unwrap();
    media.submit(keyed("held")).await.unwrap();
    shut(media).await;
}

/// Two ends of the same batches would wait for one another otherwise. On SQLite there is one writer at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_a_batch_holds_none_of_the_later_ones() {
    let database = Database::postgres("whoever_waits_for_a_batch").await;
    let Database::Postgres { pool, .. } = &database else { panic!("a server") };
    let fake = FakeBackend::new();
    fake.script("shared", [Behaviour::Block]);
    let media = builder(database.queue(), &fake).storage_with("out", MemoryStorage::new());
    let media = media.start().await.unwrap();
    let mut batches = Vec::new();
    for _ in 0..8 {
        batches.push(media.eager([keyed("shared")]).await.unwrap());
    }
    soon("beginning", fake.begun("shared", 1)).await;
    // They are found in another order than that of their ids.
    let turned = "WITH taken AS (DELETE FROM mediaflow_batch_jobs RETURNING *)
                  INSERT INTO mediaflow_batch_jobs SELECT * FROM taken ORDER BY batch DESC";
    assert_eq!(database.run(turned).await, 8);

    let mut host = pool.begin().await.unwrap();
    let first = batches.iter().map(|batch| batch.id()).min().unwrap();
    let hold = format!("SELECT 1 FROM mediaflow_batches WHERE id = '{first}' FOR UPDATE");
    sqlx::query(AssertSqlSafe(hold)).execute(&mut *host).await.unwrap();
    fake.release();
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    database.until(waits, 1).await;
    let later = "SELECT 1 FROM mediaflow_batches FOR UPDATE NOWAIT";
    let free = sqlx::query(later).execute(&mut *host).await.expect("the later ones are free");
    assert_eq!(free.rows_affected(), 8);
    host.rollback().await.unwrap();
    for batch in batches {
        assert_eq!(soon("batch", batch.done()).await.unwrap().state, JobState::Succeeded);
    }
    shut(media).await;
}
const WAITS: &str = "SELECT least(count(*), 1) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// A host's transaction that does not wait for long, with a lock.
async fn holding(database: &Database, lock: &str) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let Database::Postgres { pool, .. } = database else { panic!("a server") };
    let mut host = pool.begin().await.unwrap();
    sqlx::query("SET LOCAL lock_timeout = '200ms'").execute(&mut *host).await.unwrap();
    sqlx::query(AssertSqlSafe(lock.to_owned())).execute(&mut *host).await.unwrap();
    host
}

/// Whatever a database's own order of texts is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn destinations_are_locked_in_the_order_of_their_bytes() {
    let server = PrivatePostgres::shared().await.unwrap();
    let operator = sqlx::PgPool::connect(&server.url()).await.unwrap();
    let make =
        "CREATE DATABASE icu TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en'
                LC_COLLATE 'C' LC_CTYPE 'C'";
    let offered = "SELECT count(*) FROM pg_collation WHERE collprovider = 'i'";
    let offered: i64 = sqlx::query_scalar(offered).fetch_one(&operator).await.unwrap();
    if offered == 0 {
        return; // This server was built without other orders.
    }
    sqlx::query(make).execute(&operator).await.unwrap();
    let database = Database::postgres_at(server.url().replace("/postgres", "/icu")).await;
    let (first, second) = ("hooks h1:443", "hooks h:1000");
    assert!(first < second);
    let order = format!("SELECT CAST(CAST('{second}' < '{first}' AS INT) AS BIGINT)");
    assert_eq!(database.int(&order).await, 1, "another order than that of the bytes");

    let (clock, hooks) = (ManualClock::new(), ScriptedNotifier::new([EventKind::JobCreated]));
    let media = builder(database.queue(), &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .clock(Arc::new(clock.clone()))
        .notify(hooks.clone())
        .start()
        .await
        .unwrap();
    media.submit(work("told")).await.unwrap();
    hooks.told(1).await;
    for name in [first, second] {
        let add = "INSERT INTO mediaflow_destinations (destination, paused, probe_until) VALUES";
        database.run(&format!("{add} ('{name}', 1, 9000000000000000)")).await;
    }
    let row = |name| {
        format!("SELECT 1 FROM mediaflow_destinations WHERE destination = '{name}' FOR UPDATE")
    };
    let mut host = holding(&database, &row(second)).await;
    // Both run out at the same moment.
    let held = "due = 9000000000000, expires_at = 9000000000000";
    for name in [first, second] {
        let (_, origin) = name.split_once(' ').unwrap();
        database.message("job.created", origin, held).await;
    }
    database.run("UPDATE mediaflow_messages SET expires_at = 1 WHERE state = 'pending'").await;
    database.until(WAITS, 1).await;
    let skip = format!("{} SKIP LOCKED", row(first));
    let free = sqlx::query(AssertSqlSafe(skip)).fetch_all(&mut *host).await.unwrap().len();
    assert_eq!(free, 0, "the first one is locked before the second");
    host.rollback().await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'dead'", 2).await;
    shut(media).await;
}

/// Knows no operation.
fn ignorant(queue: Queue) -> Builder {
    Mediaflow::builder().engine(queue).storage_with("out", MemoryStorage::new()).places("image", 1)
}

/// Whoever parks a part waits for its job, and holds nothing that others need who have the job.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_is_parked_after_its_job_is_locked() {
    let database = Database::postgres("part_after_job").await;
    let fake = FakeBackend::new();
    (0..24).for_each(|number| fake.script(format!("{number:02}"), [Behaviour::Block]));
    let new = builder(database.queue(), &fake).storage_with("out", MemoryStorage::new());
    let new = new.places("image", 1).start().await.unwrap();
    let job = new.submit(many(24)).await.unwrap().id();
    database.until("SELECT count(*) FROM mediaflow_parts WHERE state = 'running'", 1).await;
    soon("shutdown", new.shutdown(Duration::from_millis(20))).await.unwrap();
    database.run("UPDATE mediaflow_jobs SET needs = NULL").await;

    let lock = format!("SELECT 1 FROM mediaflow_jobs WHERE id = '{job}' FOR UPDATE");
    let mut host = holding(&database, &lock).await;
    let old = ignorant(database.queue()).start().await.unwrap();
    database.until(WAITS, 1).await;
    let parts = "UPDATE mediaflow_parts SET progress = 0";
    sqlx::query(parts).execute(&mut *host).await.expect("nobody has a part without its job");
    host.commit().await.unwrap();
    let parts = database.int("SELECT count(*) FROM mediaflow_parts").await;
    database.until("SELECT count(*) FROM mediaflow_parts WHERE state = 'parked'", parts).await;
    shut(old).await;
}

/// A job that somebody has is left for later, with its row in River.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_workers_that_are_gone_is_parked_after_its_job_is_locked() {
    let database = Database::postgres("river_after_job").await;
    let fake = FakeBackend::new();
    let knowing = || builder(database.queue(), &fake).storage_with("out", MemoryStorage::new());
    let client = knowing().submit_only().start().await.unwrap();
    let old = ignorant(database.queue()).start().await.unwrap();
    let mut jobs = Vec::new();
    for name in ["a", "b", "c"] {
        fake.script(name, [Behaviour::Block]);
        jobs.push(client.submit(work(name)).await.unwrap().id());
    }
    let parked = "SELECT count(*) FROM mediaflow_jobs WHERE state = 'parked'";
    database.until(parked, 3).await;
    shut(old).await;
    let short = knowing().places("image", 1).start().await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE state = 'running'", 1).await;
    database.until(parked, 0).await;
    soon("shutdown", short.shutdown(Duration::from_millis(20))).await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE state = 'queued'", 3).await;

    let lock = format!("SELECT 1 FROM mediaflow_jobs WHERE id = '{}' FOR UPDATE", jobs[1]);
    let mut host = holding(&database, &lock).await;
    let old = ignorant(database.queue()).start().await.unwrap();
    database.until(parked, 2).await;
    let river = "UPDATE mediaflow_river.river_job SET priority = priority
                 WHERE id IN (SELECT river FROM mediaflow_jobs WHERE state = 'queued')";
    let rows = sqlx::query(river).execute(&mut *host).await.expect("nobody has River's row");
    assert_eq!(rows.rows_affected(), 1);
    host.rollback().await.unwrap();
    database.until(parked, 3).await;
    shut(old).await;
    shut(client).await;
}
