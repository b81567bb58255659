//! Channels that take several messages in one request.

use super::{DAY, Host, SECOND, broken, created, spec};
use crate::engine::Engine;
use crate::notify::{NotifyError, Terms};
use crate::spec::JobOptions;
use crate::testing::Act;
use crate::{Clock as _, JobId};

fn in_tens() -> Terms {
    Terms { batch: 10, ..Terms::default() }
}

pub(super) async fn what_is_for_one_address_goes_in_one_request<E: Engine>(host: Host<E>) {
    let running = host.start(created().under(in_tens())).await;
    let rejected = Act::Fail(NotifyError::rejected("no"));
    // Of one request, some arrive and others do not.
    running.hooks.next("a/1", [Act::Take, broken(), rejected, Act::Take]);
    let later = running.clock.now().plus(3650 * DAY);
    let specs = (0..30).map(|number| {
        let to = if number % 6 == 0 { "a/2" } else { "a/1" };
        spec("parked").with_options(JobOptions::new().run_at(later).notify("hooks", to))
    });
    let batch = running.media.eager(specs).await.expect("submit");
    let jobs: Vec<_> = batch.jobs().map(|job| job.id()).collect();
    running.until("a/1", 26, SECOND).await;
    running.until("a/2", 5, SECOND).await;
    let told = running.hooks.told(31).await;
    let ids = |to: &str| -> Vec<JobId> {
        told.iter().filter(|told| told.to == to).filter_map(|told| told.event.job).collect()
    };
    let mut arrived = [ids("a/1"), ids("a/2")].concat();
    arrived.sort();
    arrived.dedup();
    let mut expected = jobs.clone();
    expected.sort();
    assert_eq!(arrived, expected);
    assert_eq!((ids("a/1").len(), ids("a/2").len()), (26, 5));
    let most = told.iter().map(|told| told.together).max().unwrap_or_default();
    assert!((2..=10).contains(&most), "{most} in one request");
    // One was refused for good, and one is tried again by itself.
    let again: Vec<_> = told.iter().filter(|told| told.attempt == 2).collect();
    assert_eq!(again.iter().map(|told| told.together).collect::<Vec<_>>(), [1]);
    let failure = running.failures(1).await.remove(0);
    assert_eq!((failure.dead, &*failure.reason, failure.attempts), (1, "no", 1));
    running.done().await;
}

pub(super) async fn a_request_that_fails_as_a_whole_fails_once<E: Engine>(mut host: Host<E>) {
    host.policy.breaker_after = 3;
    let running = host.start(created().under(in_tens())).await;
    // Whoever is to blame is found out by itself.
    running.hooks.next("a", [Act::Panic]);
    let later = running.clock.now().plus(3650 * DAY);
    let specs = (0..6)
        .map(|_| spec("parked").with_options(JobOptions::new().run_at(later).notify("hooks", "a")));
    running.media.eager(specs).await.expect("submit");
    // All of them once, and the first again.
    let told = running.until("a", 7, SECOND).await;
    let waited = told[told.len() - 1].at.since(told[0].at);
    // Neither did the breaker open, which takes half a minute to let a probe through.
    assert!(waited < 30 * SECOND, "{waited:?}");
    assert!(told.iter().filter(|told| told.attempt == 2).all(|told| told.together == 1));
    running.done().await;
}
