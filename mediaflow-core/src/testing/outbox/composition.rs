use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Runtime;

use super::{DAY, SECOND, spec};
use crate::engine::Engine;
use crate::event::{Audience, Event, EventKind};
use crate::executor::DeliveryPolicy;
use crate::notify::{
    DeliveryContext, Message, Notifier, NotifyError, Person, Receipt, Recipients, Route, Whom,
    after,
};
use crate::spec::JobOptions;
use crate::storage::MemoryStorage;
use crate::testing::{FakeBackend, ManualClock, soon};
use crate::{Builder, Clock as _, EventId, Mediaflow, MessageId, Result};

/// What composed notifications must hold to, whatever happens: no event is lost, and none is told twice to one recipient by
/// one route.
///
/// So many `hosts` work on what `make` gives, which is one store each time; the last of several knows a channel less than the others,
/// as in a deploy. A single one is the only one there ever is: its engine may be in memory. `life` is what happens, and how much of
/// it: jobs are submitted, time goes on, a host is shut down or killed, and another one takes its place. What receivers answer
/// is random, by this seed.
///
/// # Panics
/// With what is wrong.
#[allow(clippy::future_not_send, reason = "a test waits for it where it stands")]
pub async fn exercise_composition<E: Engine>(
    make: impl AsyncFn(ManualClock) -> E,
    hosts: usize,
    life: &[(u8, u8)],
    seed: u64,
) {
    let (clock, arrived) = (ManualClock::new(), Arrived::default());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut start = async |number: usize| {
        let newer = number == 0 || number + 1 < hosts;
        let engine = make(clock.clone()).await;
        Host::start(engine, clock.clone(), arrived.clone(), random.u64(..), newer).await
    };
    let submit = async |host: &Host, owner: &str| {
        let options = JobOptions::new().run_at(clock.now().plus(3650 * DAY)).owner(owner);
        host.media.submit(spec("parked").with_options(options)).await.expect("submit");
    };
    let told = async |jobs: usize| {
        let told = async {
            while !arrived.missing(jobs).is_empty() {
                clock.advance(10 * SECOND);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), told).await;
        assert!(waited.is_ok(), "of {jobs} events are not told {:?}", arrived.missing(jobs));
    };
    let mut all = vec![start(0).await];
    // A channel is told of what comes after its process is there.
    submit(&all[0], "ada").await;
    told(1).await;
    for number in 1..hosts {
        all.push(start(number).await);
    }
    let mut jobs = 1;
    for (what, much) in life {
        let (number, much) = (usize::from(*much) % hosts, u64::from(*much));
        match what % 20 {
            0..=9 => {
                for turn in 0..=much % 5 {
                    let owner = OWNERS[usize::try_from(much + turn).unwrap_or(0) % OWNERS.len()];
                    submit(&all[number], owner).await;
                    jobs += 1;
                }
            }
            17.. if hosts > 1 => {
                let host = all.remove(number);
                if what % 20 < 19 {
                    host.shut_down(Duration::ZERO).await;
                } else {
                    drop(host);
                }
                all.insert(number, start(number).await);
            }
            _ => {
                clock.advance(Duration::from_secs(1 + much % 40));
                tokio::time::sleep(Duration::from_millis(much % 15)).await;
            }
        }
    }
    told(jobs).await;
    // Nothing comes behind.
    clock.advance(600 * SECOND);
    for host in all {
        host.shut_down(5 * SECOND).await;
    }
    for ((rule, to), events) in &arrived.lock().by {
        for (event, messages) in events {
            assert_eq!(messages.len(), 1, "{rule} has told {event} to `{to}` in {messages:?}");
        }
    }
}

/// What each event is told by, once; of these, the second is the escalation of the first.
const RULES: [(&str, &str); 7] = [
    ("chain", ""),
    ("digest", ""),
    ("throttle", ""),
    ("night", ""),
    ("watch", "0"),
    ("watch", "1"),
    ("new", ""),
];

/// Whom jobs belong to.
const OWNERS: [&str; 3] = ["ada", "bo", "ada+bo"];

/// Whom the rule `duty` tells if an owner can not be told.
const ON_CALL: &str = "on-call";

/// A host, which can be killed: with all that it has begun.
struct Host {
    media: Mediaflow,
    runtime: Option<Runtime>,
}

impl Host {
    async fn start<E: Engine>(
        engine: E,
        clock: ManualClock,
        arrived: Arrived,
        seed: u64,
        newer: bool,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let starting = async move { builder(engine, &clock, &arrived, seed, newer).start().await };
        let media = runtime.spawn(starting).await.expect("no panic").expect("start");
        Self { media, runtime: Some(runtime) }
    }

    async fn shut_down(self, grace: Duration) {
        soon("shutdown", self.media.shutdown(grace)).await.expect("shutdown");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn builder<E: Engine>(
    engine: E,
    clock: &ManualClock,
    arrived: &Arrived,
    seed: u64,
    newer: bool,
) -> Builder {
    let channel = |name, fails| Channel {
        name,
        fails,
        arrived: arrived.clone(),
        random: Mutex::new(fastrand::Rng::with_seed(seed)),
    };
    let on = || Route::on([EventKind::JobCreated]);
    let duty = on().name("duty").audience(Audience::Owner);
    let builder = Mediaflow::builder()
        .engine(engine)
        .with(FakeBackend::new().operations())
        .storage_with("out", MemoryStorage::new())
        .clock(Arc::new(clock.clone()))
        .recipients(Directory)
        .delivery(DeliveryPolicy {
            schedule: vec![SECOND; 20],
            breaker_after: 0,
            ..DeliveryPolicy::default()
        })
        .notify(channel("often", 60))
        .notify(channel("seldom", 20))
        .notify(channel("never", 0))
        .route(on().name("chain").to("often").fallback("seldom").fallback("never"))
        .route(on().name("both").to("often").fallback("never").to("seldom").fallback("never"))
        .route(on().name("digest").to("often").fallback("never").digest(30 * SECOND))
        .route(on().name("throttle").to("seldom").fallback("never").throttle(2, 60 * SECOND))
        .route(on().name("night").to("never").quiet(0, 1))
        .route(on().name("watch").to("never").escalate(after(40 * SECOND), "never").at("pager"))
        .route(duty.to("often").fallback("never").at(ON_CALL).digest(20 * SECOND));
    if newer {
        let new = on().name("new").to("extra").fallback("never").digest(30 * SECOND);
        builder.notify(channel("extra", 20)).route(new)
    } else {
        builder
    }
}

/// Everybody whom an owner names.
#[derive(Debug)]
struct Directory;

#[async_trait]
impl Recipients for Directory {
    async fn people(&self, whom: &Whom) -> Result<Vec<Person>> {
        let names = whom.owner.iter().flat_map(|owner| owner.split('+'));
        Ok(names.map(|name| Person::new(name).at("often", name)).collect())
    }
}

/// What has arrived.
#[derive(Clone, Debug, Default)]
struct Arrived(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    /// In which messages events are, by rule and, where it tells several, by whom.
    by: BTreeMap<(String, String), BTreeMap<EventId, BTreeSet<MessageId>>>,
    /// The owners of the events' jobs.
    owners: BTreeMap<EventId, String>,
}

impl Told {
    fn place(message: &Message) -> (String, String) {
        let to = match &*message.rule {
            "watch" => message.step.to_string(),
            "duty" => message.address.as_ref().map(|to| to.reveal().to_owned()).unwrap_or_default(),
            // Two channels, each of which has the same one in its place.
            "both" if message.step.is_multiple_of(2) => message.step.to_string(),
            _ => String::new(),
        };
        (message.rule.clone(), to)
    }

    fn has(&self, rule: &str, to: &str, event: &EventId) -> bool {
        let told = self.by.get(&(rule.to_owned(), to.to_owned()));
        told.is_some_and(|told| told.contains_key(event))
    }
}

impl Arrived {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message has arrived before: its receiver knows it, and takes it again.
    fn knows(&self, message: &Message) -> bool {
        let told = self.lock();
        let events = told.by.get(&Told::place(message));
        let messages = events.and_then(|events| events.get(&message.event().id));
        messages.is_some_and(|messages| messages.contains(&message.id))
    }

    fn take(&self, message: &Message) {
        let mut told = self.lock();
        for event in message.events() {
            let events = told.by.entry(Told::place(message)).or_default();
            events.entry(event.id).or_default().insert(message.id);
            told.owners.insert(event.id, event.owner.clone().unwrap_or_default());
        }
    }

    /// What is missing of so many events, by rule and by whom.
    fn missing(&self, events: usize) -> Vec<String> {
        let told = self.lock();
        let mut missing = Vec::new();
        for (event, owner) in &told.owners {
            let by_all = RULES.iter().filter(|(rule, to)| !told.has(rule, to, event));
            missing.extend(by_all.map(|(rule, to)| format!("{event} by {rule} {to}")));
            let by_both = told.has("both", "", event)
                || told.has("both", "0", event) && told.has("both", "2", event);
            missing.extend((!by_both).then(|| format!("{event} by both")));
            let instead = told.has("duty", ON_CALL, event);
            let names = owner.split('+').filter(|name| !instead && !told.has("duty", name, event));
            missing.extend(names.map(|name| format!("{event} by duty to {name}")));
        }
        let unheard = events.saturating_sub(told.owners.len());
        missing.extend((unheard > 0).then(|| format!("{unheard} events by any")));
        missing
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
        self.arrived.take(message);
        Ok(Receipt::new())
    }
}
