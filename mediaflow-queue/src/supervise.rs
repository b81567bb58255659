//! Loops that must not end: one that panics is begun again, and counted.
//!
//! Uses: metrics.

use mediaflow_core::{CancellationToken, engine};

use crate::metrics;

/// Runs a loop until it ends by itself, or `stop`. Dropping this aborts it.
pub(crate) async fn supervise<F>(name: &'static str, stop: CancellationToken, run: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    engine::supervise(name, stop, || metrics::restarted(name), run).await;
}
