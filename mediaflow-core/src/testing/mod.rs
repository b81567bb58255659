//! For the tests of those who extend mediaflow: one conformance suite per contract, fakes, a clock that a test turns by
//! hand, storage that fails on demand, and a loopback receiver of webhooks. Not covered by semantic versioning.
//!
//! A suite is one call, and panics with what is wrong:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use mediaflow_core::storage::MemoryStorage;
//! use mediaflow_core::testing;
//!
//! testing::exercise_storage(&MemoryStorage::new()).await;
//! # }
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a suite reports what is wrong by panicking"
)]

mod backend;
mod clock;
mod engine;
mod fake;
mod faults;
mod job;
mod media;
mod notifier;
mod operation;
mod outbox;
mod reader;
#[cfg(feature = "http")]
mod receiver;
mod scripted;
mod storage;
mod vendor;

use std::time::Duration;

pub use backend::exercise_backend;
pub use clock::ManualClock;
pub use engine::exercise_engine;
pub use fake::{Behaviour, FakeBackend, FakeReader, FakeWork, RecordingNotifier, dot};
pub use faults::FaultyStorage;
pub use job::exercise_job;
pub use notifier::exercise_notifier;
pub use operation::{exercise_agreement, exercise_operation, exercise_word};
pub use outbox::{exercise_composition, exercise_outbox};
pub use reader::exercise_reader;
#[cfg(feature = "http")]
pub use receiver::{Received, Reply, WebhookReceiver};
pub use scripted::{Act, ScriptedNotifier, Told};
pub use storage::{exercise_shared_storage, exercise_storage, exercise_uploads};
pub use vendor::{FakeEncode, FakeVendor, VendorJob, vendor_done};

use crate::media::Scratch;
use crate::{CancellationToken, CpuPool, RunContext};

/// A context as a running job has it, with the system's folder for temporary files.
#[must_use]
pub fn context() -> RunContext {
    RunContext::builder(CpuPool::per_core(), Scratch::in_folder(std::env::temp_dir())).build(None)
}

/// A context whose job has been cancelled.
#[must_use]
pub fn cancelled_context() -> RunContext {
    let cancel = CancellationToken::new();
    cancel.cancel();
    RunContext::builder(CpuPool::per_core(), Scratch::in_folder(std::env::temp_dir()))
        .cancellation(cancel)
        .build(None)
}

/// Waits for something that must happen soon; panics with `what` if it does not.
pub async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, wait)
        .await
        .unwrap_or_else(|_| panic!("within {limit:?} there was no {what}"))
}
