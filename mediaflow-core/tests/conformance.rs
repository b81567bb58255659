//! The suites of core's own contracts, on core's own implementations and decorators.

use mediaflow_core::engine::MemoryEngine;
use mediaflow_core::notify::notify_fn;
use mediaflow_core::storage::{FileStorage, MemoryStorage};
use mediaflow_core::testing::{self, FaultyStorage, RecordingNotifier};

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_engine_is_an_engine() {
    testing::exercise_engine(async || MemoryEngine::new()).await;
}

#[tokio::test]
async fn every_storage_is_a_storage() {
    let folder = tempfile::tempdir().unwrap();
    testing::exercise_storage(&MemoryStorage::new()).await;
    testing::exercise_storage(&FileStorage::new(folder.path()).unwrap()).await;
    testing::exercise_storage(&FaultyStorage::new(MemoryStorage::new())).await;
}

#[tokio::test]
async fn every_notifier_is_a_notifier() {
    testing::exercise_notifier(&RecordingNotifier::new("recording"), &[]).await;
    testing::exercise_notifier(&notify_fn("log", async |_event| Ok(())), &[]).await;
}
