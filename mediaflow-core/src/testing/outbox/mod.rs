mod addresses;
mod batches;
mod composition;
mod pace;
mod recipients;
mod routes;
mod together;

use std::sync::Arc;
use std::time::Duration;

pub use composition::exercise_composition;

use addresses::{
    a_failure_after_idle_days_disables_nothing,
    a_probe_that_failed_is_followed_by_one_of_another_recipient,
    an_address_that_answers_with_errors_silences_no_other,
    an_address_that_is_refused_is_in_no_error, an_endpoint_that_is_disabled_gives_up_only_its_own,
    answers_of_the_hosts_own_endpoint_open_its_breaker,
    failures_of_others_do_not_disable_the_hosts_own_endpoint,
    refused_credentials_of_the_host_hold_all_addresses_back,
    what_is_against_one_address_is_told_once_whatever_others_do,
};
use batches::{
    a_batch_comes_with_as_many_reports_as_its_channel_wants, a_batch_is_told_in_numbers,
    a_batch_of_a_job_that_another_one_has_is_told, a_large_batch_is_told_in_few_words,
};
use pace::{
    a_failure_is_written_down_without_haste,
    a_probe_that_finds_nothing_is_not_repeated_all_the_time, what_waits_for_its_turn_is_no_attempt,
};
use recipients::{
    a_directory_that_does_not_answer_holds_up_nobody_else,
    a_notifier_that_panics_over_an_event_is_asked_again,
    a_recipient_that_its_channel_refuses_is_told_of, a_thread_goes_on,
    recipients_are_found_and_found_again, recipients_that_are_never_found_are_told_of_once,
};

use routes::{
    a_digest_is_handed_on_to_those_whom_each_job_names, a_digest_is_handed_on_with_all_its_events,
    a_digest_is_known_of_each_of_its_jobs, a_digest_of_several_jobs_is_in_no_thread,
    a_digest_tells_of_everything_once, a_route_tells_of_progress, a_throttle_loses_nothing,
    an_address_that_its_channel_refuses_is_passed_over, each_channel_is_told_by_itself,
    nobody_is_told_in_quiet_hours, people_are_told_where_and_how_they_want_to_be,
    several_addresses_of_a_step_are_told_at_once, somebody_who_is_there_twice_is_told_once,
    what_a_channel_can_not_deliver_goes_through_the_next,
    what_nobody_takes_care_of_is_told_to_others, who_takes_the_place_of_several_is_told_once,
};

use together::{
    a_request_that_fails_as_a_whole_fails_once, what_is_for_one_address_goes_in_one_request,
};

use super::scripted::Told;
use super::{Act, FakeBackend, FakeWork, ManualClock, ScriptedNotifier, dot, soon};
use crate::engine::Engine;
use crate::event::{DeliveryFailure, EventData, EventKind};
use crate::executor::DeliveryPolicy;
use crate::notify::{NotifyError, RateLimit, Scope, Terms};
use crate::spec::{IntoSpec, JobOptions, JobSpec, Pipeline};
use crate::storage::MemoryStorage;
use crate::{Builder, Clock as _, JobId, Mediaflow};

/// The conformance suite of an engine's outbox: `make` gives a new, empty engine each time, on this clock.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_outbox<E: Engine>(make: impl AsyncFn(ManualClock) -> E) {
    macro_rules! each {
        ($($test:ident)*) => {
            $({
                let clock = ManualClock::new();
                $test(Host::new(make(clock.clone()).await, clock)).await;
            })*
        };
    }
    each! {
        everything_but_success_is_tried_again
        a_schedule_ends_and_is_told_once
        patience_and_outages_use_up_no_attempts
        refused_credentials_hold_a_destination_back
        refused_credentials_of_one_address_hold_back_only_that
        refused_credentials_of_the_host_hold_all_addresses_back
        an_address_that_is_gone_ends_alone
        the_hosts_own_endpoint_is_disabled_after_days
        addresses_of_one_origin_share_a_breaker
        an_address_that_answers_with_errors_silences_no_other
        a_probe_that_failed_is_followed_by_one_of_another_recipient
        answers_of_the_hosts_own_endpoint_open_its_breaker
        a_failure_after_idle_days_disables_nothing
        failures_of_others_do_not_disable_the_hosts_own_endpoint
        an_endpoint_that_is_disabled_gives_up_only_its_own
        what_is_against_one_address_is_told_once_whatever_others_do
        an_address_that_is_refused_is_in_no_error
        a_probe_that_finds_nothing_is_not_repeated_all_the_time
        a_failure_is_written_down_without_haste
        what_waits_for_its_turn_is_no_attempt
        a_time_to_live_ends_what_waits
        recipients_are_found_and_found_again
        recipients_that_are_never_found_are_told_of_once
        a_recipient_that_its_channel_refuses_is_told_of
        a_directory_that_does_not_answer_holds_up_nobody_else
        a_notifier_that_panics_over_an_event_is_asked_again
        terms_of_a_channel_are_kept
        what_is_for_one_address_goes_in_one_request
        a_request_that_fails_as_a_whole_fails_once
        a_thread_goes_on
        a_batch_is_told_in_numbers
        a_large_batch_is_told_in_few_words
        a_batch_comes_with_as_many_reports_as_its_channel_wants
        a_batch_of_a_job_that_another_one_has_is_told
        each_channel_is_told_by_itself
        a_route_tells_of_progress
        an_address_that_its_channel_refuses_is_passed_over
        who_takes_the_place_of_several_is_told_once
        several_addresses_of_a_step_are_told_at_once
        somebody_who_is_there_twice_is_told_once
        what_a_channel_can_not_deliver_goes_through_the_next
        people_are_told_where_and_how_they_want_to_be
        a_digest_tells_of_everything_once
        a_digest_is_known_of_each_of_its_jobs
        a_digest_of_several_jobs_is_in_no_thread
        a_digest_is_handed_on_to_those_whom_each_job_names
        a_digest_is_handed_on_with_all_its_events
        a_throttle_loses_nothing
        nobody_is_told_in_quiet_hours
        what_nobody_takes_care_of_is_told_to_others
    }
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

struct Host<E> {
    engine: E,
    clock: ManualClock,
    fake: FakeBackend,
    policy: DeliveryPolicy,
}

/// A host that runs, with its notifiers.
struct Running {
    media: Mediaflow,
    clock: ManualClock,
    hooks: ScriptedNotifier,
    /// Hears of failures to tell, and of destinations.
    ops: ScriptedNotifier,
}

impl<E: Engine> Host<E> {
    /// Attempts after 5 s and 60 s, without jitter.
    fn new(engine: E, clock: ManualClock) -> Self {
        let schedule = vec![5 * SECOND, 60 * SECOND];
        let policy = DeliveryPolicy { schedule, jitter: 0.0, ..DeliveryPolicy::default() };
        Self { engine, clock, fake: FakeBackend::new(), policy }
    }

    async fn start(self, hooks: ScriptedNotifier) -> Running {
        self.start_with(hooks, |builder| builder).await
    }

    async fn start_with(
        self,
        hooks: ScriptedNotifier,
        change: impl FnOnce(Builder) -> Builder,
    ) -> Running {
        let kinds = [EventKind::DeliveryFailed, EventKind::DestinationDisabled];
        let ops = ScriptedNotifier::new(kinds).named("ops");
        let builder = Mediaflow::builder()
            .engine(self.engine)
            .with(self.fake.operations())
            .storage_with("out", MemoryStorage::new())
            .clock(Arc::new(self.clock.clone()))
            .delivery(self.policy)
            .notify(hooks.clone())
            .notify(ops.clone());
        let media = change(builder).start().await.expect("start");
        Running { media, clock: self.clock, hooks, ops }
    }
}

impl Running {
    /// Tells an address of the creation of a job that never runs.
    async fn tell(&self, to: &str) -> JobId {
        let later = self.clock.now().plus(3650 * DAY);
        let options = JobOptions::new().run_at(later);
        let options = if to.is_empty() { options } else { options.notify("hooks", to) };
        let job = self.media.submit(spec("parked").with_options(options)).await;
        job.expect("submit").id()
    }

    /// The failures that were told, once there are so many attempts to tell.
    async fn failures(&self, attempts: usize) -> Vec<DeliveryFailure> {
        let told = self.ops.told(attempts).await;
        let failure = |told: Told| match told.event.data {
            EventData::Delivery(failure) => Some(*failure),
            _ => None,
        };
        told.into_iter().filter_map(failure).collect()
    }

    /// Turns the clock a little at a time until there have been so many attempts at an address. Not faster than a busy
    /// machine can follow: what waits has a time to live.
    async fn until(&self, to: &str, attempts: usize, step: Duration) -> Vec<Told> {
        let turned = async {
            while self.hooks.of(to).len() < attempts {
                self.clock.advance(step);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon(&format!("{attempts} attempts at `{to}`"), turned).await;
        self.hooks.of(to)
    }

    async fn done(self) {
        // What waits for days is not waited for.
        soon("shutdown", self.media.shutdown(Duration::ZERO)).await.expect("shutdown");
    }
}

fn created() -> ScriptedNotifier {
    ScriptedNotifier::new([EventKind::JobCreated])
}

fn spec(name: &str) -> JobSpec {
    let pipeline = Pipeline::from(dot())
        .output(format!("out/{name}.gif"), |dot| dot.then(FakeWork::new(name)));
    pipeline.build().and_then(IntoSpec::into_spec).expect("a valid spec")
}

fn broken() -> Act {
    Act::Fail(NotifyError::retryable("broken"))
}

fn refused() -> Act {
    Act::Fail(NotifyError::Auth { reason: "401".into() })
}

async fn everything_but_success_is_tried_again<E: Engine>(host: Host<E>) {
    let running = host.start(created()).await;
    running.hooks.next("a", [broken(), Act::Fail(NotifyError::ambiguous("no answer"))]);
    running.tell("a").await;
    let told = running.until("a", 3, SECOND).await;
    let waits: Vec<_> = told.windows(2).map(|pair| pair[1].at.since(pair[0].at)).collect();
    assert!(waits[0] >= 5 * SECOND && waits[1] >= 60 * SECOND, "{waits:?}");
    assert!(told.iter().all(|told| told.message.id == told.event.id.into()));
    assert!(told.iter().map(|told| told.attempt).eq(1..=3));
    running.done().await;
}

async fn a_schedule_ends_and_is_told_once<E: Engine>(host: Host<E>) {
    let running = host.start(created()).await;
    running.hooks.always("a", broken());
    running.hooks.always("a/2", broken());
    running.tell("a").await;
    running.until("a", 3, SECOND).await;
    let failure = running.failures(1).await.remove(0);
    assert_eq!((failure.channel.as_str(), failure.destination.as_str()), ("hooks", "a"));
    assert_eq!((failure.attempts, failure.reason.as_str(), failure.dead), (3, "broken", 1));
    // Another address at the same origin has nothing new to say of it.
    running.tell("a/2").await;
    running.until("a/2", 3, 30 * SECOND).await;
    running.tell("elsewhere").await;
    running.until("elsewhere", 1, SECOND).await;
    assert_eq!(running.failures(1).await.len(), 1);
    running.done().await;
}

async fn patience_and_outages_use_up_no_attempts<E: Engine>(mut host: Host<E>) {
    // Until the breaker opens, failures count: five of them, for whichever message.
    host.policy.schedule = vec![5 * SECOND; 5];
    let running = host.start(created()).await;
    let after = Some(90 * SECOND);
    let throttled = || Act::Fail(NotifyError::Throttled { after, reason: "429".into() });
    running.hooks.next("a", (0..12).map(|_| throttled()));
    running.hooks.next("b", (0..12).map(|_| broken()));
    running.tell("a").await;
    let told = running.until("a", 13, 30 * SECOND).await;
    assert!(told.windows(2).all(|pair| pair[1].at.since(pair[0].at) >= 90 * SECOND));
    // Five failures open the breaker; after that only probes fail, and they count against nobody.
    for _ in 0..5 {
        running.tell("b").await;
    }
    running.until("b", 17, 60 * SECOND).await;
    assert!(running.ops.of("").is_empty(), "nothing was lost");
    running.done().await;
}

async fn refused_credentials_hold_a_destination_back<E: Engine>(mut host: Host<E>) {
    host.policy.concurrency = 1;
    let running = host.start(created()).await;
    running.hooks.always("", refused());
    for _ in 0..3 {
        running.tell("").await;
    }
    let failure = running.failures(1).await.remove(0);
    assert_eq!((failure.reason.as_str(), failure.dead), ("401", 0));
    let told = running.until("", 8, 30 * SECOND).await;
    // One attempt, and then one probe at a time, at growing distances.
    assert!(told[1].at.since(told[0].at) >= 30 * SECOND, "{:?}", told[1].at.since(told[0].at));
    assert!(told[7].at.since(told[6].at) >= 600 * SECOND);
    running.hooks.always("", Act::Take);
    let told = running.until("", 11, 60 * SECOND).await;
    let mut ids: Vec<_> = told[8..].iter().map(|told| told.message.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "nothing was lost");
    assert_eq!(running.failures(1).await.len(), 1, "told once");
    running.done().await;
}

async fn refused_credentials_of_one_address_hold_back_only_that<E: Engine>(host: Host<E>) {
    let running = host.start(created()).await;
    running.hooks.always("a/refused", refused());
    running.tell("a/refused").await;
    running.failures(1).await;
    running.tell("a/fine").await;
    running.hooks.told(2).await;
    assert_eq!(running.hooks.of("a/fine").len(), 1);
    running.done().await;
}

async fn an_address_that_is_gone_ends_alone<E: Engine>(host: Host<E>) {
    let running = host.start(created()).await;
    let gone = Act::Fail(NotifyError::Gone { reason: "410".into() });
    running.hooks.next("a/1", [gone]);
    running.tell("a/1").await;
    running.failures(1).await;
    running.tell("a/1").await;
    running.tell("a/2").await;
    running.hooks.told(2).await;
    assert_eq!((running.hooks.of("a/1").len(), running.hooks.of("a/2").len()), (1, 1));
    running.done().await;
}

async fn the_hosts_own_endpoint_is_disabled_after_days<E: Engine>(host: Host<E>) {
    let running = host.start(created()).await;
    running.hooks.always("", Act::Fail(NotifyError::Gone { reason: "410".into() }));
    running.tell("").await;
    running.hooks.told(1).await;
    let begin = running.clock.now();
    let disabled = async {
        loop {
            let told = running.ops.of("").into_iter();
            let mut disabled =
                told.filter(|told| told.event.kind == EventKind::DestinationDisabled);
            if let Some(told) = disabled.next() {
                return told;
            }
            running.clock.advance(Duration::from_secs(1800));
            running.tell("").await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let told = soon("the end of the endpoint", disabled).await;
    assert!(told.event.time.since(begin) >= 5 * DAY, "{:?}", told.event.time.since(begin));
    let EventData::Disabled { channel, reason, .. } = told.event.data else { panic!("{told:?}") };
    assert_eq!((channel.as_str(), reason.as_str()), ("hooks", "410"));
    running.done().await;
}

async fn addresses_of_one_origin_share_a_breaker<E: Engine>(mut host: Host<E>) {
    host.policy.concurrency = 2;
    let running = host.start(created()).await;
    for number in 0..40 {
        running.hooks.always(&format!("dead/{number}"), broken());
    }
    for number in 0..40 {
        running.tell(&format!("dead/{number}")).await;
    }
    running.tell("healthy").await;
    running.hooks.told(6).await;
    let arrived = async {
        while running.hooks.of("healthy").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("the healthy one", arrived).await;
    let dead = || (0..40).map(|n| running.hooks.of(&format!("dead/{n}")).len()).sum::<usize>();
    assert!((5..=7).contains(&dead()), "{} attempts at a dead origin", dead());
    // It comes back: all arrive.
    for number in 0..40 {
        running.hooks.always(&format!("dead/{number}"), Act::Take);
    }
    let back = async {
        while (0..40).any(|n| running.hooks.of(&format!("dead/{n}")).is_empty()) {
            running.clock.advance(10 * SECOND);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("the backlog", back).await;
    assert!(running.ops.of("").is_empty());
    running.done().await;
}

async fn a_time_to_live_ends_what_waits<E: Engine>(mut host: Host<E>) {
    host.policy.time_to_live = DAY;
    let running = host.start(created()).await;
    running.hooks.always("a", Act::Fail(NotifyError::Auth { reason: "401".into() }));
    running.hooks.always(
        "b",
        Act::Fail(NotifyError::Throttled { after: Some(7200 * SECOND), reason: "429".into() }),
    );
    running.tell("b").await;
    let told = running.until("b", 4, 600 * SECOND).await;
    assert!(told[3].at.since(told[0].at) >= 3 * 7200 * SECOND);
    let over = async {
        while running.ops.of("").is_empty() {
            running.clock.advance(3600 * SECOND);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the end of its time", over).await;
    let failure = running.failures(1).await.remove(0);
    assert_eq!((failure.destination.as_str(), failure.dead), ("b", 1));
    running.done().await;
}

async fn terms_of_a_channel_are_kept<E: Engine>(host: Host<E>) {
    let mut terms = Terms::default();
    (terms.rate, terms.scope) = (Some(RateLimit::new(1, 10 * SECOND)), Scope::Address);
    let running = host.start(created().under(terms)).await;
    for _ in 0..4 {
        running.tell("a/slow").await;
    }
    running.tell("a/other").await;
    // Slowly: the clock goes on between the claim and the attempt.
    let told = running.until("a/slow", 4, SECOND / 4).await;
    assert!(told.windows(2).all(|pair| pair[1].at.since(pair[0].at) >= 9 * SECOND), "{told:?}");
    assert_eq!(running.hooks.of("a/other").len(), 1, "its own rate");
    running.done().await;
}
