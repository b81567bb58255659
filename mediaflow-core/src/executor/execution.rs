use std::time::Duration;

use super::attempt::Attempt;
use super::fetch::Sources;
use super::resources::Resources;
use crate::{Result, RunContext};

/// What one attempt has at hand.
pub(super) struct Execution<'a> {
    pub(super) resources: &'a Resources,
    pub(super) cx: &'a RunContext,
    pub(super) sources: &'a Sources<'a>,
    pub(super) attempt: &'a Attempt,
    /// Whom the results are staged for.
    pub(super) job: String,
}

/// How long work that was stopped may take to end by itself.
const MOMENT: Duration = Duration::from_secs(2);

/// Waits for work, but not for ever: once its job is cancelled or past its deadline, the work has a moment to end by
/// itself and to clean up; then it is dropped.
pub(super) async fn stopping<T>(
    cx: &RunContext,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        result = &mut work => result,
        error = cx.stopped() => tokio::time::timeout(MOMENT, work).await.unwrap_or(Err(error)),
    }
}
