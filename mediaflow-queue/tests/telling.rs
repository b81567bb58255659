//! What telling somebody costs the database.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;
mod executed;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use database::{Database, builder, shut, work};
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{FakeBackend, ScriptedNotifier};
use mediaflow_core::{Clock as _, EventKind, SystemClock};

const MESSAGES: usize = 1200;

/// The tables of the outbox.
const TABLES: [&str; 4] =
    ["mediaflow_messages", "mediaflow_destinations", "mediaflow_told", "mediaflow_unrouted"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_messages_share_their_statements() {
    let database = Database::sqlite().await;
    let host =
        || builder(database.queue(), &FakeBackend::new()).storage_with("out", MemoryStorage::new());
    let media = host().start().await.unwrap();
    let later = SystemClock::default().now().plus(Duration::from_secs(1_000_000));
    let job = || work("later").with_options(JobOptions::new().run_at(later));
    media.eager((0..MESSAGES).map(|_| job())).await.unwrap();
    shut(media).await;

    let counts = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let heard = Arc::clone(&counts);
    executed::listen(move |statement, _| {
        // Each number of rows is a statement of its own.
        let words = statement.split_whitespace().take(12).collect::<Vec<_>>().join(" ");
        if TABLES.iter().any(|table| statement.contains(table)) {
            *heard.lock().unwrap().entry(words).or_default() += 1;
        }
    })
    .unwrap();
    let media =
        host().notify(ScriptedNotifier::new([EventKind::JobCreated])).start().await.unwrap();
    let told = "SELECT count(*) FROM mediaflow_messages WHERE state = 'delivered'";
    database.until(told, i64::try_from(MESSAGES).unwrap()).await;
    shut(media).await;
    let counts = counts.lock().unwrap();
    let all: usize = counts.values().sum();
    assert!(all <= MESSAGES, "{all} statements for {MESSAGES} messages: {counts:#?}");
}
