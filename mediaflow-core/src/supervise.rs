//! Loops that must not end: one that panics is told of, and begun again.
//!
//! Uses: nothing.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The waits before a loop is begun again.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(30);

/// Runs a loop of an engine until it ends by itself. One that panics is begun again after a while, unless it is time to
/// `stop`; `panicked` is called for each panic. Dropping this aborts the loop.
pub async fn supervise<F>(
    name: &'static str,
    stop: CancellationToken,
    panicked: impl Fn(),
    run: impl Fn() -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut wait = FIRST;
    loop {
        let began = Instant::now();
        let ended = AbortOnDropHandle::new(tokio::spawn(run())).await;
        match ended {
            Err(panic) if panic.is_panic() => {
                tracing::error!(name, %panic, "a loop has panicked, and is begun again: please report it");
                panicked();
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
        let (runs, panics) = (Arc::new(AtomicU32::new(0)), AtomicU32::new(0));
        let run = || {
            let runs = Arc::clone(&runs);
            async move { assert!(runs.fetch_add(1, Ordering::Relaxed) > 2, "on demand") }
        };
        let panicked = || {
            panics.fetch_add(1, Ordering::Relaxed);
        };
        supervise("test", CancellationToken::new(), panicked, run).await;
        assert_eq!((runs.load(Ordering::Relaxed), panics.load(Ordering::Relaxed)), (4, 3));
    }

    #[tokio::test]
    async fn it_is_not_begun_again_after_the_end() {
        let stop = CancellationToken::new();
        stop.cancel();
        supervise("test", stop, || {}, || async { panic!("on demand") }).await;
    }
}
