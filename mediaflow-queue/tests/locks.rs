//! Transactions that are in one another's way, and what becomes of those who wait.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::time::{Duration, Instant};

use database::{Database, builder, shut, work};
use futures_util::future::join_all;
use mediaflow_core::report::JobState;
use mediaflow_core::spec::{JobOptions, JobSpec};
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Behaviour, FakeBackend, soon};
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
        builder(database.queue(), &fake).storage_with("out", MemoryStorage::new()).concurrency(12)
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
