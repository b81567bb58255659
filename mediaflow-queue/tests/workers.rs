//! How workers look after one another, however many there are and whatever their clocks say.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;
mod wrong_clock;

use std::fs::{self, File};
use std::sync::Arc;
use std::time::Duration;

use database::{Database, builder, many, shut, work};
use mediaflow_core::executor::RetryPolicy;
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Behaviour, FakeBackend, soon};
use mediaflow_core::{Builder, Error, Failure, Timestamp};
use wrong_clock::Wrong;

on_both! {
    who_is_not_among_the_first_looks_after_these_only
    a_worker_whose_clock_is_wrong_knows_who_lives
}

fn worker(database: &Database) -> Builder {
    builder(database.queue(), &FakeBackend::new()).storage_with("out", MemoryStorage::new())
}

/// A worker that lives, as far as others can see, for as long as this does.
async fn lives(database: &Database, id: &str) -> Option<File> {
    database.register_dead(id).await;
    let Database::Sqlite { path, .. } = database else {
        // Its next sign of life is still to come.
        beats(database, id, "+ 3000000").await;
        return None;
    };
    let folder = format!("{}-workers", path.display());
    fs::create_dir_all(&folder).unwrap();
    let file = File::options().create(true).append(true).open(format!("{folder}/{id}")).unwrap();
    file.lock().unwrap();
    beats(database, id, "+ 3000000").await;
    Some(file)
}

/// Its last sign of life was now, or some milliseconds before or after.
async fn beats(database: &Database, id: &str, when: &str) {
    let now = match database {
        Database::Sqlite { .. } => "unixepoch('subsec') * 1000",
        Database::Postgres { .. } => "extract(epoch FROM clock_timestamp()) * 1000",
    };
    let beat = format!("beat_at = CAST({now} AS BIGINT) {when}");
    database.run(&format!("UPDATE mediaflow_workers SET {beat} WHERE id = '{id}'")).await;
}

async fn is_taken_over(database: &Database, id: &str) {
    database.until(&format!("SELECT count(*) FROM mediaflow_workers WHERE id = '{id}'"), 0).await;
}

/// So looking costs a fleet as much as it has workers, and not its square.
async fn who_is_not_among_the_first_looks_after_these_only(database: Database) {
    let media = worker(&database).submit_only().start().await.unwrap();
    database.register_dead("a-1").await;
    let mut living = Vec::new();
    for number in 2..=5 {
        living.push(lives(&database, &format!("a-{number}")).await);
    }
    database.register_dead("a-9").await;
    let last = worker(&database).start().await.unwrap();
    is_taken_over(&database, "a-1").await;
    drop(living.remove(0));
    database.run("UPDATE mediaflow_workers SET beat_at = 0 WHERE id = 'a-2'").await;
    is_taken_over(&database, "a-2").await;
    let others = "SELECT id FROM mediaflow_workers WHERE id LIKE 'a-%' ORDER BY id";
    assert_eq!(database.texts(others).await, ["a-3", "a-4", "a-5", "a-9"]);
    // It is one of the first itself when there are no others.
    living.clear();
    database.run("UPDATE mediaflow_workers SET beat_at = 0 WHERE id LIKE 'a-%'").await;
    is_taken_over(&database, "a-9").await;
    shut(last).await;
    shut(media).await;
}

async fn a_worker_whose_clock_is_wrong_knows_who_lives(database: Database) {
    for hour in [3_600_000, -3_600_000] {
        let media = worker(&database).clock(Arc::new(Wrong(hour))).start().await.unwrap();
        let living = lives(&database, "a-lives").await;
        database.register_dead("b-dead").await;
        beats(&database, "b-dead", "- 60000").await;
        is_taken_over(&database, "b-dead").await;
        let first = "SELECT count(*) FROM mediaflow_workers WHERE id = 'a-lives'";
        assert_eq!(database.int(first).await, 1, "with a clock that is {hour} ms wrong");
        drop(living);
        database.run("DELETE FROM mediaflow_workers WHERE id = 'a-lives'").await;
        shut(media).await;
    }
}

/// The server's clock is an hour before that of all machines, or behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_due_by_the_clock_of_the_server() {
    for (name, hour) in
        [("due_ahead", "+ interval '1 hour'"), ("due_behind", "- interval '1 hour'")]
    {
        let database = Database::postgres(name).await;
        database.run("CREATE SCHEMA shifted").await;
        for clock in ["now", "clock_timestamp"] {
            let body = format!("$$ SELECT pg_catalog.{clock}() {hour} $$");
            let make = "RETURNS timestamptz LANGUAGE sql AS";
            database.run(&format!("CREATE FUNCTION shifted.{clock}() {make} {body}")).await;
        }
        let path = "options=-c%20search_path%3Dshifted,public,pg_catalog";
        let address = format!("{}?{path}", database.address());
        let fake = FakeBackend::new();
        let transient = Failure::from(&Error::transient("fake.transient", "it may pass"));
        for step in ["again", "00"] {
            fake.script(step, [Behaviour::Fail(transient.clone())]);
        }
        let storage = MemoryStorage::new();
        let start = || {
            let queue = Database::queue_at(&address).lease(Duration::from_secs(1));
            let first = Duration::from_millis(100);
            builder(queue, &fake)
                .storage_with("out", storage.clone())
                .retry(RetryPolicy { first, ..RetryPolicy::default() })
                .start()
        };
        let media = start().await.unwrap();
        let again = media.submit(work("again")).await.unwrap();
        assert_eq!(soon("the second attempt", again.done()).await.unwrap().attempts, 2);
        let split = media.submit(many(24)).await.unwrap();
        soon("the second attempt at a part", split.done()).await.unwrap();

        fake.script("given-back", [Behaviour::Block]);
        let given_back = media.submit(work("given-back")).await.unwrap().id();
        fake.begun("given-back", 1).await;
        media.shutdown(Duration::ZERO).await.unwrap();
        let media = start().await.unwrap();
        let given_back =
            soon("what was given back", media.handle(given_back).done()).await.unwrap();
        assert_eq!(given_back.attempts, 1);

        let now =
            format!("SELECT CAST(extract(epoch FROM pg_catalog.now() {hour}) * 1000 AS BIGINT)");
        let due = Timestamp::from_millis(database.int(&now).await.unsigned_abs() + 1500);
        let later = work("later").with_options(JobOptions::new().run_at(due));
        let later = media.submit(later).await.unwrap();
        let report = soon("its time", later.done()).await.unwrap();
        assert!(report.started_at >= Some(due), "{:?} is before {due}", report.started_at);
        shut(media).await;
    }
}
