//! The suite that every engine passes, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mediaflow_core::testing::{exercise_composition, exercise_engine, exercise_outbox};
use proptest::prelude::*;

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_is_an_engine() {
    let folder = tempfile::tempdir().unwrap();
    let count = AtomicUsize::new(0);
    exercise_engine(async || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        mediaflow_queue::Sqlite::open(folder.path().join(format!("{number}.db")))
    })
    .await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_has_an_outbox() {
    let folder = tempfile::tempdir().unwrap();
    let count = AtomicUsize::new(0);
    exercise_outbox(async |_clock| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        mediaflow_queue::Sqlite::open(folder.path().join(format!("{number}.db")))
    })
    .await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_an_engine() {
    let server = mediaflow_queue::testing::PrivatePostgres::shared().await.unwrap();
    let count = AtomicUsize::new(0);
    exercise_engine(async || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        mediaflow_queue::Postgres::connect(
            server.database(&format!("conformance_{number}")).await.unwrap(),
        )
    })
    .await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_has_an_outbox() {
    let server = mediaflow_queue::testing::PrivatePostgres::shared().await.unwrap();
    let count = AtomicUsize::new(0);
    exercise_outbox(async |_clock| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        mediaflow_queue::Postgres::connect(
            server.database(&format!("outbox_{number}")).await.unwrap(),
        )
    })
    .await;
}

/// How many lives of a fleet are tried, each on a database of its own.
fn lives() -> ProptestConfig {
    let failure_persistence = None;
    ProptestConfig {
        cases: 4,
        max_shrink_iters: 8,
        failure_persistence,
        ..ProptestConfig::default()
    }
}

/// A host that is killed is missed soon.
const LEASE: Duration = Duration::from_secs(1);

/// What happens in a life.
fn life() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((0_u8..20, any::<u8>()), 20..50)
}

#[cfg(feature = "sqlite")]
proptest! {
    #![proptest_config(lives())]
    #[test]
    fn sqlite_loses_and_doubles_no_composed_notification(life in life(), seed: u64) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jobs.db");
        let queue = async |_clock| mediaflow_queue::Sqlite::open(&file).lease(LEASE);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(exercise_composition(queue, 2, &life, seed));
    }
}

#[cfg(feature = "postgres")]
proptest! {
    #![proptest_config(lives())]
    #[test]
    fn postgres_loses_and_doubles_no_composed_notification(life in life(), seed: u64) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let server = mediaflow_queue::testing::PrivatePostgres::shared().await.unwrap();
            let name = format!("composition_{}", COUNT.fetch_add(1, Ordering::Relaxed));
            let url = server.database(&name).await.unwrap();
            let queue = async |_clock| mediaflow_queue::Postgres::connect(&*url).lease(LEASE);
            exercise_composition(queue, 2, &life, seed).await;
        });
    }
}
