//! The addresses of those who are told are secrets: they stand where they are needed, and leave with what needs them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::sync::Arc;
use std::time::Duration;

use database::{Database, builder, shut, work};
use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{
    Act, FakeBackend, ManualClock, RecordingNotifier, ScriptedNotifier as Hooks, soon,
};
use mediaflow_core::{EventKind, Mediaflow, NotifyError};
use mediaflow_queue::{DeliveryFilter, Queue};

on_both! {
    an_address_stands_with_its_job_and_its_messages_only
}

const HOUR: Duration = Duration::from_secs(3600);
const CANARY: &str = "canary";

/// A receiver that is told of, one that refuses and repeats what it was asked, one that is gone, and one of another channel,
/// of which nothing is known but its address.
const TAKES: &str = "https://h.example/hooks/takes-canary-0123456789";
const REFUSES: &str = "https://h.example/hooks/refuses-canary-0123456789?token=canary-query";
const GONE: &str = "https://h.example/hooks/gone-canary-0123456789";
const OPAQUE: &str = "opaque-canary-0123456789";

/// Where an address may stand: what a host has given with a job or a batch, and what is sent.
const PLACES: [(&str, &str); 4] = [
    ("mediaflow_batches", "options"),
    ("mediaflow_jobs", "notify"),
    ("mediaflow_jobs", "spec"),
    ("mediaflow_messages", "address"),
];

/// The columns in which there is an address.
async fn places(database: &Database) -> Vec<(String, String)> {
    let columns = match database {
        Database::Sqlite { .. } => {
            "SELECT t.name || ' ' || c.name FROM sqlite_master t, pragma_table_info(t.name) c
             WHERE t.type = 'table' ORDER BY 1"
        }
        Database::Postgres { .. } => {
            "SELECT c.table_name || ' ' || c.column_name FROM information_schema.columns c
             JOIN information_schema.tables t USING (table_schema, table_name)
             WHERE t.table_type = 'BASE TABLE' AND table_schema IN ('public', 'mediaflow_river') ORDER BY 1"
        }
    };
    let mut found = Vec::new();
    for place in database.texts(columns).await {
        let (table, column) = place.split_once(' ').unwrap();
        let count = format!(
            "SELECT count(*) FROM {table} WHERE CAST(\"{column}\" AS TEXT) LIKE '%{CANARY}%'"
        );
        if database.int(&count).await > 0 {
            found.push((table.to_owned(), column.to_owned()));
        }
    }
    found
}

async fn start(database: &Database, clock: &ManualClock, hooks: &Hooks) -> (Mediaflow, Queue) {
    let queue = database.queue().retention(HOUR);
    let schedule = vec![Duration::from_secs(5)];
    let media = builder(queue.clone(), &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .clock(Arc::new(clock.clone()))
        .delivery(DeliveryPolicy { schedule, ..DeliveryPolicy::default() })
        .notify(hooks.clone())
        .notify(RecordingNotifier::new("other"))
        .start()
        .await
        .unwrap();
    (media, queue)
}

async fn an_address_stands_with_its_job_and_its_messages_only(database: Database) {
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCompleted, EventKind::BatchCompleted]);
    let refused = || NotifyError::rejected(format!("Cannot POST {REFUSES}"));
    hooks.always(REFUSES, Act::Answer(422, format!("no {REFUSES}").into(), Some(refused())));
    hooks.always(GONE, Act::Fail(NotifyError::Gone { reason: format!("{GONE} is gone").into() }));
    let (media, queue) = start(&database, &clock, &hooks).await;
    let options = [TAKES, REFUSES, GONE]
        .into_iter()
        .fold(JobOptions::new(), |options, to| options.notify("hooks", to))
        .notify("other", OPAQUE);
    let batch = media.eager([work("told").with_options(options)]).await.unwrap();
    soon("end", batch.done()).await.unwrap();
    hooks.told(5).await;
    database.until("SELECT count(*) FROM mediaflow_unrouted", 0).await;
    let waits = "SELECT count(*) FROM mediaflow_messages WHERE state IN ('pending', 'sending')";
    database.until(waits, 0).await;
    // Of each recipient that is lost.
    let told = "SELECT count(DISTINCT kind) FROM mediaflow_events WHERE kind = 'delivery.failed'";
    database.until(told, 1).await;

    let expected = PLACES.map(|(table, column)| (table.to_owned(), column.to_owned()));
    assert_eq!(places(&database).await, expected);
    let stats = queue.stats().await.unwrap();
    let mut shown = format!("{stats} {stats:?} {:?}", queue.destinations().await.unwrap());
    for delivery in queue.deliveries(&DeliveryFilter::new()).await.unwrap() {
        shown += &format!("{delivery:?} {:?}", queue.delivery_log(delivery.id).await.unwrap());
    }
    assert!(shown.contains("Cannot POST https://h.example[REDACTED]"), "{shown}");
    assert!(!shown.contains(CANARY), "{shown}");
    shut(media).await;

    let (media, _) = start(&database, &clock, &hooks).await;
    clock.advance(2 * HOUR);
    for table in ["mediaflow_jobs", "mediaflow_batches", "mediaflow_messages", "mediaflow_gone"] {
        database.until(&format!("SELECT count(*) FROM {table}"), 0).await;
    }
    assert_eq!(places(&database).await, []);
    shut(media).await;
}
