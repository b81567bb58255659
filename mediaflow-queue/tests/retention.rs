//! What is told or remembered no longer than it is of use to somebody.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::sync::Arc;
use std::time::Duration;

use database::{Database, builder, shut, work};
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{FakeBackend, ManualClock, ScriptedNotifier as Hooks};
use mediaflow_core::{Builder, Clock as _, EventKind, Mediaflow};
use mediaflow_queue::Queue;

on_both! {
    what_happened_long_ago_is_told_to_nobody
    what_nobody_comes_for_is_left_to_nobody
}

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
