//! The suite that every engine passes, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};

use mediaflow_core::testing::{exercise_engine, exercise_outbox};

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
