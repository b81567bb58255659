use std::time::Duration;

use mediaflow_core::{Result, codes};
use tokio::time::Instant;

/// For how long a transaction is tried again that is in the way of another one.
const PATIENCE: Duration = Duration::from_secs(5);

const LONGEST: Duration = Duration::from_millis(400);

/// Does a whole transaction again while it is in the way of others, each time after a longer wait, and at random, so that
/// two do not meet again.
pub(crate) async fn through_conflicts<T, F>(work: impl Fn() -> F + Send + Sync) -> Result<T>
where
    F: Future<Output = Result<T>> + Send,
{
    let began = Instant::now();
    let mut wait = Duration::from_millis(5);
    loop {
        match work().await {
            Err(error) if error.code() == codes::QUEUE_CONFLICT && began.elapsed() < PATIENCE => {
                tracing::debug!(%error, "a transaction is done again");
                tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64())).await;
                wait = (wait * 2).min(LONGEST);
            }
            done => return done,
        }
    }
}
