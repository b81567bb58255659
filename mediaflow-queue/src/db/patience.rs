use std::time::Duration;

use mediaflow_core::{CancellationToken, Error, ErrorKind, Result, codes};
use tokio::time::Instant;

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(5);

/// How often a log tells that the database is still away.
const TELL: Duration = Duration::from_secs(30);

/// How long is tried on when the process has to end: a conflict passes in that time.
const LAST_TRY: Duration = Duration::from_secs(2);

/// Does `work`, a whole transaction, again for as long as the database is away: until `end`, which is that of the process.
/// What hours of work have made is not thrown away because of an outage, however long.
pub(crate) async fn patiently<T, F>(
    end: Option<&CancellationToken>,
    work: impl Fn() -> F + Send + Sync,
) -> Result<T>
where
    F: Future<Output = Result<T>> + Send,
{
    let began = Instant::now();
    let (mut wait, mut told, mut until) = (Duration::from_millis(20), None::<Instant>, None);
    loop {
        let error = match work().await {
            Err(error) if passes(&error) => error,
            ended => return ended,
        };
        if end.is_some_and(CancellationToken::is_cancelled) {
            let until = *until.get_or_insert_with(|| Instant::now() + LAST_TRY);
            if Instant::now() >= until {
                return Err(error);
            }
            wait = wait.min(LAST_TRY / 8);
        }
        if told.is_none_or(|told| told.elapsed() >= TELL) {
            told = Some(Instant::now());
            tracing::warn!(%error, away = ?began.elapsed(), "the database is away; trying again until it is back");
        }
        let pause = tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64()));
        match end.filter(|end| !end.is_cancelled()) {
            Some(end) => drop(end.run_until_cancelled(pause).await),
            None => pause.await,
        }
        wait = (wait * 2).min(LONGEST);
    }
}

/// Whether an error is the database's, and can pass. An operator who has locked us out has not meant the work that is
/// under way: it is written when the way is free again.
fn passes(error: &Error) -> bool {
    error.kind() == ErrorKind::Transient
        || matches!(
            error.code(),
            codes::QUEUE_AUTH
                | codes::QUEUE_NO_DATABASE
                | codes::QUEUE_PERMISSION
                | codes::QUEUE_READ_ONLY
                | codes::QUEUE_OPEN
        )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn away() -> Error {
        Error::transient("queue.unavailable", "the database does not answer")
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_of_any_length_is_waited_out() {
        let (began, tries) = (Instant::now(), AtomicU32::new(0));
        let back = Duration::from_secs(15 * 60);
        let work = || async {
            tries.fetch_add(1, Ordering::Relaxed);
            if began.elapsed() < back { Err(away()) } else { Ok("written") }
        };
        let end = CancellationToken::new();
        assert_eq!(patiently(Some(&end), work).await.ok(), Some("written"));
        assert!(began.elapsed() < back + LONGEST * 2, "{:?}", began.elapsed());
        let tries = tries.into_inner();
        assert!((100..1000).contains(&tries), "{tries} tries in a quarter of an hour");
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_process_is_not_held_up() {
        let end = CancellationToken::new();
        let waits = tokio::spawn({
            let end = end.clone();
            async move { patiently(Some(&end), || async { Err::<(), _>(away()) }).await }
        });
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert!(!waits.is_finished());
        end.cancel();
        let ended = Instant::now();
        assert!(waits.await.is_ok_and(|written| written.is_err()));
        assert!(ended.elapsed() <= LAST_TRY * 2, "{:?}", ended.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_conflict_at_the_end_of_the_process_is_tried_again() {
        let (end, tries) = (CancellationToken::new(), AtomicU32::new(0));
        end.cancel();
        let work = || async {
            if tries.fetch_add(1, Ordering::Relaxed) < 3 { Err(away()) } else { Ok(()) }
        };
        assert!(patiently(Some(&end), work).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_told_at_once() {
        let refused = || async { Err::<(), _>(Error::backend("queue.fenced", "taken over")) };
        let began = Instant::now();
        assert!(patiently(None, refused).await.is_err());
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
