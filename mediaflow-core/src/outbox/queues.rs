//! What a dispatcher knows of the destinations that something waits for.

use std::collections::{HashMap, HashSet};

use super::turns::Turns;
use super::{Claimed, DestinationKey, DestinationState, Rate, Routed, Routing};
use crate::Timestamp;
use crate::executor::DeliveryPolicy;

/// A destination that something waits for, as a store sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// Which one.
    pub key: DestinationKey,
    /// What is remembered of it.
    pub state: DestinationState,
    /// When the first of its messages is due.
    pub due: Timestamp,
}

impl Waiting {
    /// This destination, whose first message is due then.
    #[must_use]
    pub fn new(key: DestinationKey, state: DestinationState, due: Timestamp) -> Self {
        Self { key, state, due }
    }
}

/// What a dispatcher wants to have from one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimRequest {
    /// Which one.
    pub key: DestinationKey,
    /// How many messages at most.
    pub messages: usize,
    /// The breaker is open, and its time is over: a single one may try.
    pub probe: bool,
    /// What is believed to be remembered of it.
    pub state: DestinationState,
    /// How many reports of single jobs an event of a batch comes with.
    pub reports: usize,
}

impl ClaimRequest {
    /// Whether something else is true now of the destination than was believed: it has to be looked at again if nothing can
    /// be claimed. Looking again at what is as it was believed to be would find the same.
    #[must_use]
    pub fn is_outdated(&self, state: &DestinationState) -> bool {
        self.state != *state
    }
}

/// How many messages one transaction claims at most, and how many events are routed at once: others want to write, too.
pub(super) const TOGETHER: usize = 256;

/// The policy of each channel, with its terms.
pub(super) type Policies = HashMap<String, (DeliveryPolicy, usize)>;

/// All destinations that something waits for, and how many messages are under way in this process.
#[derive(Debug, Default)]
pub(super) struct Queues {
    known: HashMap<DestinationKey, Known>,
    under_way: HashMap<DestinationKey, usize>,
    of_channel: HashMap<String, usize>,
    turns: Turns,
}

#[derive(Clone, Debug)]
struct Known {
    state: DestinationState,
    /// When the first is due; nothing is known of later ones.
    due: Option<Timestamp>,
    /// Some were claimed since they were looked at.
    claimed: bool,
}

impl Known {
    /// When something may be sent there, as far as is known; `None` if nothing waits.
    fn ready_at(&self, policy: &DeliveryPolicy) -> Option<Timestamp> {
        let due = self.due?.max(self.state.blocked_until);
        let due = if self.state.is_open(policy) { due.max(self.state.probe_until) } else { due };
        let paid = policy.rate.map(|rate| Rate::new(rate).next(self.state.paid_until));
        Some(due.max(paid.unwrap_or_default()))
    }

    fn request(
        &self,
        key: &DestinationKey,
        (policy, reports): &(DeliveryPolicy, usize),
        free: usize,
        now: Timestamp,
    ) -> Option<ClaimRequest> {
        let ready = self.ready_at(policy).is_some_and(|at| at <= now);
        let probe = self.state.is_open(policy);
        let paid = |rate| Rate::new(rate).left(self.state.paid_until, now);
        let free = free.min(policy.rate.map_or(usize::MAX, paid));
        let messages = free.min(if probe { 1 } else { usize::MAX });
        let request = || ClaimRequest {
            key: key.clone(),
            messages,
            probe,
            state: self.state.clone(),
            reports: *reports,
        };
        (ready && messages > 0).then(request)
    }
}

impl Queues {
    /// Takes up what a store sees now.
    pub(super) fn look(&mut self, waiting: Vec<Waiting>) {
        let known =
            |Waiting { key, state, due }| (key, Known { state, due: Some(due), claimed: false });
        self.known = waiting.into_iter().map(known).collect();
        self.turns.look(|key| self.known.contains_key(key) || self.under_way.contains_key(key));
    }

    /// What can be sent now, no more messages than one transaction claims: the destinations that work first, and of those the ones
    /// that have waited longest. What has to wait for its turn comes behind what any of them can send at once.
    pub(super) fn ready(&self, policies: &Policies, now: Timestamp) -> Vec<ClaimRequest> {
        let request = |(key, known): (&DestinationKey, &Known)| {
            let policy = policies.get(&key.channel)?;
            let free = self.free(key, &policy.0);
            let behind = self.turns.free(key, &known.state, &policy.0);
            let request = known.request(key, policy, free + behind, now)?;
            Some(((known.state.failures, known.due), free, request))
        };
        let mut ready: Vec<_> = self.known.iter().filter_map(request).collect();
        ready.sort_by_key(|(order, ..)| *order);
        let mut taken: HashMap<String, usize> = HashMap::new();
        let mut fits = Vec::new();
        for (_, free, mut request) in ready {
            let taken = taken.entry(request.key.channel.clone()).or_default();
            let most = policies
                .get(&request.key.channel)
                .map_or(1, |(policy, _)| policy.channel_concurrency.max(1));
            let left = most.saturating_sub(self.in_channel(&request.key) + *taken);
            let at_once = request.messages.min(free).min(left);
            // Only behind one that is under way comes another one's turn.
            let turns = at_once > 0 || self.under_way.contains_key(&request.key);
            let behind = if turns { request.messages.saturating_sub(free) } else { 0 };
            request.messages = at_once;
            *taken += at_once;
            fits.push((request, behind));
        }
        let mut left = TOGETHER;
        for (request, _) in &mut fits {
            request.messages = request.messages.min(left);
            left -= request.messages;
        }
        for (request, behind) in &mut fits {
            let behind = left.min(*behind);
            request.messages += behind;
            left -= behind;
        }
        let fits = fits.into_iter().map(|(request, _)| request);
        fits.filter(|request| request.messages > 0).collect()
    }

    /// Whether there are places for at least half as many messages as a destination has places for, or for all of them while
    /// that is waited for. Where messages wait for their turn, all of those have had it then, and some are still under way.
    pub(super) fn is_urgent(
        &self,
        request: &ClaimRequest,
        policies: &Policies,
        waits_for_all: bool,
    ) -> bool {
        let Some((policy, _)) = policies.get(&request.key.channel) else { return true };
        let places = request.state.places(policy).min(policy.channel_concurrency.max(1));
        let turns = self.turns.most(&request.key, &request.state, policy);
        let free = request.messages * if waits_for_all { 1 } else { 2 };
        let enough = match turns {
            0 => places,
            turns if waits_for_all => turns,
            turns => places + turns,
        };
        request.probe || policy.rate.is_some() || free >= enough
    }

    /// Decides which new messages are sent at once: none where something has `failed`.
    pub(super) fn choose_at_once(
        &self,
        routed: &mut [Routed],
        policies: &Policies,
        failed: &HashSet<DestinationKey>,
    ) {
        let mut of_destination: HashMap<DestinationKey, usize> = HashMap::new();
        let mut of_channel: HashMap<String, usize> = HashMap::new();
        for routed in routed {
            let Routing::Messages(messages) = &mut routed.routing else { continue };
            for message in messages {
                let Some((policy, reports)) = policies.get(&message.destination.channel) else {
                    continue;
                };
                let of_batch = routed.event.as_ref().is_some_and(|event| event.job.is_none());
                let key = &message.destination;
                let taken = of_destination.entry(key.clone()).or_default();
                let in_channel = of_channel.entry(key.channel.clone()).or_default();
                let with_reports = of_batch && *reports > 0;
                message.at_once = !(failed.contains(key) || with_reports)
                    && message.is_ready()
                    && (*taken).max(*in_channel) < self.at_once(key, policy);
                *taken += usize::from(message.at_once);
                *in_channel += usize::from(message.at_once);
            }
        }
    }

    /// How many messages that were made a moment ago can be sent at once: none if something waits before them, or
    /// something is known against it.
    fn at_once(&self, key: &DestinationKey, policy: &DeliveryPolicy) -> usize {
        let plain = policy.rate.is_none() && !policy.ordered;
        if plain && !self.known.contains_key(key) { self.free(key, policy) } else { 0 }
    }

    /// When something can be sent that can not be sent yet.
    pub(super) fn next(&self, policies: &Policies, now: Timestamp) -> Option<Timestamp> {
        let next = |(key, known): (&DestinationKey, &Known)| {
            let (policy, _) = policies.get(&key.channel)?;
            known.ready_at(policy).filter(|_| self.free(key, policy) > 0)
        };
        self.known.iter().filter_map(next).filter(|at| *at > now).min()
    }

    /// Whether anything waits, now or later.
    pub(super) fn is_empty(&self) -> bool {
        !self.known.values().any(|known| known.due.is_some())
    }

    /// So many messages were claimed, fewer than asked for if there were no more. Says whether to look what waits now.
    pub(super) fn claimed(
        &mut self,
        request: &ClaimRequest,
        messages: usize,
        policy: &DeliveryPolicy,
        now: Timestamp,
    ) -> bool {
        let Some(known) = self.known.get_mut(&request.key) else { return true };
        if let Some(rate) = policy.rate {
            known.state.paid_until = Rate::new(rate).paid(known.state.paid_until, now, messages);
        }
        // What is due and can not be claimed waits for something else: looking again at once would help nothing.
        let look = messages > 0 || known.claimed;
        known.claimed = true;
        if messages == request.messages && messages > 0 && !request.probe {
            return false;
        }
        known.due = None;
        look
    }

    /// What was known of a destination is not true any more.
    pub(super) fn forget(&mut self, key: &DestinationKey) {
        self.known.remove(key);
    }

    /// Messages that were claimed: gives those that are sent now. The others wait for their turn.
    pub(super) fn begin(&mut self, claimed: Vec<Claimed>, policies: &Policies) -> Vec<Claimed> {
        let mut now = Vec::with_capacity(claimed.len());
        for claimed in claimed {
            let key = &claimed.destination;
            let policy = policies.get(&key.channel).map(|(policy, _)| policy);
            let waits = |policy| self.free(key, policy) == 0 && self.turns.are_taken(key);
            if policy.is_some_and(waits) && self.under_way.contains_key(key) {
                self.turns.wait(claimed);
            } else {
                self.begun(key);
                now.push(claimed);
            }
        }
        now
    }

    /// An attempt has ended well, and the turns of the same destination go on, of which there are some as long as it is `quick`.
    /// Gives the next message, which is under way then.
    pub(super) fn next_turn(&mut self, key: &DestinationKey, quick: bool) -> Option<Claimed> {
        let next = self.turns.next(key, quick)?;
        self.begun(key);
        Some(next)
    }

    /// An attempt has failed: what waits for its turn there is not sent before it is known what that means. Gives it.
    pub(super) fn end_turns(
        &mut self,
        key: &DestinationKey,
    ) -> impl Iterator<Item = Claimed> + use<> {
        self.turns.end(key)
    }

    /// Nothing is sent any more: gives all that waits for its turn.
    pub(super) fn end_all_turns(&mut self) -> impl Iterator<Item = Claimed> + use<> {
        self.turns.end_all()
    }

    /// A message is under way.
    fn begun(&mut self, key: &DestinationKey) {
        *self.under_way.entry(key.clone()).or_default() += 1;
        *self.of_channel.entry(key.channel.clone()).or_default() += 1;
    }

    /// It is not any more.
    pub(super) fn over(&mut self, key: &DestinationKey) {
        if let Some(count) = self.under_way.get_mut(key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.under_way.remove(key);
            }
        }
        if let Some(count) = self.of_channel.get_mut(&key.channel) {
            *count = count.saturating_sub(1);
        }
    }

    fn free(&self, key: &DestinationKey, policy: &DeliveryPolicy) -> usize {
        let under_way = self.under_way.get(key).copied().unwrap_or(0);
        let in_channel = policy.channel_concurrency.max(1).saturating_sub(self.in_channel(key));
        let all = || policy.concurrency.max(1);
        let places = self.known.get(key).map_or_else(all, |known| known.state.places(policy));
        places.saturating_sub(under_way).min(in_channel)
    }

    fn in_channel(&self, key: &DestinationKey) -> usize {
        self.of_channel.get(&key.channel).copied().unwrap_or(0)
    }
}

#[cfg(test)]
#[path = "tests/queues.rs"]
mod tests;
