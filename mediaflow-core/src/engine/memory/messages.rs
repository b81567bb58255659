use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use std::time::Duration;

use super::groups::{Group, Groups};
use crate::Timestamp;
use crate::event::{DeliveryFailure, Event};
use crate::executor::DeliveryPolicy;
use crate::notify::{Address, Message};
use crate::outbox::{
    Attempted, ClaimRequest, Claimed, DestinationKey, DestinationState, Disposition, Exchanged,
    NewMessage, NextStep, Rate, Routed, Routing, Unrouted,
};

/// What is asked of each channel.
pub(super) type Policies = HashMap<String, DeliveryPolicy>;

/// What waits, and what is remembered of where it goes.
#[derive(Default)]
pub(super) struct Tables {
    /// Events by their number, not before a moment.
    pub(super) unrouted: BTreeMap<i64, (Event, Timestamp)>,
    pub(super) messages: BTreeMap<i64, Row>,
    destinations: HashMap<DestinationKey, DestinationState>,
    /// Addresses of which nobody is there any more, by channel and digest.
    gone: HashSet<(String, String)>,
    /// Recipients of whom it was told that something for them was lost, and for whom nothing has arrived since; and when
    /// there was something new of that.
    told: HashMap<DestinationKey, (BTreeSet<String>, Timestamp)>,
    /// What the last message of each thread to each recipient is called by its receiver.
    threads: HashMap<(String, String, String), String>,
    /// What further events go into, and what counts events.
    pub(super) groups: Groups,
    numbered: i64,
}

#[derive(Clone)]
pub(super) struct Row {
    pub(super) message: Message,
    pub(super) recipient: String,
    pub(super) destination: DestinationKey,
    pub(super) attempts: u32,
    pub(super) failures: u32,
    pub(super) due: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) sending: bool,
    /// It tells somebody else, unless what it tells of is acknowledged.
    pub(super) escalates: bool,
    /// That has happened while it was being sent.
    pub(super) acknowledged: bool,
    /// What takes its place when it is given up.
    pub(super) next: Vec<NextStep>,
}

/// How long it is remembered of whom was told.
const TOLD: Duration = Duration::from_secs(7 * 86_400);

impl Tables {
    /// Writes attempts down. Gives the events that tell of losses.
    pub(super) fn finish(
        &mut self,
        done: &[Attempted],
        policies: &Policies,
        now: Timestamp,
        exchanged: &mut Exchanged,
    ) -> VecDeque<Event> {
        let mut by_destination: BTreeMap<&DestinationKey, Vec<(&Attempted, Disposition)>> =
            BTreeMap::new();
        for attempted in done {
            let key = &attempted.claimed.destination;
            let Some(policy) = policies.get(&*key.channel) else { continue };
            let disposition = Disposition::of(attempted, policy, now);
            self.settle(attempted, disposition, now);
            by_destination.entry(key).or_default().push((attempted, disposition));
        }
        let mut events = VecDeque::new();
        for (key, attempts) in by_destination {
            let Some(policy) = policies.get(&*key.channel) else { continue };
            let mut state = self.destinations.remove(key).unwrap_or_default();
            let before = state.clone();
            let mut told = self.told.remove(key).map(|(told, _)| told).unwrap_or_default();
            let attempts_dead =
                attempts.iter().any(|(_, disposition)| *disposition == Disposition::Dead);
            let mut effects = state.take_up(attempts, &mut told, policy, now);
            self.remember(key, told, now);
            for address in std::mem::take(&mut effects.gone) {
                let digest = address.digest();
                effects.gave_up(&digest, self.drop_of(key, Some(&address), now));
                self.gone.insert((key.channel.clone(), digest));
            }
            for (address, until) in &effects.refused {
                self.hold(key, address, *until);
            }
            if state.disabled_at.is_some() {
                effects.gave_up("", self.drop_of(key, None, now));
            }
            let waiting = self.messages.values().filter(|row| row.destination == *key).count();
            events.extend(effects.events(key, &state, waiting as u64, now));
            if state != before {
                exchanged.changed.push(key.clone());
            }
            exchanged.waits |= attempts_dead;
            if state != DestinationState::default() {
                self.destinations.insert(key.clone(), state);
            }
        }
        events
    }

    /// What is remembered of a destination.
    pub(super) fn state(&self, key: &DestinationKey) -> DestinationState {
        self.destinations.get(key).cloned().unwrap_or_default()
    }

    fn remember(&mut self, key: &DestinationKey, told: BTreeSet<String>, now: Timestamp) {
        if !told.is_empty() {
            self.told.insert(key.clone(), (told, now));
        }
    }

    pub(super) fn number(&mut self) -> i64 {
        self.numbered += 1;
        self.numbered
    }

    pub(super) fn unrouted(&self, now: Timestamp, most: usize) -> Vec<Unrouted> {
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

    fn settle(&mut self, attempted: &Attempted, disposition: Disposition, now: Timestamp) {
        let claimed = &attempted.claimed;
        match disposition {
            Disposition::Delivered | Disposition::Dead => {
                let Some(row) = self.messages.remove(&claimed.id) else { return };
                let thread = row.message.thread.as_ref().map(|thread| thread.key.clone());
                if disposition == Disposition::Dead {
                    self.replace(row, now);
                } else {
                    self.arrived(&row, now);
                }
                if let (Some(thread), Some(id)) = (thread, attempted.provider_id()) {
                    let recipient = claimed.recipient.clone();
                    let key = (claimed.destination.channel.clone(), recipient, thread);
                    self.threads.insert(key, id.to_owned());
                }
            }
            Disposition::Again { due, failures } => {
                if self.messages.get(&claimed.id).is_some_and(|row| row.acknowledged) {
                    self.messages.remove(&claimed.id);
                } else if let Some(row) = self.messages.get_mut(&claimed.id) {
                    (row.due, row.failures, row.sending) = (due, failures, false);
                }
            }
        }
    }

    /// Gives up what is not worth sending any more. Gives the events that tell of it.
    pub(super) fn expire(&mut self, now: Timestamp) -> VecDeque<Event> {
        self.destinations.retain(|_, state| !state.is_clear(now));
        let messages = &self.messages;
        self.groups.tidy(now, |id| messages.get(&id).is_some_and(|row| row.due > now));
        self.told.retain(|_, (_, at)| now.since(*at) < TOLD);
        let mut given_up: BTreeMap<DestinationKey, Vec<Row>> = BTreeMap::new();
        let over = |row: &Row| !row.sending && row.expires_at <= now;
        let ids: Vec<_> =
            self.messages.iter().filter(|(_, row)| over(row)).map(|(id, _)| *id).collect();
        for id in ids {
            let Some(row) = self.messages.remove(&id) else { continue };
            self.replace(row.clone(), now);
            given_up.entry(row.destination.clone()).or_default().push(row);
        }
        let mut events = VecDeque::new();
        for (key, rows) in given_up {
            let mut told = self.told.remove(&key).map(|(told, _)| told).unwrap_or_default();
            let is_news = |row: &&Row| {
                !row.message.event().kind.is_of_delivery() && !told.contains(&row.recipient)
            };
            let Some(first) = rows.iter().find(is_news) else {
                self.remember(&key, told, now);
                continue;
            };
            let reason = "it was not delivered within its time to live";
            let mut failure = DeliveryFailure::new(&*key.channel, first.message.event().id, reason);
            failure.destination.clone_from(&key.name);
            (failure.attempts, failure.dead) = (first.attempts, rows.len() as u64);
            let state = self.destinations.entry(key.clone()).or_default();
            if state.gave_up(reason, &first.recipient, &mut told) {
                events.push_back(failure.into_event(first.message.event().job, now));
            }
            self.remember(&key, told, now);
        }
        events
    }

    /// Stores what became of an event.
    pub(super) fn store(
        &mut self,
        routed: &Routed,
        now: Timestamp,
        exchanged: &mut Exchanged,
        events: &mut VecDeque<Event>,
    ) {
        let messages = match &routed.routing {
            Routing::Messages(messages) => messages,
            Routing::Later(due) => {
                if let Some((_, at)) = self.unrouted.get_mut(&routed.seq) {
                    *at = *due;
                }
                return;
            }
            // Nobody else can know it: there is no other process.
            Routing::Unknown => {
                self.unrouted.remove(&routed.seq);
                return;
            }
        };
        let Some((event, _)) = self.unrouted.remove(&routed.seq) else { return };
        let failure = routed.failure.as_ref();
        events.extend(failure.map(|failure| failure.clone().into_event(event.job, now)));
        let mut told = HashSet::new();
        for new in messages {
            // A job may name the same address twice.
            if !told.insert((&new.rule, new.step, &new.recipient, &new.group)) {
                continue;
            }
            if new.refused.is_some() {
                self.replace(self.row(new, &event, now), now);
                exchanged.waits |= !new.next.is_empty();
                if let Some(failure) = new.failure(&event) {
                    let (told, at) = self.told.entry(new.destination.clone()).or_default();
                    *at = now;
                    if told.insert(new.recipient.clone()) {
                        events.push_back(failure.into_event(event.job, now));
                    }
                }
                continue;
            }
            if self.is_gone(&new.destination.channel, &new.recipient) {
                self.replace(self.row(new, &event, now), now);
                exchanged.waits |= !new.next.is_empty();
                continue;
            }
            let mut new = new.clone();
            match self.group(&mut new, &event, now) {
                Group::Alone => {}
                Group::Joined | Group::Counted => continue,
            }
            if let Some(claimed) = self.add(&new, &event, now) {
                exchanged.begun.push(claimed);
            } else {
                exchanged.waits = true;
            }
        }
    }

    /// Adds a message. Gives it if it is sent at once.
    fn add(&mut self, new: &NewMessage, event: &Event, now: Timestamp) -> Option<Claimed> {
        let id = self.number();
        let at_once = new.at_once && !self.destinations.contains_key(&new.destination);
        self.messages.insert(id, self.row(new, event, now));
        self.groups.opened(new, id);
        at_once.then(|| self.begin(id, false)).flatten()
    }

    fn row(&self, new: &NewMessage, event: &Event, now: Timestamp) -> Row {
        Row {
            message: new.of(event.clone()),
            recipient: new.recipient.clone(),
            destination: new.destination.clone(),
            attempts: 0,
            failures: 0,
            due: new.due.unwrap_or(now),
            expires_at: new.expires_at,
            sending: false,
            escalates: new.escalates.is_some(),
            acknowledged: false,
            next: new.next.clone(),
        }
    }

    /// Whether nobody is at this address any more.
    pub(super) fn is_gone(&self, channel: &str, recipient: &str) -> bool {
        self.gone.contains(&(channel.to_owned(), recipient.to_owned()))
    }

    pub(super) fn claim(
        &mut self,
        request: &ClaimRequest,
        policy: &DeliveryPolicy,
        now: Timestamp,
    ) -> Vec<Claimed> {
        if self.destinations.get(&request.key).is_some_and(|state| state.disabled_at.is_some()) {
            self.drop_of(&request.key, None, now);
        }
        let state = self.destinations.entry(request.key.clone()).or_default();
        let mut most = request.messages;
        if !state.is_ready(policy, now) || state.is_open(policy) != request.probe {
            most = 0;
        }
        let last_probe = state.last_probe.clone();
        if let Some(rate) = policy.rate {
            most = most.min(Rate::new(rate).left(state.paid_until, now));
        }
        let waits = |row: &Row| row.destination == request.key && !row.sending && row.due <= now;
        let mut due: Vec<_> = self
            .messages
            .iter()
            .filter(|(id, row)| waits(row) && !(policy.ordered && self.is_behind(**id, row)))
            .map(|(id, row)| {
                // After one probe comes another recipient's, and all have their turn.
                let turn = last_probe.as_ref().map(|last| (row.recipient <= *last, &row.recipient));
                (turn, row.due, *id)
            })
            .collect();
        due.sort_unstable();
        due.truncate(most);
        let due: Vec<_> = due.into_iter().map(|(_, _, id)| id).collect();
        if let Some(state) = self.destinations.get_mut(&request.key) {
            if let Some(rate) = policy.rate {
                state.paid_until = Rate::new(rate).paid(state.paid_until, now, due.len());
            }
            if let (true, Some(id)) = (request.probe, due.first()) {
                state.probe_until = now.plus(policy.timeout);
                state.last_probe = self.messages.get(id).map(|row| row.recipient.clone());
            }
            if *state == DestinationState::default() {
                self.destinations.remove(&request.key);
            }
        }
        due.into_iter().filter_map(|id| self.begin(id, request.probe)).collect()
    }

    /// Whether an earlier message of the same job to the same recipient has not ended.
    fn is_behind(&self, id: i64, row: &Row) -> bool {
        let job = row.message.event().job;
        self.messages.range(..id).any(|(_, earlier)| {
            job.is_some()
                && !earlier.escalates
                && earlier.message.rule == row.message.rule
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
            let recipient = row.recipient.clone();
            let key = (row.destination.channel.clone(), recipient, thread.key.clone());
            thread.provider_id = self.threads.get(&key).cloned();
        }
        let recipient = row.recipient.clone();
        let mut claimed = Claimed::new(id, row.destination.clone(), recipient, Ok(message));
        (claimed.attempt, claimed.failures) = (row.attempts, row.failures);
        (claimed.expires_at, claimed.probe) = (row.expires_at, probe);
        Some(claimed)
    }

    /// Gives up what waits for one address, or for the notifier's own, at a destination. Gives the number.
    fn drop_of(&mut self, key: &DestinationKey, address: Option<&Address>, now: Timestamp) -> u64 {
        let there = |row: &Row| {
            !row.sending && row.destination == *key && row.message.address.as_ref() == address
        };
        let ids: Vec<_> =
            self.messages.iter().filter(|(_, row)| there(row)).map(|(id, _)| *id).collect();
        for id in &ids {
            if let Some(row) = self.messages.remove(id) {
                self.replace(row, now);
            }
        }
        ids.len() as u64
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
