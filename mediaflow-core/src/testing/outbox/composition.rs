use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{DAY, SECOND, spec};
use crate::engine::Engine;
use crate::event::{Event, EventKind};
use crate::executor::DeliveryPolicy;
use crate::notify::{DeliveryContext, Message, Notifier, NotifyError, Receipt, Route};
use crate::spec::JobOptions;
use crate::storage::MemoryStorage;
use crate::testing::{FakeBackend, ManualClock, soon};
use crate::{Clock as _, EventId, Mediaflow, MessageId};

/// What composed notifications must hold to, whatever happens: no event is lost, and none is told twice to one recipient by
/// one route. Jobs, the clock, what receivers answer and, if `make` gives an engine on the same store each time, the ends of
/// hosts are random, by this seed.
///
/// # Panics
/// With what is wrong, and the seed.
pub async fn exercise_composition<E: Engine>(
    make: impl AsyncFn(ManualClock) -> E,
    restarts: bool,
    seed: u64,
) {
    let (clock, arrived) = (ManualClock::new(), Arrived::default());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut media = host(make(clock.clone()).await, &clock, &arrived, random.u64(..)).await;
    let mut jobs = 0;
    for _ in 0..40 {
        match random.u8(..if restarts { 10 } else { 9 }) {
            0..=4 => {
                for _ in 0..random.usize(1..6) {
                    let options = JobOptions::new().run_at(clock.now().plus(3650 * DAY));
                    let submitted = media.submit(spec("parked").with_options(options)).await;
                    submitted.expect("submit");
                    jobs += 1;
                }
            }
            5..=8 => {
                clock.advance(SECOND * random.u32(1..40));
                tokio::time::sleep(Duration::from_millis(random.u64(..15))).await;
            }
            _ => {
                soon("shutdown", media.shutdown(Duration::ZERO)).await.expect("shutdown");
                media = host(make(clock.clone()).await, &clock, &arrived, random.u64(..)).await;
            }
        }
    }
    let all = async {
        while !RULES.iter().all(|rule| arrived.events(rule).len() == jobs) {
            clock.advance(10 * SECOND);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), all).await;
    let found: Vec<_> = RULES.iter().map(|rule| (rule, arrived.events(rule).len())).collect();
    assert!(waited.is_ok(), "seed {seed}: of {jobs} events there arrived {found:?}");
    // Nothing comes behind.
    clock.advance(600 * SECOND);
    soon("shutdown", media.shutdown(5 * SECOND)).await.expect("shutdown");
    for rule in RULES {
        for (event, messages) in arrived.events(rule) {
            assert_eq!(messages.len(), 1, "seed {seed}: {rule} has told {event} in {messages:?}");
        }
    }
}

const RULES: [&str; 4] = ["chain", "digest", "throttle", "night"];

async fn host<E: Engine>(
    engine: E,
    clock: &ManualClock,
    arrived: &Arrived,
    seed: u64,
) -> Mediaflow {
    let channel = |name, fails| Channel {
        name,
        fails,
        arrived: arrived.clone(),
        random: Mutex::new(fastrand::Rng::with_seed(seed)),
    };
    let on = || Route::on([EventKind::JobCreated]);
    Mediaflow::builder()
        .engine(engine)
        .with(FakeBackend::new().operations())
        .storage_with("out", MemoryStorage::new())
        .clock(Arc::new(clock.clone()))
        .delivery(DeliveryPolicy {
            schedule: vec![SECOND; 20],
            breaker_after: 0,
            ..DeliveryPolicy::default()
        })
        .notify(channel("often", 60))
        .notify(channel("seldom", 20))
        .notify(channel("never", 0))
        .route(on().name("chain").to("often").fallback("seldom").fallback("never"))
        .route(on().name("digest").to("often").fallback("never").digest(30 * SECOND))
        .route(on().name("throttle").to("seldom").fallback("never").throttle(2, 60 * SECOND))
        .route(on().name("night").to("never").quiet(0, 1))
        .start()
        .await
        .expect("start")
}

/// Which events have arrived, in which messages, by rule.
#[derive(Clone, Debug, Default)]
struct Arrived(Arc<Mutex<BTreeMap<String, Messages>>>);

type Messages = BTreeMap<EventId, BTreeSet<MessageId>>;

impl Arrived {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Messages>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message has arrived before: its receiver knows it, and takes it again.
    fn knows(&self, message: &Message) -> bool {
        let event = message.event().id;
        let of_rule =
            |told: &Messages| told.get(&event).is_some_and(|ids| ids.contains(&message.id));
        self.lock().get(&message.rule).is_some_and(of_rule)
    }

    fn events(&self, rule: &str) -> Messages {
        self.lock().get(rule).cloned().unwrap_or_default()
    }
}

/// A channel that fails so many times of a hundred, in every way.
#[derive(Debug)]
struct Channel {
    name: &'static str,
    fails: u8,
    arrived: Arrived,
    random: Mutex<fastrand::Rng>,
}

#[async_trait]
impl Notifier for Channel {
    fn name(&self) -> &str {
        self.name
    }

    fn wants(&self, _event: &Event) -> bool {
        false
    }

    async fn notify(
        &self,
        message: &Message,
        _cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        if self.arrived.knows(message) {
            return Ok(Receipt::new());
        }
        let dice = {
            let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
            (random.u8(..100) < self.fails).then(|| random.u8(..5))
        };
        match dice {
            None => {}
            Some(0) => return Err(NotifyError::rejected("refused")),
            Some(1) => return Err(NotifyError::too_large("too large")),
            Some(2) => return Err(NotifyError::unsupported("not sayable")),
            Some(3) => {
                let after = Some(2 * SECOND);
                return Err(NotifyError::Throttled { after, reason: "later".into() });
            }
            Some(_) => return Err(NotifyError::retryable("away")),
        }
        let mut arrived = self.arrived.lock();
        let of_rule = arrived.entry(message.rule.clone()).or_default();
        for event in message.events() {
            of_rule.entry(event.id).or_default().insert(message.id);
        }
        Ok(Receipt::new())
    }
}
