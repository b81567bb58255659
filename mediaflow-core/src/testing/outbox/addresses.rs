//! Addresses that share an origin, and the host's own endpoint among them: what one of them does is no other's fault.

use std::time::Duration;

use super::{Host, Running, SECOND, broken, created};
use crate::engine::Engine;
use crate::notify::NotifyError;
use crate::testing::{Act, soon};

/// An answer, and no success.
fn answered(status: u16) -> Act {
    Act::Answer(status, Vec::new(), Some(NotifyError::retryable(status.to_string())))
}

impl Running {
    /// Waits until there have been so many attempts at an address, without turning the clock.
    async fn at_once(&self, to: &str, attempts: usize) {
        let arrived = async {
            while self.hooks.of(to).len() < attempts {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        soon(&format!("{attempts} attempts at `{to}`, at once"), arrived).await;
    }
}

pub(super) async fn an_address_that_answers_with_errors_silences_no_other<E: Engine>(
    host: Host<E>,
) {
    let running = host.start(created()).await;
    running.hooks.always("o/bad", answered(404));
    for _ in 0..8 {
        running.tell("o/bad").await;
    }
    running.until("o/bad", 12, 10 * SECOND).await;
    running.tell("o/fine").await;
    running.at_once("o/fine", 1).await;
    running.done().await;
}

pub(super) async fn a_probe_that_failed_is_followed_by_one_of_another_recipient<E: Engine>(
    mut host: Host<E>,
) {
    host.policy.concurrency = 1;
    let running = host.start(created()).await;
    running.hooks.always("o/dead", broken());
    for _ in 0..12 {
        running.tell("o/dead").await;
    }
    running.hooks.told(5).await;
    running.tell("o/fine").await;
    running.until("o/fine", 1, 10 * SECOND).await;
    let told = running.hooks.told(1).await;
    let before = told.iter().take_while(|told| told.to != "o/fine").count();
    assert!(
        before <= 6,
        "five failures open the breaker, and the second probe is another's: {before}"
    );
    running.done().await;
}

pub(super) async fn answers_of_the_hosts_own_endpoint_open_its_breaker<E: Engine>(
    mut host: Host<E>,
) {
    host.policy.concurrency = 1;
    let running = host.start(created()).await;
    running.hooks.always("", answered(404));
    for _ in 0..8 {
        running.tell("").await;
    }
    let told = running.until("", 6, SECOND).await;
    assert!(told[5].at.since(told[4].at) >= 30 * SECOND, "a probe");
    running.done().await;
}
