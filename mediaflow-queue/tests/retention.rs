//! What is told or remembered no longer than it is of use to somebody.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::sync::Arc;
use std::time::Duration;

use database::{Database, builder, shut, work};
use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::notify::{RateLimit, Route, after};
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Act, FakeBackend, ManualClock, ScriptedNotifier as Hooks, soon};
use mediaflow_core::{Builder, Clock as _, EventKind, Mediaflow, NotifyError};
use mediaflow_queue::{DeliveryFilter, Queue};

on_both! {
    what_happened_long_ago_is_told_to_nobody
    what_nobody_comes_for_is_left_to_nobody
    a_digest_keeps_all_its_events
    destinations_are_forgotten
    what_was_counted_long_ago_is_forgotten
    what_is_large_leaves_in_small_steps
    the_next_worker_goes_on_where_the_last_one_was
    what_has_to_stay_is_passed_over
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn host(queue: Queue, clock: &ManualClock) -> Builder {
    builder(queue, &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .clock(Arc::new(clock.clone()))
}

/// Tells an address of the creation of a job that never runs.
async fn tell(media: &Mediaflow, clock: &ManualClock, to: &str) {
    let never = clock.now().plus(3650 * DAY);
    let options = JobOptions::new().run_at(never).notify("hooks", to);
    media.submit(work("parked").with_options(options)).await.unwrap();
}

/// Waits until retention has been through everything once.
async fn retained(database: &Database) {
    for _ in 0..2 {
        database
            .run("INSERT INTO mediaflow_gone (channel, recipient, destination, at) VALUES ('x', 'x', 'x y', 0)")
            .await;
        database.until("SELECT count(*) FROM mediaflow_gone", 0).await;
    }
}

/// A fleet that had no notifiers gets some.
async fn what_happened_long_ago_is_told_to_nobody(database: Database) {
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCreated]);
    let client = host(database.queue(), &clock).notify(hooks.clone()).submit_only();
    let client = client.start().await.unwrap();
    for number in 0..10 {
        tell(&client, &clock, &format!("old-{number}")).await;
    }
    clock.advance(6 * DAY);
    tell(&client, &clock, "new").await;
    let media = host(database.queue(), &clock).notify(hooks.clone()).start().await.unwrap();
    let told = hooks.told(1).await.remove(0);
    database.until("SELECT count(*) FROM mediaflow_unrouted", 0).await;
    assert_eq!((told.to.as_str(), hooks.told(1).await.len()), ("new", 1));
    assert_eq!(database.int("SELECT count(*) FROM mediaflow_messages").await, 1);
    shut(media).await;
    shut(client).await;
}

/// A channel has got another name.
async fn what_nobody_comes_for_is_left_to_nobody(database: Database) {
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCreated]);
    let media = host(database.queue(), &clock).notify(hooks.clone()).start().await.unwrap();
    let seen =
        |name: &str| format!("INSERT INTO mediaflow_channels VALUES ('{name}', 9999999999999)");
    let left = async |number| {
        let marked = "SELECT count(*) FROM mediaflow_unrouted WHERE route = '|hooks|'";
        database.until(marked, number).await;
    };
    database.run(&seen("earlier")).await;
    for _ in 0..3 {
        tell(&media, &clock, "a").await;
    }
    left(3).await;
    // Nobody has had it for a day.
    database.run("UPDATE mediaflow_channels SET seen_at = 1 WHERE name = 'earlier'").await;
    left(0).await;
    // Somebody has it, and does not route.
    database.run(&seen("slow")).await;
    for _ in 0..3 {
        tell(&media, &clock, "a").await;
    }
    left(3).await;
    clock.advance(5 * DAY);
    tell(&media, &clock, "a").await;
    left(1).await;
    shut(media).await;
}

/// The first one as well, which stands in the message itself.
async fn a_digest_keeps_all_its_events(database: Database) {
    let clock = ManualClock::new();
    let hooks = Hooks::new([]);
    let queue = database.queue().retention(HOUR);
    let media = host(queue.clone(), &clock).notify(hooks.clone()).start().await.unwrap();
    for name in ["a", "b"] {
        let job = media.submit(work(name)).await.unwrap();
        soon("success", job.done()).await.unwrap();
    }
    database.until("SELECT count(*) FROM mediaflow_unrouted", 0).await;
    let both = "SELECT id FROM mediaflow_events WHERE kind = 'job.completed' ORDER BY seq";
    let events = database.texts(both).await;
    let held = clock.now().plus(DAY).millis();
    let digest = format!(
        "rule = 'daily', group_key = 'monday', events = 2, job = NULL, hold_until = {held}, due = {held}"
    );
    database.message("job.completed", "digest", &digest).await;
    database
        .run(&format!(
            "INSERT INTO mediaflow_message_events (message, event) SELECT id, '{}' FROM mediaflow_messages",
            events[1]
        ))
        .await;
    for event in &events {
        let of = DeliveryFilter::new().event(event.parse().unwrap());
        assert_eq!(queue.deliveries(&of).await.unwrap().len(), 1, "{event}");
    }
    clock.advance(3 * HOUR);
    database.until("SELECT count(*) FROM mediaflow_jobs", 0).await;
    retained(&database).await;
    assert_eq!(database.texts("SELECT id FROM mediaflow_events ORDER BY seq").await, events);
    clock.advance(DAY);
    let told = hooks.told(1).await.remove(0);
    assert_eq!(told.message.events().len(), 2);
    // What was told goes, and its events after it.
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'delivered'", 1).await;
    clock.advance(3 * HOUR);
    database.until("SELECT count(*) FROM mediaflow_events", 0).await;
    shut(media).await;
}

async fn destinations_are_forgotten(database: Database) {
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.next("b", [Act::Fail(NotifyError::rejected("no"))]);
    let policy = DeliveryPolicy {
        rate: Some(RateLimit::per_second(1000)),
        disable_after: DAY,
        ..DeliveryPolicy::default()
    };
    let queue = database.queue().retention(2 * DAY);
    let media = host(queue, &clock).delivery(policy).notify(hooks.clone()).start().await.unwrap();
    for to in ["a/1", "b"] {
        tell(&media, &clock, to).await;
    }
    let there = async |number| {
        database.until("SELECT count(*) FROM mediaflow_destinations", number).await;
    };
    there(2).await;
    database.until("SELECT count(*) FROM mediaflow_messages WHERE ended_at IS NOT NULL", 2).await;
    // Of the one there was nothing but its rate.
    clock.advance(2 * HOUR);
    there(1).await;
    let left = "SELECT destination FROM mediaflow_destinations";
    assert_eq!(database.texts(left).await, ["hooks b"]);
    retained(&database).await;
    assert_eq!(database.texts(left).await, ["hooks b"]);
    clock.advance(2 * DAY);
    there(0).await;
    shut(media).await;
}

async fn what_was_counted_long_ago_is_forgotten(database: Database) {
    let (clock, hooks) = (ManualClock::new(), Hooks::new([]));
    let media = host(database.queue().retention(HOUR), &clock)
        .notify(hooks.clone())
        .route(
            Route::on([EventKind::JobCreated])
                .name("rule-0")
                .to("hooks")
                .escalate(after(2), "hooks"),
        )
        .start()
        .await
        .unwrap();
    // More than a page of rules, and of each the steps.
    let week = clock.now().millis();
    let rows = format!(
        "INSERT INTO mediaflow_counted (rule, step, since, events)
         SELECT 'rule-' || n, n % 3, {week} + 1000 * (n % 2), 1 FROM n"
    );
    database.run(&multiplied(1200, &rows)).await;
    clock.advance(7 * DAY);
    tell(&media, &clock, "").await;
    // An event that counts, and half of the others.
    clock.advance(Duration::from_millis(500));
    database.until("SELECT count(*) FROM mediaflow_counted", 601).await;
    clock.advance(DAY);
    database.until("SELECT count(*) FROM mediaflow_counted", 1).await;
    shut(media).await;
}

/// Refuses to delete what more than 500 rows of another table leave with.
async fn refuse_many(database: &Database, table: &str, owned: &str, owner: &str) {
    let many = format!("(SELECT count(*) FROM {owned} WHERE {owner} = old.id) > 500");
    match database {
        Database::Sqlite { .. } => {
            let trigger = format!(
                "CREATE TRIGGER {table}_many BEFORE DELETE ON {table} WHEN {many}
                 BEGIN SELECT RAISE(ABORT, 'too many rows at once'); END"
            );
            database.run(&trigger).await;
        }
        Database::Postgres { .. } => {
            let refuse = format!(
                "CREATE FUNCTION {table}_many() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                   IF {many} THEN RAISE EXCEPTION 'too many rows at once'; END IF; RETURN old; END $$"
            );
            database.run(&refuse).await;
            let trigger = format!(
                "CREATE TRIGGER {table}_many BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_many()"
            );
            database.run(&trigger).await;
        }
    }
}

/// Rows from others, as often as there are numbers up to this one.
fn multiplied(upto: u32, rest: &str) -> String {
    format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {upto}) {rest}"
    )
}

async fn what_is_large_leaves_in_small_steps(database: Database) {
    let clock = ManualClock::new();
    let queue = database.queue().retention(HOUR);
    let media = host(queue, &clock).start().await.unwrap();
    let batch = media.eager([work("a"), work("b")]).await.unwrap();
    soon("batch", batch.done()).await.unwrap();
    for rest in [
        "INSERT INTO mediaflow_batch_jobs (batch, position, job)
         SELECT batch, 10 + n, job FROM n, mediaflow_batch_jobs WHERE position = 0",
        "INSERT INTO mediaflow_outputs (job, place, content_key, report)
         SELECT job, place || n, content_key, report FROM n, mediaflow_outputs",
        "INSERT INTO mediaflow_tags (tag, job) SELECT 'tag ' || n, id FROM n, mediaflow_jobs",
    ] {
        database.run(&multiplied(3000, rest)).await;
    }
    refuse_many(&database, "mediaflow_batches", "mediaflow_batch_jobs", "batch").await;
    refuse_many(&database, "mediaflow_jobs", "mediaflow_outputs", "job").await;
    clock.advance(2 * HOUR);
    for table in ["mediaflow_batches", "mediaflow_jobs", "mediaflow_events"] {
        database.until(&format!("SELECT count(*) FROM {table}"), 0).await;
    }
    shut(media).await;
}

async fn the_next_worker_goes_on_where_the_last_one_was(database: Database) {
    let clock = ManualClock::new();
    let start = || host(database.queue().retention(HOUR / 2), &clock).start();
    let media = start().await.unwrap();
    retained(&database).await;
    let before = clock.now().millis();
    let job = media.submit(work("a")).await.unwrap();
    soon("success", job.done()).await.unwrap();
    clock.advance(31 * HOUR / 60);
    database.until("SELECT count(*) FROM mediaflow_jobs", 0).await;
    let mut jobs = Vec::new();
    for name in ["b", "c"] {
        let job = media.submit(work(name)).await.unwrap();
        soon("success", job.done()).await.unwrap();
        jobs.push(job.id().to_string());
    }
    shut(media).await;

    // One was committed long after it ended.
    for (job, ended) in jobs.iter().zip([before - 1, before + 1000]) {
        let old = format!("UPDATE mediaflow_jobs SET ended_at = {ended} WHERE id = '{job}'");
        database.run(&old).await;
    }
    let media = start().await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_jobs", 1).await;
    retained(&database).await;
    assert_eq!(database.texts("SELECT id FROM mediaflow_jobs").await, jobs[..1]);
    // Now and then a walk begins anew.
    clock.advance(HOUR);
    database.until("SELECT count(*) FROM mediaflow_jobs", 0).await;
    shut(media).await;
}

async fn what_has_to_stay_is_passed_over(database: Database) {
    let clock = ManualClock::new();
    let media = host(database.queue().retention(HOUR), &clock).start().await.unwrap();
    let job = media.submit(work("a")).await.unwrap();
    soon("success", job.done()).await.unwrap();
    // Others of one batch, in which one has not ended yet.
    let copies = "INSERT INTO mediaflow_jobs (id, river, class, state, spec, queued_at, due, started_at, ended_at, report)
        SELECT id || n, river, class, state, spec, queued_at, due, started_at, ended_at - 1000 + n / 100, report
        FROM n, mediaflow_jobs";
    database.run(&multiplied(1200, copies)).await;
    let batch = "INSERT INTO mediaflow_batches (id, options, jobs_left, created_at) VALUES ('batch', '{}', 1, 1)";
    database.run(batch).await;
    let of = "INSERT INTO mediaflow_batch_jobs (batch, position, job)
        SELECT 'batch', n, id || n FROM n, mediaflow_jobs WHERE batch IS NULL AND queued_at > 0 AND length(id) = $1";
    let of = of.replace("$1", &job.id().to_string().len().to_string());
    database.run(&multiplied(1200, &of)).await;
    clock.advance(2 * HOUR);
    database.until("SELECT count(*) FROM mediaflow_jobs", 1200).await;
    retained(&database).await;
    assert_eq!(database.int("SELECT count(*) FROM mediaflow_jobs").await, 1200);
    database.run("UPDATE mediaflow_batches SET ended_at = 1").await;
    database.until("SELECT count(*) FROM mediaflow_jobs", 0).await;
    shut(media).await;
}
