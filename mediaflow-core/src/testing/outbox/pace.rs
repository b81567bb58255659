//! How often a dispatcher looks: what can not be sent now is not asked for all the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::{DAY, Host, Running, SECOND, broken, created, spec};
use crate::engine::Engine;
use crate::event::EventKind;
use crate::spec::JobOptions;
use crate::testing::{Act, ManualClock, ScriptedNotifier, soon};
use crate::{Clock, Timestamp};

/// Counts how often it is looked at: a dispatcher does so in each of its rounds.
#[derive(Clone, Debug)]
struct Counting {
    clock: ManualClock,
    looks: Arc<AtomicUsize>,
}

#[async_trait]
impl Clock for Counting {
    fn now(&self) -> Timestamp {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.clock.now()
    }

    async fn sleep_until(&self, when: Timestamp) {
        self.clock.sleep_until(when).await;
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    async fn sleep_until_monotonic(&self, when: Duration) {
        self.clock.sleep_until_monotonic(when).await;
    }
}

async fn start<E: Engine>(host: Host<E>, hooks: ScriptedNotifier) -> (Running, Arc<AtomicUsize>) {
    let looks = Arc::new(AtomicUsize::new(0));
    let clock = Counting { clock: host.clock.clone(), looks: Arc::clone(&looks) };
    (host.start_with(hooks, |builder| builder.clock(Arc::new(clock))).await, looks)
}

/// How often the clock is looked at in a while in which nothing changes.
async fn in_a_while(looks: &AtomicUsize) -> usize {
    let before = looks.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    looks.load(Ordering::Relaxed) - before
}

pub(super) async fn a_probe_that_finds_nothing_is_not_repeated_all_the_time<E: Engine>(
    mut host: Host<E>,
) {
    host.policy.ordered = true;
    host.policy.breaker_after = 2;
    host.policy.schedule = vec![5 * SECOND, DAY / 2, DAY / 2];
    let kinds = [EventKind::JobCreated, EventKind::JobCancelled];
    let (running, looks) = start(host, ScriptedNotifier::new(kinds)).await;
    running.hooks.always("a", broken());
    let options = JobOptions::new().run_at(running.clock.now().plus(3650 * DAY));
    let parked = spec("parked").with_options(options.notify("hooks", "a"));
    let job = running.media.submit(parked).await.expect("submit");
    running.until("a", 2, SECOND).await;
    // What is told of its end waits for what is told of its beginning, which is due in hours.
    soon("cancel", job.cancel()).await.expect("cancel");
    let calm = in_a_while(&looks).await;
    // The pause of the breaker is over.
    running.clock.advance(40 * SECOND);
    let probing = in_a_while(&looks).await;
    assert!(probing <= calm + 40, "{probing} looks in a second, {calm} before");
    assert_eq!(running.hooks.of("a").len(), 2);
    running.done().await;
}

pub(super) async fn what_waits_for_its_turn_is_no_attempt<E: Engine>(mut host: Host<E>) {
    host.policy.concurrency = 2;
    let running = host.start(created()).await;
    let works = (0..30).map(|_| Act::Take);
    running.hooks.next("a", works.chain((0..5).map(|_| broken())));
    let later = running.clock.now().plus(3650 * DAY);
    let specs = (0..90)
        .map(|_| spec("parked").with_options(JobOptions::new().run_at(later).notify("hooks", "a")));
    running.media.eager(specs).await.expect("submit");
    // Each arrives once, and five of them are tried twice.
    let told = running.until("a", 95, SECOND).await;
    let mut attempts: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    for told in &told {
        attempts.entry(told.message.id).or_default().push(told.attempt);
    }
    assert_eq!(attempts.len(), 90);
    let failed = attempts.values().filter(|attempts| **attempts != [1]).count();
    assert!(failed <= 5, "{attempts:?}");
    assert!(
        attempts.values().all(|attempts| attempts.iter().copied().eq((1..).take(attempts.len())))
    );
    running.done().await;
}

pub(super) async fn a_failure_is_written_down_without_haste<E: Engine>(mut host: Host<E>) {
    host.policy.concurrency = 1;
    host.policy.breaker_after = 0;
    let (running, looks) = start(host, created()).await;
    running.hooks.always("a", broken());
    for _ in 0..10 {
        running.tell("a").await;
    }
    running.hooks.told(10).await;
    let looks = looks.load(Ordering::Relaxed);
    assert!(looks < 3000, "{looks} looks for ten failures");
    running.done().await;
}
