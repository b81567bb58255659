//! The suite that every engine passes, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};

use mediaflow_core::testing::{exercise_composition, exercise_engine, exercise_outbox};

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

/// Random lives of a host, each on a database of its own.
const LIVES: usize = 4;

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_loses_and_doubles_no_composed_notification() {
    let folder = tempfile::tempdir().unwrap();
    for life in 0..LIVES {
        let file = folder.path().join(format!("{life}.db"));
        let queue = async |_clock| mediaflow_queue::Sqlite::open(&file);
        exercise_composition(queue, true, fastrand::u64(..)).await;
    }
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_loses_and_doubles_no_composed_notification() {
    let server = mediaflow_queue::testing::PrivatePostgres::shared().await.unwrap();
    for life in 0..LIVES {
        let url = server.database(&format!("composition_{life}")).await.unwrap();
        let queue = async |_clock| mediaflow_queue::Postgres::connect(&*url);
        exercise_composition(queue, true, fastrand::u64(..)).await;
    }
}
