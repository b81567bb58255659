//! Loops that must not end: one that panics is told of, counted, and begun again.
//!
//! Uses: metrics.

use std::time::Duration;

use mediaflow_core::CancellationToken;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::metrics;

/// The waits before a loop is begun again.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(30);

/// Runs a loop until it ends by itself, or `stop`. Dropping this aborts it.
pub(crate) async fn supervise<F>(name: &'static str, stop: CancellationToken, run: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut wait = FIRST;
    loop {
        let began = Instant::now();
        let ended = AbortOnDropHandle::new(tokio::spawn(run())).await;
        match ended {
            Err(panic) if panic.is_panic() => {
                tracing::error!(name, %panic, "a loop has panicked, and is begun again: please report it");
                metrics::restarted(name);
            }
            _ => return,
        }
        if began.elapsed() > LONGEST {
            wait = FIRST;
        }
        if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
        wait = (wait * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_loop_that_panics_is_begun_again() {
        let runs = Arc::new(AtomicU32::new(0));
        let run = || {
            let runs = Arc::clone(&runs);
            async move { assert!(runs.fetch_add(1, Ordering::Relaxed) > 2, "on demand") }
        };
        supervise("test", CancellationToken::new(), run).await;
        assert_eq!(runs.load(Ordering::Relaxed), 4);
    }

    #[tokio::test]
    async fn it_is_not_begun_again_after_the_end() {
        let stop = CancellationToken::new();
        stop.cancel();
        supervise("test", stop, || async { panic!("on demand") }).await;
    }
}
