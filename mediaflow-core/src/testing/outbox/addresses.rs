//! Addresses that share an origin, and the host's own endpoint among them: what one of them does is no other's fault.

use std::time::Duration;

use super::{DAY, Host, Running, SECOND, broken, created, refused, spec};
use crate::engine::Engine;
use crate::event::EventKind;
use crate::notify::{Credentials, NotifyError, Scope, Terms};
use crate::spec::JobOptions;
use crate::testing::{Act, ScriptedNotifier, soon};

/// An answer, and no success.
fn answered(status: u16) -> Act {
    Act::Answer(status, Vec::new(), Some(NotifyError::retryable(status.to_string())))
}

/// Everything that goes through the channel counts together, to the notifier's own address and to others.
fn together() -> ScriptedNotifier {
    let terms = Terms { scope: Scope::Channel, ..Terms::default() };
    created().under(terms)
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

    /// How often it was told that an endpoint was disabled.
    fn disabled(&self) -> usize {
        let told = self.ops.of("").into_iter();
        told.filter(|told| told.event.kind == EventKind::DestinationDisabled).count()
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
    // Small steps: it is to be routed before the first probe, on a busy machine as well.
    running.until("o/fine", 1, SECOND).await;
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

pub(super) async fn a_failure_after_idle_days_disables_nothing<E: Engine>(mut host: Host<E>) {
    host.policy.concurrency = 1;
    let running = host.start(created()).await;
    running.hooks.next("", [broken(), broken(), broken(), broken()]);
    running.tell("").await;
    running.until("", 3, SECOND).await;
    running.failures(1).await;
    running.clock.advance(6 * DAY);
    running.tell("").await;
    running.tell("").await;
    running.until("", 6, SECOND).await;
    assert_eq!(running.disabled(), 0);
    running.done().await;
}

pub(super) async fn refused_credentials_of_the_host_hold_all_addresses_back<E: Engine>(
    mut host: Host<E>,
) {
    host.policy.concurrency = 1;
    let terms = Terms { credentials: Some(Credentials::Host), ..Terms::default() };
    let running = host.start(created().under(terms)).await;
    let all = ["o/1", "o/2", "o/3"];
    let answer = |act: Act| all.iter().for_each(|to| running.hooks.always(to, act.clone()));
    let attempts = || all.map(|to| running.hooks.of(to).len());
    answer(refused());
    for to in all {
        running.tell(to).await;
    }
    let failure = running.failures(1).await.remove(0);
    assert_eq!((failure.destination.as_str(), failure.reason.as_str()), ("o", "401"));
    assert_eq!(failure.dead, 0);
    let probed = async {
        while attempts().iter().sum::<usize>() < 6 {
            running.clock.advance(15 * SECOND);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the probes", probed).await;
    // One attempt, and then one probe at a time, at growing distances and not always for the same one.
    let told = running.hooks.told(6).await;
    let waits: Vec<_> = told.windows(2).map(|pair| pair[1].at.since(pair[0].at)).collect();
    let least = [30, 60, 120, 240, 480].map(|seconds| seconds * SECOND);
    assert!(waits.iter().zip(least).all(|(wait, least)| *wait >= least), "{waits:?}");
    assert!(attempts().iter().all(|attempts| *attempts > 0), "{:?}", attempts());

    // Somebody has put it right: nothing was lost, and that it was refused was told once.
    answer(Act::Take);
    let before = attempts();
    let arrived = async {
        while attempts().iter().zip(before).any(|(now, before)| *now == before) {
            running.clock.advance(15 * SECOND);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("what has waited", arrived).await;
    assert_eq!(running.failures(1).await.len(), 1);
    answer(refused());
    running.tell("o/2").await;
    assert_eq!(running.failures(2).await[1].destination, "o", "another failure");
    running.done().await;
}

/// Attempts once a day for days, or more seldom on a busy machine, and no breaker.
fn daily<E: Engine>(host: &mut Host<E>) {
    host.policy.schedule = vec![DAY; 12];
    host.policy.time_to_live = 60 * DAY;
    host.policy.longest = 10 * DAY;
    host.policy.breaker_after = 0;
}

pub(super) async fn failures_of_others_do_not_disable_the_hosts_own_endpoint<E: Engine>(
    mut host: Host<E>,
) {
    daily(&mut host);
    let running = host.start(together()).await;
    running.hooks.always("a", broken());
    running.tell("a").await;
    running.until("a", 6, DAY / 16).await;
    running.hooks.next("", [broken()]);
    running.tell("").await;
    running.until("", 2, DAY / 16).await;
    assert_eq!(running.disabled(), 0);
    running.done().await;
}

pub(super) async fn an_endpoint_that_is_disabled_gives_up_only_its_own<E: Engine>(
    mut host: Host<E>,
) {
    daily(&mut host);
    let running = host.start(together()).await;
    running.hooks.always("", broken());
    running.hooks.always("a", broken());
    running.tell("").await;
    running.tell("a").await;
    let disabled = async {
        while running.disabled() == 0 {
            running.clock.advance(DAY / 8);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the end of the endpoint", disabled).await;
    let (own, others) = (running.hooks.of("").len(), running.hooks.of("a").len());
    running.tell("").await;
    running.tell("b").await;
    running.at_once("b", 1).await;
    running.until("a", others + 1, DAY / 8).await;
    assert_eq!(running.hooks.of("").len(), own, "nothing goes there any more");
    running.done().await;
}

pub(super) async fn what_is_against_one_address_is_told_once_whatever_others_do<E: Engine>(
    host: Host<E>,
) {
    let running = host.start(created()).await;
    running.hooks.always("a/refused", refused());
    running.hooks.always("b/refused", refused());
    for number in 1..=5 {
        running.tell("a/refused").await;
        running.at_once("a/refused", number).await;
        running.tell("a/fine").await;
        running.at_once("a/fine", number).await;
    }
    running.tell("b/refused").await;
    let told = running.failures(2).await;
    let told: Vec<_> = told.iter().map(|failure| failure.destination.as_str()).collect();
    assert_eq!(told, ["a", "b"]);
    // Something arrives there, and it is another failure.
    running.hooks.always("a/refused", Act::Take);
    running.tell("a/refused").await;
    running.at_once("a/refused", 6).await;
    running.tell("a/fine").await;
    running.at_once("a/fine", 6).await;
    running.hooks.always("a/refused", refused());
    running.tell("a/refused").await;
    assert_eq!(running.failures(3).await[2].destination, "a");
    running.done().await;
}

pub(super) async fn an_address_that_is_refused_is_in_no_error<E: Engine>(host: Host<E>) {
    let running = host.start(created()).await;
    let secret = "T0-secret-token-1234567890";
    let options = JobOptions::new().notify("hooks", format!("refused/{secret}"));
    let error = running.media.submit(spec("a").with_options(options)).await.expect_err("refused");
    assert_eq!((error.code(), error.fact("channel")), ("notify.address", Some("hooks")));
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("[REDACTED]") && !shown.contains("secret"), "{shown}");
    running.done().await;
}
