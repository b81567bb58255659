//! What the benchmarks of the durable engines share: hosts, worker processes, databases, and the report.
#![allow(dead_code, reason = "each benchmark uses another part of it")]

pub(crate) mod child;
pub(crate) mod cpu;
pub(crate) mod host;
#[path = "../machine/mod.rs"]
pub(crate) mod machine;
pub(crate) mod options;
pub(crate) mod report;
pub(crate) mod site;
pub(crate) mod sql;
pub(crate) mod step;

use std::time::Duration;

pub(crate) use machine::{Error, Result};

/// Waits for something that comes within a minute, unless the measurement is broken.
pub(crate) async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(Duration::from_secs(60), wait)
        .await
        .map_err(|_| format!("nothing came of this within a minute: {what}").into())
}
