//! A destination that has come back is not overrun by what waits for it, however many processes there are; and one that is quick has
//! its next messages at hand.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::sync::Arc;
use std::time::Duration;

use database::{Database, builder, work};
use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Act, FakeBackend, ManualClock, ScriptedNotifier as Hooks};
use mediaflow_core::{Clock as _, EventKind, Mediaflow, NotifyError};
use mediaflow_queue::{DeliveryFilter, DeliveryState, Queue};

on_both! {
    processes_share_the_places_of_what_has_come_back
    what_is_enabled_and_sent_again_comes_back_slowly
    what_waits_for_its_turn_is_given_back_when_its_process_stops
}

const DAY: Duration = Duration::from_secs(86_400);
const DOWN: &str = "SELECT count(*) FROM mediaflow_destinations WHERE failures > 0";
const SENDING: &str = "SELECT count(*) FROM mediaflow_messages WHERE state = 'sending'";

/// The first failure of `a` opens its breaker, and the next one ends the message.
async fn start(
    database: &Database,
    clock: &ManualClock,
    schedule: Vec<Duration>,
    hooks: &Hooks,
) -> (Mediaflow, Queue) {
    let policy = DeliveryPolicy { breaker_after: 1, schedule, ..DeliveryPolicy::default() };
    assert!(policy.concurrency > 4);
    let queue = database.queue();
    let media = builder(queue.clone(), &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .clock(Arc::new(clock.clone()))
        .delivery(policy)
        .notify(hooks.clone())
        .start()
        .await
        .unwrap();
    (media, queue)
}

async fn tell(media: &Mediaflow, clock: &ManualClock, times: usize) {
    for _ in 0..times {
        let options = JobOptions::new().notify("hooks", "a").run_at(clock.now().plus(3650 * DAY));
        media.submit(work("parked").with_options(options)).await.unwrap();
    }
}

fn created() -> Hooks {
    Hooks::new([EventKind::JobCreated])
}

fn failing() -> Act {
    Act::Fail(NotifyError::retryable("broken"))
}

async fn processes_share_the_places_of_what_has_come_back(database: Database) {
    let clock = ManualClock::new();
    let schedule = || vec![Duration::from_secs(5); 3];
    let (hooks, others) = (created(), created());
    hooks.next("a", [failing(), Act::Take]);
    hooks.always("a", Act::Hang);
    others.always("a", Act::Hang);
    let (one, _) = start(&database, &clock, schedule(), &hooks).await;
    tell(&one, &clock, 1).await;
    database.until(DOWN, 1).await;
    tell(&one, &clock, 20).await;
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'pending'", 21).await;
    // The probe arrives, and the next one is under way.
    clock.advance(Duration::from_secs(60));
    hooks.told(3).await;
    let (two, _) = start(&database, &clock, schedule(), &others).await;
    others.told(1).await;
    assert_eq!(database.int(SENDING).await, 2, "one in each process");
    two.shutdown(Duration::ZERO).await.unwrap();
    one.shutdown(Duration::ZERO).await.unwrap();
}

async fn what_waits_for_its_turn_is_given_back_when_its_process_stops(database: Database) {
    let (clock, hooks) = (ManualClock::new(), created());
    let places = i64::try_from(DeliveryPolicy::default().concurrency).unwrap();
    hooks.next("a", (0..20).map(|_| Act::Take));
    hooks.always("a", Act::Hang);
    let (media, _) = start(&database, &clock, vec![DAY], &hooks).await;
    let later = clock.now().plus(3650 * DAY);
    let options = || JobOptions::new().notify("hooks", "a").run_at(later);
    media.eager((0..90).map(|_| work("parked").with_options(options()))).await.unwrap();
    hooks.told(20 + usize::try_from(places).unwrap()).await;
    database.until(SENDING, 4 * places).await;
    media.shutdown(Duration::ZERO).await.unwrap();
    // What has not had its turn was not tried.
    let waits = "SELECT count(*) FROM mediaflow_messages WHERE state = 'pending' AND attempts = ";
    assert_eq!(database.int(&format!("{waits} 1")).await, places);
    assert_eq!(database.int(&format!("{waits} 0")).await, 90 - 20 - places);
}

async fn what_is_enabled_and_sent_again_comes_back_slowly(database: Database) {
    let clock = ManualClock::new();
    let hooks = created();
    hooks.always("a", failing());
    let (media, queue) = start(&database, &clock, Vec::new(), &hooks).await;
    tell(&media, &clock, 1).await;
    database.until(DOWN, 1).await;
    tell(&media, &clock, 20).await;
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'pending'", 20).await;
    database.run("UPDATE mediaflow_messages SET state = 'dead', ended_at = due").await;
    hooks.always("a", Act::Hang);
    queue.enable("hooks", "a").await.unwrap();
    let dead = DeliveryFilter::new().state(DeliveryState::Dead);
    assert_eq!(queue.redeliver(&dead).await.unwrap(), 21);
    hooks.told(2).await;
    assert_eq!(database.int(SENDING).await, 1);
    media.shutdown(Duration::ZERO).await.unwrap();
}
