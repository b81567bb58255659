//! Jobs that come after others, over many processes: who looks, when, and what is in the way.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use database::{Database, builder, shut, work};
use futures_util::future::join_all;
use mediaflow_core::report::JobState;
use mediaflow_core::spec::{JobOptions, JobSpec, OnFailure};
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Behaviour, FakeBackend, ManualClock, soon};
use mediaflow_core::{Clock as _, Error, Failure, JobId, Mediaflow, Timestamp};
use sqlx::AssertSqlSafe;

on_both! {
    a_chain_and_a_diamond_run_in_their_order
    two_thousand_follow_soon
    a_failure_is_passed_on_to_all
    what_ends_while_others_come_is_not_waited_for
    a_predecessor_stays_while_it_is_waited_for
    the_moment_counts_as_well
    a_follower_of_an_open_transaction_follows
    a_dead_worker_holds_up_no_follower
    a_follower_is_replayed
}

async fn client(database: &Database) -> Mediaflow {
    worker_with(database, &FakeBackend::new()).submit_only().start().await.unwrap()
}

fn worker_with(database: &Database, fake: &FakeBackend) -> mediaflow_core::Builder {
    builder(database.queue(), fake).storage_with("out", MemoryStorage::new()).places("image", 8)
}

async fn worker(database: &Database, fake: &FakeBackend) -> Mediaflow {
    worker_with(database, fake).start().await.unwrap()
}

fn after(name: &str, earlier: &[JobId]) -> JobSpec {
    let options = earlier.iter().fold(JobOptions::new(), |options, job| options.after(*job));
    work(name).with_options(options)
}

async fn submit(media: &Mediaflow, spec: JobSpec) -> JobId {
    media.submit(spec).await.unwrap().id()
}

async fn succeeds(media: &Mediaflow, job: JobId) {
    let status = soon("end", media.handle(job).ended()).await.unwrap();
    assert_eq!(status.state, JobState::Succeeded, "{status:?}");
}

/// Nobody began before those ended that it comes after, and nothing is left to be told.
async fn all_followed(database: &Database) {
    let early = "SELECT count(*) FROM mediaflow_after a
                 JOIN mediaflow_events began ON began.job = a.job AND began.kind = 'job.started'
                 JOIN mediaflow_events ended ON ended.job = a.before
                   AND ended.kind IN ('job.completed', 'job.failed', 'job.cancelled')
                 WHERE began.seq < ended.seq";
    assert_eq!(database.int(early).await, 0);
    database.until("SELECT count(*) FROM mediaflow_followed", 0).await;
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE held IS NOT NULL", 0).await;
}

const AFTER: &str = "SELECT count(*) FROM mediaflow_jobs WHERE held = 'after'";

async fn a_chain_and_a_diamond_run_in_their_order(database: Database) {
    let client = client(&database).await;
    let mut chain = vec![submit(&client, work("chain-0")).await];
    for number in 1..12 {
        let next = after(&format!("chain-{number}"), &chain[number - 1..]);
        chain.push(submit(&client, next).await);
    }
    let top = submit(&client, work("top")).await;
    let left = submit(&client, after("left", &[top])).await;
    let right = submit(&client, after("right", &[top])).await;
    let bottom = submit(&client, after("bottom", &[left, right, top, chain[3]])).await;
    let fake = FakeBackend::new();
    let (one, two) = (worker(&database, &fake).await, worker(&database, &fake).await);
    for job in chain.into_iter().chain([top, left, right, bottom]) {
        succeeds(&one, job).await;
    }
    all_followed(&database).await;
    assert_eq!(fake.runs().len(), 16);
    for media in [client, one, two] {
        shut(media).await;
    }
}

async fn two_thousand_follow_soon(database: Database) {
    let client = client(&database).await;
    let fake = FakeBackend::new();
    fake.script("first", [Behaviour::Block]);
    let first = submit(&client, work("first")).await;
    let jobs = (0..2000).map(|number| after(&format!("job-{number}"), &[first]));
    client.eager(jobs).await.unwrap();
    let media = worker(&database, &fake).await;
    soon("beginning", fake.begun("first", 1)).await;
    database.until(AFTER, 2000).await;
    media.pause().await.unwrap();
    let released = Instant::now();
    fake.release();
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE state = 'queued'", 2000).await;
    assert!(released.elapsed() < Duration::from_secs(10), "{:?}", released.elapsed());
    if matches!(database, Database::Postgres { .. }) {
        let largest = "SELECT max(rows) FROM (
             SELECT count(*) AS rows FROM mediaflow_after WHERE over = 1 GROUP BY CAST(xmin AS TEXT)) AS written";
        assert!(database.int(largest).await <= 100, "no transaction is large");
    }
    shut(client).await;
    shut(media).await;
}

async fn a_failure_is_passed_on_to_all(database: Database) {
    let client = client(&database).await;
    let fake = FakeBackend::new();
    let wrong = Failure::from(&Error::input("fake.wrong", "it is wrong"));
    fake.script("wrong", [Behaviour::Fail(wrong)]);
    let wrong = submit(&client, work("wrong")).await;
    let jobs = (0..150).map(|number| after(&format!("job-{number}"), &[wrong]));
    let batch = client.eager(jobs).await.unwrap();
    let second = batch.jobs().next().unwrap().id();
    let third = submit(&client, after("third", &[second])).await;
    let media = worker(&database, &fake).await;
    assert_eq!(soon("batch", batch.done()).await.unwrap().state, JobState::Failed);
    soon("end", media.handle(third).ended()).await.unwrap();
    let failed =
        "SELECT count(*) FROM mediaflow_jobs WHERE failure_code = 'job.predecessor_failed'";
    assert_eq!(database.int(failed).await, 151);
    assert_eq!(fake.runs(), ["wrong"]);
    all_followed(&database).await;
    shut(client).await;
    shut(media).await;
}

async fn what_ends_while_others_come_is_not_waited_for(database: Database) {
    let fake = FakeBackend::new();
    let (one, two) = (worker(&database, &fake).await, worker(&database, &fake).await);
    for round in 0..12 {
        let first = submit(&one, work(&format!("first-{round}"))).await;
        let second = submit(&two, work(&format!("second-{round}"))).await;
        let follow = |number: usize| {
            let media = if number.is_multiple_of(2) { &one } else { &two };
            let next = after(&format!("next-{round}-{number}"), &[first, second]);
            async move { submit(media, next).await }
        };
        for job in join_all((0..8).map(follow)).await {
            succeeds(&one, job).await;
        }
    }
    all_followed(&database).await;
    shut(one).await;
    shut(two).await;
}

async fn a_predecessor_stays_while_it_is_waited_for(database: Database) {
    let (clock, hours) = (ManualClock::new(), |hours: u64| Duration::from_secs(3600 * hours));
    let queue = database.queue().retention(hours(1));
    let media = builder(queue, &FakeBackend::new()).storage_with("out", MemoryStorage::new());
    let media = media.clock(Arc::new(clock.clone())).start().await.unwrap();
    let first = submit(&media, work("first")).await;
    let other = submit(&media, work("other")).await;
    let mut second = after("second", &[first]);
    second.options.run_at = Some(clock.now().plus(hours(3)));
    let second = submit(&media, second).await;
    for job in [first, other] {
        succeeds(&media, job).await;
    }
    clock.advance(hours(2));
    let gone = format!("SELECT count(*) FROM mediaflow_jobs WHERE id = '{other}'");
    database.until(&gone, 0).await;
    assert_eq!(media.handle(first).status().await.unwrap().state, JobState::Succeeded);
    clock.advance(hours(2));
    succeeds(&media, second).await;
    clock.advance(hours(2));
    database.until("SELECT count(*) FROM mediaflow_jobs", 0).await;
    assert_eq!(database.int("SELECT count(*) FROM mediaflow_after").await, 0);
    shut(media).await;
}

async fn the_moment_counts_as_well(database: Database) {
    let media = worker(&database, &FakeBackend::new()).await;
    let first = submit(&media, work("first")).await;
    succeeds(&media, first).await;
    let moment = Timestamp::from(SystemTime::now()).plus(Duration::from_millis(400));
    let mut late = after("late", &[first]);
    late.options.run_at = Some(moment);
    let late = submit(&media, late).await;
    let report = soon("end", media.handle(late).done()).await.unwrap();
    assert!(report.started_at.unwrap() >= moment, "{report:?}");
    all_followed(&database).await;
    shut(media).await;
}

async fn a_follower_of_an_open_transaction_follows(database: Database) {
    let queue = database.queue();
    let fake = FakeBackend::new();
    let media = builder(queue.clone(), &fake).storage_with("out", MemoryStorage::new());
    let media = media.start().await.unwrap();
    let first = submit(&media, work("first")).await;
    let open = database.submit_in(&queue, [after("next", &[first])]).await;
    if matches!(database, Database::Postgres { .. }) {
        succeeds(&media, first).await;
    }
    open.commit().await;
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE state = 'succeeded'", 2).await;
    all_followed(&database).await;
    let lost = database.submit_in(&queue, [after("lost", &[first])]).await;
    lost.rollback().await;
    assert_eq!(database.int("SELECT count(*) FROM mediaflow_after").await, 1);
    shut(media).await;
}

async fn a_dead_worker_holds_up_no_follower(database: Database) {
    let client = client(&database).await;
    let first = submit(&client, work("first")).await;
    let lost = submit(&client, database::once(work("lost"))).await;
    let next = submit(&client, after("next", &[first])).await;
    let anyway = JobOptions::new().after(first).after_with(lost, OnFailure::Run);
    let anyway = submit(&client, work("anyway").with_options(anyway)).await;
    assert_eq!(database.int(AFTER).await, 2);
    database.register_dead("mediaflow-dead").await;
    for job in [first, lost] {
        database.abandon(job, "mediaflow-dead").await;
    }
    let media = worker(&database, &FakeBackend::new()).await;
    for job in [first, next, anyway] {
        succeeds(&media, job).await;
    }
    assert_eq!(media.handle(lost).status().await.unwrap().state, JobState::Failed);
    all_followed(&database).await;
    shut(client).await;
    shut(media).await;
}

async fn a_follower_is_replayed(database: Database) {
    let fake = FakeBackend::new();
    let media = worker(&database, &fake).await;
    let first = submit(&media, work("first")).await;
    let next = submit(&media, after("next", &[first])).await;
    succeeds(&media, next).await;
    let again = media.replay(next, None).await.unwrap();
    succeeds(&media, again.id()).await;
    assert_eq!(fake.runs(), ["first", "next", "next"]);
    all_followed(&database).await;
    shut(media).await;
}

/// A host uses the key of a job that has failed again, and keeps its transaction open. On SQLite there is one writer at a time,
/// the host included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_a_host_has_locked_stops_nobody() {
    let database = Database::postgres("a_locked_predecessor").await;
    let (queue, fake) = (database.queue(), FakeBackend::new());
    let wrong = Failure::from(&Error::input("fake.wrong", "it is wrong"));
    fake.script("wrong", [Behaviour::Fail(wrong)]);
    let media = builder(queue.clone(), &fake).storage_with("out", MemoryStorage::new());
    let media = media.start().await.unwrap();
    let keyed = work("wrong").with_options(JobOptions::new().idempotency_key("key"));
    let wrong = submit(&media, keyed.clone()).await;
    soon("end", media.handle(wrong).ended()).await.unwrap();
    let first = submit(&media, work("first")).await;
    let open = database.submit_in(&queue, [keyed]).await;
    let anyway = JobOptions::new().after_with(wrong, OnFailure::Run);
    let anyway = submit(&media, work("anyway").with_options(anyway)).await;
    let next = submit(&media, after("next", &[first])).await;
    for job in [first, next, anyway] {
        succeeds(&media, job).await;
    }
    open.rollback().await;
    all_followed(&database).await;
    shut(media).await;
}

/// Both the job that others wait for, and one of those that wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_locked_is_left_for_later() {
    let database = Database::postgres("a_locked_follower").await;
    let Database::Postgres { pool, .. } = &database else { panic!("a server") };
    let fake = FakeBackend::new();
    for name in ["first", "second"] {
        fake.script(name, [Behaviour::Block]);
    }
    let media = worker(&database, &fake).await;
    let first = submit(&media, work("first")).await;
    let second = submit(&media, work("second")).await;
    let locked = submit(&media, after("locked", &[first])).await;
    let free = submit(&media, after("free", &[first])).await;
    database.until(AFTER, 2).await;
    soon("beginning", fake.begun("second", 1)).await;
    let mut host = pool.begin().await.unwrap();
    let lock =
        format!("SELECT 1 FROM mediaflow_jobs WHERE id IN ('{locked}', '{second}') FOR UPDATE");
    sqlx::query(AssertSqlSafe(lock)).execute(&mut *host).await.unwrap();
    let waits = submit(&media, after("waits", &[second])).await;
    media.handle(first).cancel().await.unwrap();
    soon("end", media.handle(free).ended()).await.unwrap();
    let other = submit(&media, work("other")).await;
    let later = submit(&media, after("later", &[other])).await;
    succeeds(&media, later).await;
    host.rollback().await.unwrap();
    soon("end", media.handle(locked).ended()).await.unwrap();
    fake.release();
    succeeds(&media, waits).await;
    all_followed(&database).await;
    shut(media).await;
}
