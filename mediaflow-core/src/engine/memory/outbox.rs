use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::messages::{Policies, Tables};
use super::ring::Ring;
use super::state::State;
use crate::event::Event;
use crate::executor::{DeliveryPolicy, Executor};
use crate::outbox::{
    Attempted, DestinationKey, Disposition, Exchange, Exchanged, OutboxStore, Unrouted, Waiting,
};
use crate::{Clock, Result, SystemClock, Timestamp};

/// Events and messages of the engine in memory. What has arrived or was given up is forgotten.
pub(super) struct Outbox {
    /// Held while events are handed over, so that their order is the order of the changes.
    order: Mutex<()>,
    tables: Mutex<Tables>,
    changed: Notify,
    executor: OnceLock<Executor>,
    readers: Arc<Ring>,
    /// The jobs: what is told of a batch may want their reports.
    state: Arc<Mutex<State>>,
}

impl Outbox {
    pub(super) fn new(readers: Arc<Ring>, state: Arc<Mutex<State>>) -> Self {
        Self {
            order: Mutex::default(),
            tables: Mutex::default(),
            changed: Notify::new(),
            executor: OnceLock::new(),
            readers,
            state,
        }
    }

    /// The host whose notifiers tell of events. Without one nothing is kept.
    pub(super) fn open(&self, executor: &Executor) {
        // An engine that is opened a second time keeps its first host.
        let _ = self.executor.set(executor.clone());
    }

    /// How many events and messages wait.
    pub(super) fn len(&self) -> usize {
        let tables = self.lock();
        tables.unrouted.len() + tables.messages.len()
    }

    /// Stores the events that `take` gives, unrouted, and shows them to the readers.
    pub(super) fn accept(&self, take: impl FnOnce() -> VecDeque<Event>) {
        let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let events = take();
        let told = self.executor.get().is_some_and(|executor| executor.channels().next().is_some());
        if told && !events.is_empty() {
            let mut tables = self.lock();
            for event in &events {
                let seq = tables.number();
                tables.unrouted.insert(seq, (event.clone(), Timestamp::default()));
            }
            self.changed.notify_one();
        }
        events.into_iter().for_each(|event| self.readers.push(event));
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Tables> {
        // The tables are consistent between statements, so a panic elsewhere does not spoil them.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.executor.get().map(|executor| executor.clock().now()).unwrap_or_default()
    }

    /// The policies of channels. The terms are the host's code, which may panic: asked for before anything is changed.
    fn policies<'a>(&self, channels: impl Iterator<Item = &'a str>) -> Policies {
        let policy = |channel: &str| {
            let Some(executor) = self.executor.get() else { return DeliveryPolicy::default() };
            let terms = executor.notifier(channel).map(|notifier| notifier.terms());
            executor.delivery().under(&terms.unwrap_or_default())
        };
        let mut policies = Policies::new();
        for channel in channels {
            if !policies.contains_key(channel) {
                policies.insert(channel.to_owned(), policy(channel));
            }
        }
        policies
    }

    /// Takes back what a dispatcher was sending that has panicked. It may have been sent, and may be why: it counts against
    /// the message, which is given up with what has run out if that was its last attempt.
    pub(super) fn take_back(&self) {
        let channels = self.executor.get().into_iter().flat_map(Executor::channels);
        let (now, policies) = (self.now(), self.policies(channels));
        for row in self.lock().messages.values_mut().filter(|row| row.sending) {
            row.sending = false;
            let policy = policies.get(&*row.destination.channel);
            let lost =
                policy.map(|policy| Disposition::lost(row.failures, row.expires_at, policy, now));
            match lost {
                Some(Disposition::Again { due, failures }) => {
                    (row.due, row.failures) = (due, failures);
                }
                _ => row.expires_at = now,
            }
        }
    }
}

#[async_trait]
impl OutboxStore for Outbox {
    async fn unrouted(&self, _channels: &[String], most: usize) -> Result<Vec<Unrouted>> {
        Ok(self.lock().unrouted(self.now(), most))
    }

    async fn waiting(&self, _channels: &[String]) -> Result<Vec<Waiting>> {
        let tables = self.lock();
        let mut first: HashMap<&DestinationKey, Timestamp> = HashMap::new();
        for row in tables.messages.values().filter(|row| !row.sending) {
            let due = first.entry(&row.destination).or_insert(row.due);
            *due = (*due).min(row.due);
        }
        let waiting =
            |(key, due): (&DestinationKey, _)| Waiting::new(key.clone(), tables.state(key), due);
        Ok(first.into_iter().map(waiting).collect())
    }

    async fn exchange(&self, exchange: Exchange<'_>) -> Result<Exchanged> {
        let now = self.now();
        let done = exchange.done.iter().map(|sent| &*sent.claimed.destination.channel);
        let claims = exchange.claims.iter().map(|request| &*request.key.channel);
        let policies = self.policies(done.chain(claims));
        let mut exchanged = Exchanged::default();
        let events = {
            let mut tables = self.lock();
            let mut events = tables.finish(exchange.done, &policies, now, &mut exchanged);
            for routed in exchange.routed {
                tables.store(routed, now, &mut exchanged, &mut events);
            }
            for request in exchange.claims {
                let outdated = request.is_outdated(&tables.state(&request.key));
                let policy = policies.get(&*request.key.channel);
                let claimed = policy.map(|policy| tables.claim(request, policy, now));
                let claimed = claimed.unwrap_or_default();
                if claimed.is_empty() && outdated {
                    exchanged.changed.push(request.key.clone());
                }
                exchanged.claimed.push(claimed);
            }
            events
        };
        for (request, claimed) in exchange.claims.iter().zip(&mut exchanged.claimed) {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.add_reports(claimed, request.reports);
        }
        self.accept(|| events);
        Ok(exchanged)
    }

    async fn reconcile(&self, _held: &HashSet<i64>) -> Result<()> {
        // An exchange in memory can not fail half-way.
        Ok(())
    }

    async fn expire(&self, _held: &HashSet<i64>) -> Result<()> {
        let now = self.now();
        let events = self.lock().expire(now);
        self.accept(|| events);
        Ok(())
    }

    async fn give_back(&self, _done: &[Attempted]) -> Result<()> {
        // The process ends, and everything with it.
        Ok(())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        match self.executor.get() {
            Some(executor) => Arc::clone(executor.clock()),
            None => Arc::new(SystemClock::default()),
        }
    }

    fn changed(&self) -> &Notify {
        &self.changed
    }

    fn poll(&self) -> Duration {
        // Whatever changes here is told, and what becomes due is slept for; only times to live end by themselves.
        Duration::from_secs(1)
    }

    fn is_durable(&self) -> bool {
        false
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("waiting", &self.len()).finish_non_exhaustive()
    }
}
