use std::time::Duration;

use tokio::time::timeout;

use super::attempt::Attempt;
use super::fetch::Sources;
use super::policy::RetryPolicy;
use super::resources::Resources;
use crate::{Result, Retry, RunContext};

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
pub(super) const MOMENT: Duration = Duration::from_secs(2);

/// How long an attempt may take, or a publication, once its job is cancelled or past its deadline.
pub(super) const ENDING: Duration = Duration::from_secs(10);

/// How often what is done with a storage is tried before the whole attempt fails: what was made is still there.
pub(super) const TRIES: u32 = 4;

/// Waits for work, but not for ever: once its job is cancelled or past its deadline, the work has a moment to end by
/// itself and to clean up; then it is dropped.
pub(super) async fn stopping<T>(
    cx: &RunContext,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    within(MOMENT, cx, work).await
}

/// The same for a whole attempt, whatever in it does not look whether it is to stop.
pub(super) async fn ending<T>(
    cx: &RunContext,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    within(ENDING, cx, attempt).await
}

/// The same for a step, which is also stopped when it is stuck.
pub(super) async fn watched<T>(
    cx: &RunContext,
    step: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut step = std::pin::pin!(step);
    tokio::select! {
        biased;
        result = &mut step => result,
        error = cx.stopped() => timeout(MOMENT, step).await.unwrap_or(Err(error)),
        // Whatever it says now it says because it was stopped.
        error = cx.stalled() => match timeout(MOMENT, step).await {
            Ok(Ok(made)) => Ok(made),
            Ok(Err(_)) | Err(_) => Err(error),
        },
    }
}

/// Does something again that may pass, a few times, with the waits of the retry policy.
pub(super) async fn repeated<T, F>(
    cx: &RunContext,
    retry: &RetryPolicy,
    mut work: impl FnMut() -> F + Send,
) -> Result<T>
where
    F: Future<Output = Result<T>> + Send,
{
    let mut tries = 0;
    loop {
        let error = match work().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        tries += 1;
        if tries >= TRIES || error.retry() == Retry::Never {
            return Err(error);
        }
        tracing::debug!(%error, tries, "trying again");
        cx.sleep(retry.wait(tries)).await?;
    }
}

async fn within<T>(
    moment: Duration,
    cx: &RunContext,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        result = &mut work => result,
        error = cx.stopped() => timeout(moment, work).await.unwrap_or(Err(error)),
    }
}
