use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, broadcast};

use crate::event::{DeliveryFailure, Event};
use crate::executor::{DeliveryPolicy, Executor};
use crate::notify::{Address, Message, Thread};
use crate::outbox::{
    Attempted, ClaimRequest, Claimed, DestinationKey, DestinationState, Disposition, Exchange,
    Exchanged, NewMessage, OutboxStore, Rate, Route, Routed, Unrouted, Waiting,
};
use crate::{Clock, Result, SystemClock, Timestamp};

/// Events and messages of the engine in memory. What has arrived or was given up is forgotten.
pub(super) struct Outbox {
    /// Held while events are handed over, so that their order is the order of the changes.
    order: Mutex<()>,
    tables: Mutex<Tables>,
    changed: Notify,
    executor: OnceLock<Executor>,
    readers: broadcast::Sender<Event>,
}

/// What is asked of each channel.
type Policies = HashMap<String, DeliveryPolicy>;

#[derive(Default)]
struct Tables {
    /// Events by their number, not before a moment.
    unrouted: BTreeMap<i64, (Event, Timestamp)>,
    messages: BTreeMap<i64, Row>,
    destinations: HashMap<DestinationKey, DestinationState>,
    /// Addresses of which nobody is there any more, by channel and digest.
    gone: HashSet<(String, String)>,
    /// What each thread's last message is called by its receiver.
    threads: HashMap<(String, String), String>,
    numbered: i64,
}

struct Row {
    message: Message,
    recipient: String,
    destination: DestinationKey,
    attempts: u32,
    failures: u32,
    due: Timestamp,
    expires_at: Timestamp,
    sending: bool,
}

impl Outbox {
    pub(super) fn new(readers: broadcast::Sender<Event>) -> Self {
        Self {
            order: Mutex::default(),
            tables: Mutex::default(),
            changed: Notify::new(),
            executor: OnceLock::new(),
            readers,
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
        for event in events {
            // Nobody listening is no error.
            let _ = self.readers.send(event);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
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
        let state = |key| tables.destinations.get(key).cloned().unwrap_or_default();
        Ok(first.into_iter().map(|(key, due)| Waiting::new(key.clone(), state(key), due)).collect())
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
                let policy = policies.get(&*request.key.channel);
                let claimed = policy.map(|policy| tables.claim(request, policy, now));
                exchanged.claimed.push(claimed.unwrap_or_default());
            }
            events
        };
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
            None => Arc::new(SystemClock),
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

impl Tables {
    /// Writes attempts down. Gives the events that tell of losses.
    fn finish(
        &mut self,
        done: &[Attempted],
        policies: &Policies,
        now: Timestamp,
        exchanged: &mut Exchanged,
    ) -> VecDeque<Event> {
        let mut by_destination: BTreeMap<&DestinationKey, Vec<(&Attempted, Disposition)>> =
            BTreeMap::new();
        let mut dead: HashMap<&DestinationKey, u64> = HashMap::new();
        for attempted in done {
            let key = &attempted.claimed.destination;
            let Some(policy) = policies.get(&*key.channel) else { continue };
            let disposition = Disposition::of(attempted, policy, now);
            self.settle(attempted, disposition);
            *dead.entry(key).or_default() += u64::from(disposition == Disposition::Dead);
            by_destination.entry(key).or_default().push((attempted, disposition));
        }
        let mut events = VecDeque::new();
        for (key, attempts) in by_destination {
            let Some(policy) = policies.get(&*key.channel) else { continue };
            let mut state = self.destinations.remove(key).unwrap_or_default();
            let before = state.clone();
            let effects = state.take_up(attempts, policy, now);
            let mut lost = dead.get(key).copied().unwrap_or_default();
            for address in &effects.gone {
                lost += self.drop_of(key, Some(address));
                self.gone.insert((key.channel.clone(), address.digest()));
            }
            for (address, until) in &effects.refused {
                self.hold(key, address, *until);
            }
            if effects.disabled {
                lost += self.drop_of(key, None);
            }
            let waiting = self.messages.values().filter(|row| row.destination == *key).count();
            events.extend(effects.events(key, &state, lost, waiting as u64, now));
            if state != before {
                exchanged.changed.push(key.clone());
            }
            if state != DestinationState::default() {
                self.destinations.insert(key.clone(), state);
            }
        }
        events
    }

    fn number(&mut self) -> i64 {
        self.numbered += 1;
        self.numbered
    }

    fn unrouted(&self, now: Timestamp, most: usize) -> Vec<Unrouted> {
        let until = |until: Timestamp| {
            self.unrouted.iter().filter(move |(_, (_, due))| *due <= until).take(most)
        };
        let is_new = |(_, (_, due)): &(&i64, &(Event, Timestamp))| *due == Timestamp::default();
        let (mut new, mut again): (Vec<_>, Vec<_>) = until(now).partition(is_new);
        // Those that were asked for before get few places while there are enough new ones.
        let few = again.len().min(most / 8);
        if new.len() + again.len() == most && again.len() > few {
            new = until(Timestamp::default()).take(most - few).collect();
            again.truncate(most - new.len());
        }
        let all = new.into_iter().chain(again);
        all.map(|(seq, (event, _))| Unrouted::new(*seq, Ok(event.clone()))).collect()
    }

    fn settle(&mut self, attempted: &Attempted, disposition: Disposition) {
        let claimed = &attempted.claimed;
        match disposition {
            Disposition::Delivered | Disposition::Dead => {
                let row = self.messages.remove(&claimed.id);
                let thread = row.and_then(|row| row.message.thread).map(|thread| thread.key);
                if let (Some(thread), Some(id)) = (thread, attempted.provider_id()) {
                    let key = (claimed.destination.channel.clone(), thread);
                    self.threads.insert(key, id.to_owned());
                }
            }
            Disposition::Again { due, failures } => {
                if let Some(row) = self.messages.get_mut(&claimed.id) {
                    (row.due, row.failures, row.sending) = (due, failures, false);
                }
            }
        }
    }

    /// Gives up what is not worth sending any more. Gives the events that tell of it.
    fn expire(&mut self, now: Timestamp) -> VecDeque<Event> {
        self.destinations.retain(|_, state| !state.is_clear(now));
        let mut given_up: BTreeMap<DestinationKey, Vec<Row>> = BTreeMap::new();
        let over = |row: &Row| !row.sending && row.expires_at <= now;
        let ids: Vec<_> =
            self.messages.iter().filter(|(_, row)| over(row)).map(|(id, _)| *id).collect();
        for row in ids.iter().filter_map(|id| self.messages.remove(id)) {
            given_up.entry(row.destination.clone()).or_default().push(row);
        }
        let mut events = VecDeque::new();
        for (key, rows) in given_up {
            let Some(first) = rows.iter().find(|row| !row.message.event().kind.is_of_delivery())
            else {
                continue;
            };
            let reason = "it was not delivered within its time to live";
            let mut failure = DeliveryFailure::new(&*key.channel, first.message.event().id, reason);
            failure.destination.clone_from(&key.name);
            (failure.attempts, failure.dead) = (first.attempts, rows.len() as u64);
            let state = self.destinations.entry(key).or_default();
            events.extend(state.gave_up(failure, first.message.event().job, now));
        }
        events
    }

    /// Stores what became of an event.
    fn store(
        &mut self,
        routed: &Routed,
        now: Timestamp,
        exchanged: &mut Exchanged,
        events: &mut VecDeque<Event>,
    ) {
        let messages = match &routed.route {
            Route::Messages(messages) => messages,
            Route::Later(due) => {
                if let Some((_, at)) = self.unrouted.get_mut(&routed.seq) {
                    *at = *due;
                }
                return;
            }
            // Nobody else can know it: there is no other process.
            Route::Unknown => {
                self.unrouted.remove(&routed.seq);
                return;
            }
        };
        let Some((event, _)) = self.unrouted.remove(&routed.seq) else { return };
        let mut told = HashSet::new();
        for new in messages {
            // A job may name the same address twice.
            if !told.insert((&new.rule, new.step, &new.recipient, &new.group)) {
                continue;
            }
            if new.refused.is_some() {
                let state = self.destinations.entry(new.destination.clone()).or_default();
                let failure = new.failure(&event);
                events.extend(failure.and_then(|failure| state.gave_up(failure, event.job, now)));
                continue;
            }
            if let Some(claimed) = self.add(new, &event, now) {
                exchanged.begun.push(claimed);
            } else {
                exchanged.waits = true;
            }
        }
    }

    /// Adds a message. Gives it if it is sent at once.
    fn add(&mut self, new: &NewMessage, event: &Event, now: Timestamp) -> Option<Claimed> {
        let gone = self.gone.contains(&(new.destination.channel.clone(), new.recipient.clone()));
        if gone {
            return None;
        }
        let mut message = Message::of(event.clone()).to(new.address.clone());
        (message.id, message.rule, message.step) = (new.id, new.rule.clone(), new.step);
        message.thread = new.thread.as_ref().map(Thread::new);
        let id = self.number();
        let at_once = new.at_once && !self.destinations.contains_key(&new.destination);
        let row = Row {
            message,
            recipient: new.recipient.clone(),
            destination: new.destination.clone(),
            attempts: 0,
            failures: 0,
            due: now,
            expires_at: new.expires_at,
            sending: false,
        };
        self.messages.insert(id, row);
        at_once.then(|| self.begin(id, false)).flatten()
    }

    fn claim(
        &mut self,
        request: &ClaimRequest,
        policy: &DeliveryPolicy,
        now: Timestamp,
    ) -> Vec<Claimed> {
        let state = self.destinations.entry(request.key.clone()).or_default();
        let mut most = request.messages;
        if !state.is_ready(policy, now) {
            most = 0;
        }
        if let Some(rate) = policy.rate {
            most = most.min(Rate::new(rate).left(state.paid_until, now));
        }
        let waits = |row: &Row| row.destination == request.key && !row.sending && row.due <= now;
        let mut due: Vec<_> = self
            .messages
            .iter()
            .filter(|(id, row)| waits(row) && !(policy.ordered && self.is_behind(**id, row)))
            .map(|(id, row)| (row.due, *id))
            .collect();
        due.sort_unstable();
        due.truncate(most);
        if let Some(state) = self.destinations.get_mut(&request.key) {
            if let Some(rate) = policy.rate {
                state.paid_until = Rate::new(rate).paid(state.paid_until, now, due.len());
            }
            if request.probe && !due.is_empty() {
                state.probe_until = now.plus(policy.timeout);
            }
            if *state == DestinationState::default() {
                self.destinations.remove(&request.key);
            }
        }
        due.into_iter().filter_map(|(_, id)| self.begin(id, request.probe)).collect()
    }

    /// Whether an earlier message of the same job to the same recipient has not ended.
    fn is_behind(&self, id: i64, row: &Row) -> bool {
        let job = row.message.event().job;
        self.messages.range(..id).any(|(_, earlier)| {
            job.is_some()
                && earlier.message.event().job == job
                && earlier.recipient == row.recipient
                && earlier.destination == row.destination
        })
    }

    fn begin(&mut self, id: i64, probe: bool) -> Option<Claimed> {
        let row = self.messages.get_mut(&id)?;
        (row.sending, row.attempts) = (true, row.attempts + 1);
        let mut message = row.message.clone();
        if let Some(thread) = &mut message.thread {
            let key = (row.destination.channel.clone(), thread.key.clone());
            thread.provider_id = self.threads.get(&key).cloned();
        }
        let mut claimed = Claimed::new(id, row.destination.clone(), Ok(message));
        (claimed.attempt, claimed.failures) = (row.attempts, row.failures);
        (claimed.expires_at, claimed.probe) = (row.expires_at, probe);
        Some(claimed)
    }

    /// Gives up what waits for a destination, or for one address there. Gives the number.
    fn drop_of(&mut self, key: &DestinationKey, address: Option<&Address>) -> u64 {
        let before = self.messages.len();
        self.messages.retain(|_, row| {
            row.sending
                || row.destination != *key
                || address.is_some_and(|address| row.message.address.as_ref() != Some(address))
        });
        (before - self.messages.len()) as u64
    }

    /// Lets what waits for one address wait until then.
    fn hold(&mut self, key: &DestinationKey, address: &Address, until: Timestamp) {
        for row in self.messages.values_mut() {
            let there = row.destination == *key && row.message.address.as_ref() == Some(address);
            if there && !row.sending {
                row.due = row.due.max(until);
            }
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("waiting", &self.len()).finish_non_exhaustive()
    }
}
