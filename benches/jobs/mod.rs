//! What `benches/jobs.rs` is made of.

pub(crate) mod batch;
pub(crate) mod cancel;
pub(crate) mod child;
pub(crate) mod cpu;
pub(crate) mod fleet;
pub(crate) mod host;
pub(crate) mod idle;
pub(crate) mod kill;
pub(crate) mod latency;
pub(crate) mod life;
#[path = "../machine/mod.rs"]
pub(crate) mod machine;
pub(crate) mod report;
pub(crate) mod river;
pub(crate) mod share;
pub(crate) mod site;
pub(crate) mod step;

use std::time::Duration;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Waits for something that comes within a minute, unless the measurement is broken.
pub(crate) async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(Duration::from_secs(60), wait)
        .await
        .map_err(|_| format!("nothing came of this within a minute: {what}").into())
}
