//! How notifications leave: schedules, breakers, order, rates, the dead letter and its log, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::sync::Arc;
use std::time::Duration;

use database::{Database, builder, shut, work};
use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::notify::{Address, RateLimit};
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Act, FakeBackend, ManualClock, ScriptedNotifier as Hooks, soon};
use mediaflow_core::{Builder, Clock as _, EventKind, Mediaflow, NotifyError};
use mediaflow_queue::{Breaker, Delivery, DeliveryFilter, DeliveryOutcome, DeliveryState, Queue};

on_both! {
    failures_follow_the_schedule_and_the_receiver
    a_receiver_that_is_asked_too_often_is_left_alone
    an_address_that_is_gone_ends_alone
    a_dead_destination_does_not_slow_a_healthy_one
    a_destination_that_hangs_takes_nobody_elses_places
    processes_share_one_probe
    events_of_a_job_can_keep_their_order
    a_rate_holds
    a_dead_letter_is_sent_again_with_the_same_id
    what_a_dead_process_was_sending_is_sent_again
    what_others_have_written_is_sent_as_it_stands
    a_shutdown_gives_back_what_is_under_way
    a_drain_leaves_what_is_due_later
    a_notifier_that_panics_has_failed
}

const SECOND: Duration = Duration::from_secs(1);

/// Some processes on one database and one clock.
struct Host {
    database: Database,
    clock: ManualClock,
    policy: DeliveryPolicy,
}

impl Host {
    /// Attempts after 5 s and 60 s, without jitter.
    fn new(database: Database) -> Self {
        let schedule = vec![5 * SECOND, 60 * SECOND];
        let policy = DeliveryPolicy { schedule, jitter: 0.0, ..DeliveryPolicy::default() };
        Self { database, clock: ManualClock::new(), policy }
    }

    fn builder(&self, queue: &Queue) -> Builder {
        builder(queue.clone(), &FakeBackend::new())
            .storage_with("out", MemoryStorage::new())
            .clock(Arc::new(self.clock.clone()))
            .delivery(self.policy.clone())
    }

    async fn start(&self, hooks: &Hooks) -> (Mediaflow, Queue) {
        let queue = self.database.queue();
        (self.builder(&queue).notify(hooks.clone()).start().await.unwrap(), queue)
    }

    /// Tells an address of so many events, of jobs that never run.
    async fn tell(&self, media: &Mediaflow, to: &str, events: usize) {
        let later = self.clock.now().plus(Duration::from_secs(3600 * 24 * 3650));
        let options = JobOptions::new().notify("hooks", to).run_at(later);
        let jobs = (0..events).map(|_| work("parked").with_options(options.clone()));
        media.eager(jobs).await.unwrap();
    }
}

/// Waits until the deliveries of a filter are so many.
async fn until(queue: &Queue, filter: DeliveryFilter, number: usize) -> Vec<Delivery> {
    let filter = filter.limit(1000);
    let reached = async {
        loop {
            let found = queue.deliveries(&filter).await.unwrap();
            if found.len() == number {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(&format!("{number} of {filter:?}"), reached).await
}

fn pending() -> DeliveryFilter {
    DeliveryFilter::new().state(DeliveryState::Pending)
}

fn dead() -> DeliveryFilter {
    DeliveryFilter::new().state(DeliveryState::Dead)
}

fn delivered() -> DeliveryFilter {
    DeliveryFilter::new().state(DeliveryState::Delivered)
}

fn failing() -> Act {
    Act::Fail(NotifyError::retryable("broken"))
}

async fn failures_follow_the_schedule_and_the_receiver(database: Database) {
    let host = Host::new(database);
    let asked = NotifyError::Retryable { after: Some(600 * SECOND), reason: "later".into() };
    let hooks = Hooks::new([EventKind::JobCreated, EventKind::DeliveryFailed]);
    hooks.next("a", [failing(), Act::Fail(asked), failing()]);
    let (media, queue) = host.start(&hooks).await;
    host.tell(&media, "a", 1).await;
    let mut ids = Vec::new();
    for (attempt, wait) in [(1, 5 * SECOND), (2, 600 * SECOND)] {
        hooks.told(attempt).await;
        let failed = until(&queue, pending(), 1).await.remove(0);
        assert_eq!((failed.attempts as usize, failed.due), (attempt, host.clock.now().plus(wait)));
        ids.push(failed.event);
        host.clock.advance(wait);
    }
    let lost = until(&queue, dead(), 1).await.remove(0);
    assert_eq!((lost.attempts, lost.error.as_deref()), (3, Some("broken")));
    // The failure is told to the notifier's own address, after three attempts at one event.
    let told = hooks.told(4).await;
    assert!(told[..3].iter().all(|told| told.event.id == lost.event) && ids == [lost.event; 2]);
    assert_eq!((told[3].event.kind, told[3].to.as_str()), (EventKind::DeliveryFailed, ""));
    until(&queue, delivered(), 1).await;
    shut(media).await;
}

async fn a_receiver_that_is_asked_too_often_is_left_alone(database: Database) {
    let mut host = Host::new(database);
    host.policy.concurrency = 1;
    let hooks = Hooks::new([EventKind::JobCreated]);
    let throttled = NotifyError::Throttled { after: Some(30 * SECOND), reason: "slowly".into() };
    hooks.next("a", [Act::Fail(throttled)]);
    let (media, queue) = host.start(&hooks).await;
    host.tell(&media, "a", 3).await;
    hooks.told(1).await;
    // A destination is blocked from the transaction on that writes the attempt down.
    host.database.until("SELECT count(*) FROM mediaflow_attempts", 1).await;
    host.tell(&media, "b", 3).await;
    until(&queue, delivered(), 3).await;
    let blocked = queue.destinations().await.unwrap().remove(0);
    assert_eq!(blocked.breaker, Breaker::Open(30 * SECOND));
    assert_eq!((blocked.failures, blocked.waiting), (0, 3));
    assert_eq!(hooks.of("a").len(), 1);
    host.clock.advance(30 * SECOND);
    until(&queue, delivered(), 6).await;
    shut(media).await;
}

async fn an_address_that_is_gone_ends_alone(database: Database) {
    let mut host = Host::new(database);
    host.policy.concurrency = 1;
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.next("a", [Act::Fail(NotifyError::Gone { reason: "410".into() })]);
    let (media, queue) = host.start(&hooks).await;
    host.tell(&media, "a", 3).await;
    let lost = until(&queue, dead(), 3).await.remove(0);
    host.tell(&media, "a", 1).await;
    host.tell(&media, "b", 1).await;
    until(&queue, delivered(), 1).await;
    assert_eq!(queue.deliveries(&DeliveryFilter::new()).await.unwrap().len(), 4, "no further row");
    assert_eq!(queue.redeliver(&dead()).await.unwrap(), 0, "and none is sent again");

    queue.enable("hooks", &lost.origin).await.unwrap();
    let error = queue.enable("hooks", "https://elsewhere:443").await.unwrap_err();
    assert_eq!(error.code(), "destination.unknown");
    host.tell(&media, "a", 1).await;
    until(&queue, delivered(), 2).await;
    assert_eq!(queue.redeliver(&dead()).await.unwrap(), 3);
    until(&queue, delivered(), 5).await;
    assert_eq!(hooks.of("a").len(), 5);
    shut(media).await;
}

async fn a_dead_destination_does_not_slow_a_healthy_one(database: Database) {
    let mut host = Host::new(database);
    (host.policy.concurrency, host.policy.breaker_after) = (4, 5);
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.always("dead", failing());
    let (media, queue) = host.start(&hooks).await;
    host.tell(&media, "dead", 500).await;
    host.tell(&media, "healthy", 50).await;
    until(&queue, delivered(), 50).await;
    // Jobs of a large batch are let go in parts, beside what is told later.
    host.database.until("SELECT count(*) FROM mediaflow_messages", 550).await;
    let closed = "SELECT count(*) FROM mediaflow_destinations WHERE failures >= 5";
    host.database.until(closed, 1).await;
    host.database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'sending'", 0).await;
    // The fifth failure opens it; three more may be under way by then.
    let before = hooks.of("dead").len();
    assert!((5..=8).contains(&before), "{before} attempts");
    let open = queue.destinations().await.unwrap().remove(0);
    assert_eq!((open.breaker, open.waiting), (Breaker::Open(30 * SECOND), 500));

    // One probe, and twice the pause.
    host.clock.advance(30 * SECOND);
    let probed = "SELECT count(*) FROM mediaflow_destinations WHERE probes = 1 AND probe_until = 0";
    host.database.until(probed, 1).await;
    assert_eq!(hooks.of("dead").len(), before + 1);
    let open = queue.destinations().await.unwrap().remove(0);
    assert_eq!(open.breaker, Breaker::Open(60 * SECOND));

    // The next probe gets through, and everything after it.
    hooks.always("dead", Act::Take);
    host.clock.advance(60 * SECOND);
    until(&queue, delivered(), 550).await;
    assert_eq!(hooks.of("dead").len(), before + 1 + 500);
    assert_eq!(queue.destinations().await.unwrap(), [], "nothing is to be said of what works");
    shut(media).await;
}

async fn a_destination_that_hangs_takes_nobody_elses_places(database: Database) {
    let mut host = Host::new(database);
    host.policy.concurrency = 2;
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.always("hangs", Act::Hang);
    let (media, queue) = host.start(&hooks).await;
    host.tell(&media, "hangs", 10).await;
    hooks.told(2).await;
    host.tell(&media, "healthy", 10).await;
    until(&queue, delivered(), 10).await;
    assert_eq!(hooks.of("hangs").len(), 2);
    media.shutdown(Duration::ZERO).await.unwrap();
}

async fn processes_share_one_probe(database: Database) {
    let mut host = Host::new(database);
    (host.policy.concurrency, host.policy.breaker_after) = (1, 1);
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.always("dead", failing());
    let (one, queue) = host.start(&hooks).await;
    host.tell(&one, "dead", 20).await;
    let failed = "SELECT count(*) FROM mediaflow_destinations WHERE failures > 0";
    host.database.until(failed, 1).await;
    let (two, _) = host.start(&hooks).await;
    for probes in 1..=4 {
        host.clock.advance(600 * SECOND);
        let probed = format!(
            "SELECT count(*) FROM mediaflow_destinations WHERE probes = {probes} AND probe_until = 0"
        );
        host.database.until(&probed, 1).await;
        assert_eq!(hooks.of("dead").len(), 1 + probes);
    }
    hooks.always("dead", Act::Take);
    host.clock.advance(600 * SECOND);
    until(&queue, delivered(), 20).await;
    assert_eq!(hooks.of("dead").len(), 5 + 20, "nothing was sent twice");
    shut(one).await;
    shut(two).await;
}

async fn events_of_a_job_can_keep_their_order(database: Database) {
    use EventKind::{JobCompleted, JobCreated, JobStarted, OutputReady, StepCompleted};
    let kinds = [JobCreated, JobStarted, StepCompleted, OutputReady, JobCompleted];
    let mut host = Host::new(database);
    host.policy.ordered = true;
    let hooks = Hooks::new(kinds);
    // The first one fails once; the third is refused, and holds nobody up.
    let refused = || Act::Fail(NotifyError::rejected("no"));
    hooks.next("a", [failing(), Act::Take, Act::Take, refused()]);
    let (media, queue) = host.start(&hooks).await;
    let options = JobOptions::new().notify("hooks", "a");
    let job = media.submit(work("plain").with_options(options)).await.unwrap();
    soon("end", job.done()).await.unwrap();
    // Not before the first one was tried: until then all five wait as well.
    hooks.told(1).await;
    let waiting = until(&queue, pending(), 5).await;
    assert!(
        waiting.iter().all(|waiting| waiting.attempts == u32::from(waiting.kind == JobCreated))
    );
    // Events of other jobs go their own way.
    host.tell(&media, "a", 1).await;
    until(&queue, delivered(), 1).await;
    host.clock.advance(5 * SECOND);
    until(&queue, delivered().job(job.id()), 4).await;
    until(&queue, dead(), 1).await;
    let told = hooks.of("a").into_iter().filter(|told| told.event.job == Some(job.id()));
    let told: Vec<_> = told.map(|told| told.event.kind).collect();
    assert_eq!((told[0], &told[1..]), (JobCreated, &kinds[..]));
    shut(media).await;
}

async fn a_rate_holds(database: Database) {
    let mut host = Host::new(database);
    host.policy.rate = Some(RateLimit::per_second(10));
    let hooks = Hooks::new([EventKind::JobCreated]);
    let (one, _) = host.start(&hooks).await;
    let (two, _) = host.start(&hooks).await;
    let begun = host.clock.now();
    host.tell(&one, "a", 6).await;
    let turned = async {
        while hooks.of("a").len() < 6 {
            host.clock.advance(Duration::from_millis(25));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("end of the rate", turned).await;
    let mut times: Vec<_> = hooks.of("a").into_iter().map(|told| told.at).collect();
    times.sort();
    // The clock may be turned between a claim and its attempt, but never back.
    for (number, time) in (0..).zip(&times) {
        assert!(time.since(begun) >= number * Duration::from_millis(100), "{times:?}");
    }
    shut(one).await;
    shut(two).await;
}

async fn a_dead_letter_is_sent_again_with_the_same_id(database: Database) {
    let host = Host::new(database);
    let hooks = Hooks::new([EventKind::JobCreated]);
    let mut page = b"a\0b".to_vec();
    page.resize(30_000, b'y');
    hooks.next("a", [Act::Answer(422, page, Some(NotifyError::rejected("refused\0")))]);
    hooks.next("b", [Act::Fail(NotifyError::rejected("no"))]);
    let (media, queue) = host.start(&hooks).await;
    let (begin, answer) = (host.clock.now(), || Act::Answer(200, vec![b'z'; 30_000], None));
    host.tell(&media, "a", 1).await;
    host.tell(&media, "b", 1).await;
    until(&queue, dead(), 2).await;
    let first = queue.deliveries(&dead()).await.unwrap().remove(1);
    assert_eq!((first.address.as_ref().map(Address::reveal), first.status), (Some("a"), Some(422)));
    hooks.next("a", [answer(), answer()]);
    assert_eq!(queue.redeliver(&DeliveryFilter::new().id(first.id)).await.unwrap(), 1);
    let arrived = until(&queue, delivered(), 1).await.remove(0);
    assert_eq!((arrived.id, arrived.event, arrived.attempts), (first.id, first.event, 1));
    assert!(hooks.of("a").iter().all(|told| told.event.id == first.event && told.attempt == 1));

    let log = queue.delivery_log(first.id).await.unwrap();
    let outcomes: Vec<_> = log.iter().map(|log| (log.attempt, log.outcome, log.status)).collect();
    let (refused, taken) = (DeliveryOutcome::Rejected, DeliveryOutcome::Delivered);
    assert_eq!(outcomes, [(1, refused, Some(422)), (1, taken, Some(200))]);
    let body = log[0].body.as_deref().unwrap();
    assert!(body.starts_with("a\u{fffd}byyy") && (19_990..=20_000).contains(&body.len()));
    assert_eq!(log[0].error.as_deref(), Some("refused\u{fffd}"));
    assert_eq!(
        log[1].body.as_deref(),
        Some(&*"z".repeat(1000)),
        "a little of what nobody looks at"
    );

    // By filter and by time: what waits or lies outside stays as it is.
    let earlier = DeliveryFilter::new().until(begin);
    assert_eq!(queue.redeliver(&earlier).await.unwrap(), 0);
    let elsewhere = DeliveryFilter::new().channel("email").kind(EventKind::JobCreated);
    assert_eq!(queue.redeliver(&elsewhere).await.unwrap(), 0);
    // What has arrived is not sent again by the way.
    assert_eq!(queue.redeliver(&DeliveryFilter::new()).await.unwrap(), 1);
    until(&queue, delivered(), 2).await;
    assert_eq!((hooks.of("a").len(), hooks.of("b").len()), (2, 2));
    assert_eq!(queue.redeliver(&delivered().since(begin)).await.unwrap(), 2);
    until(&queue, delivered(), 2).await;
    hooks.told(6).await;
    let log = queue.delivery_log(first.id).await.unwrap();
    let outcomes: Vec<_> = log.iter().map(|log| log.outcome).collect();
    assert_eq!(outcomes[..2], [refused, taken], "{log:?}");
    shut(media).await;
}

async fn what_a_dead_process_was_sending_is_sent_again(database: Database) {
    let host = Host::new(database);
    let hooks = Hooks::new([EventKind::JobCreated]);
    let first = host.database.queue();
    let client = host.builder(&first).notify(hooks.clone()).submit_only().start().await.unwrap();
    host.tell(&client, "a", 1).await;
    let lease = host.clock.now().plus(90 * SECOND);
    host.database
        .message("job.created", "a", "state = 'sending', worker = 'gone', attempts = 1")
        .await;
    host.database
        .run(&format!("UPDATE mediaflow_messages SET lease_until = {}", lease.millis()))
        .await;
    let (media, queue) = host.start(&hooks).await;
    host.tell(&client, "b", 1).await;
    hooks.told(1).await;
    assert_eq!(hooks.of("a").len(), 0, "somebody is sending it");
    host.clock.advance(90 * SECOND);
    // Whatever was sent may be why that process is gone: it waits as after any failure.
    until(&queue, pending(), 1).await;
    assert_eq!(hooks.of("a").len(), 0);
    host.clock.advance(5 * SECOND);
    let told = hooks.told(2).await.remove(1);
    until(&queue, delivered(), 2).await;
    let sent =
        queue.deliveries(&DeliveryFilter::new().event(told.event.id)).await.unwrap().remove(0);
    assert_eq!((told.attempt, sent.attempts, told.to.as_str()), (2, 2, "a"));
    let log = queue.delivery_log(sent.id).await.unwrap();
    let outcomes: Vec<_> = log.iter().map(|log| (log.attempt, log.outcome)).collect();
    assert_eq!(outcomes, [(1, DeliveryOutcome::Lost), (2, DeliveryOutcome::Delivered)]);
    shut(media).await;
    shut(client).await;
}

async fn a_shutdown_gives_back_what_is_under_way(database: Database) {
    let host = Host::new(database);
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.next("a", [Act::Hang]);
    let (media, queue) = host.start(&hooks).await;
    host.tell(&media, "a", 1).await;
    let first = hooks.told(1).await.remove(0);
    soon("shutdown", media.shutdown(Duration::ZERO)).await.unwrap();
    let given = until(&queue, pending(), 1).await.remove(0);
    assert_eq!(given.attempts, 1, "it may have arrived");

    let (media, queue) = host.start(&hooks).await;
    let again = hooks.told(2).await.remove(1);
    assert_eq!((again.event.id, again.attempt), (first.event.id, 2));
    until(&queue, delivered(), 1).await;
    shut(media).await;
}

async fn a_drain_leaves_what_is_due_later(database: Database) {
    let host = Host::new(database);
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.next("a", [failing()]);
    let (media, queue) = host.start(&hooks).await;
    host.tell(&media, "a", 1).await;
    until(&queue, pending().since(host.clock.now()), 1).await;
    host.tell(&media, "b", 100).await;
    shut(media).await;
    assert_eq!(hooks.of("b").len(), 100, "what is due goes out first");
    assert_eq!(until(&queue, pending(), 1).await[0].address, Some(Address::at("a", "a")));
}

async fn a_notifier_that_panics_has_failed(database: Database) {
    let host = Host::new(database);
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.next("a", [Act::Panic]);
    let (media, queue) = host.start(&hooks).await;
    host.tell(&media, "a", 1).await;
    hooks.told(1).await;
    let failed = until(&queue, pending(), 1).await.remove(0);
    assert_eq!(failed.error.as_deref(), Some("the notifier panicked"));
    host.clock.advance(5 * SECOND);
    until(&queue, delivered(), 1).await;
    shut(media).await;
}

/// A digest of two events, the second step of a rule, and a message that is held: rows that a host's rules will write.
async fn what_others_have_written_is_sent_as_it_stands(database: Database) {
    let host = Host::new(database);
    let hooks = Hooks::new([]);
    let (media, queue) = host.start(&hooks).await;
    host.tell(&media, "unused", 2).await;
    host.database.until("SELECT count(*) FROM mediaflow_unrouted", 0).await;
    let events = host.database.texts("SELECT id FROM mediaflow_events ORDER BY seq").await;
    let held = host.clock.now().plus(60 * SECOND).millis();
    let id = "018bcfe5-6800-7000-8000-000000000001";
    let digest = format!("uid = '{id}', rule = 'daily', group_key = 'monday', events = 2");
    host.database.message("job.created", "digest", &digest).await;
    host.database
        .run(&format!(
            "INSERT INTO mediaflow_message_events (message, event)
             SELECT id, '{}' FROM mediaflow_messages WHERE rule = 'daily'",
            events[1]
        ))
        .await;
    host.database
        .message("job.created", "fallback", "rule = 'alarm', step = 1, thread = 't'")
        .await;
    let hold = format!("rule = 'quiet', hold_until = {held}, due = {held}");
    host.database.message("job.created", "held", &hold).await;
    let told = hooks.told(2).await;
    let to = |to: &str| told.iter().find(|told| told.to == to).map(|told| &told.message);
    let digest = to("digest").unwrap();
    let ids: Vec<_> = digest.events().iter().map(|event| event.id.to_string()).collect();
    assert_eq!((digest.id.to_string().as_str(), ids), (id, events.clone()));
    let fallback = to("fallback").unwrap();
    assert_eq!((fallback.rule.as_str(), fallback.step, fallback.events().len()), ("alarm", 1, 1));
    assert_eq!(fallback.thread.as_ref().map(|thread| thread.key.as_str()), Some("t"));
    until(&queue, delivered(), 2).await;
    assert_eq!(hooks.of("held").len(), 0);
    host.clock.advance(60 * SECOND);
    until(&queue, delivered(), 3).await;
    assert_eq!(hooks.of("held").len(), 1);
    assert_eq!(until(&queue, delivered().event(events[1].parse().unwrap()), 1).await[0].events, 2);
    let of_the_first = until(&queue, delivered().event(events[0].parse().unwrap()), 3).await;
    assert!(of_the_first.iter().any(|delivery| delivery.events == 2), "{of_the_first:?}");
    shut(media).await;
}
