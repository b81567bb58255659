//! What a dispatcher knows of the destinations that something waits for.

use std::collections::HashMap;

use super::{DestinationKey, DestinationState, Rate};
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

/// The policy of each channel, with its terms.
pub(super) type Policies = HashMap<String, (DeliveryPolicy, usize)>;

/// All destinations that something waits for, and how many messages are under way in this process.
#[derive(Debug, Default)]
pub(super) struct Queues {
    known: HashMap<DestinationKey, Known>,
    under_way: HashMap<DestinationKey, usize>,
    of_channel: HashMap<String, usize>,
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
    }

    /// What can be sent now: the destinations that work first, and of those the ones that have waited longest.
    pub(super) fn ready(&self, policies: &Policies, now: Timestamp) -> Vec<ClaimRequest> {
        let request = |(key, known): (&DestinationKey, &Known)| {
            let policy = policies.get(&key.channel)?;
            let request = known.request(key, policy, self.free(key, &policy.0), now)?;
            Some(((known.state.failures, known.due), request))
        };
        let mut ready: Vec<_> = self.known.iter().filter_map(request).collect();
        ready.sort_by_key(|(order, _)| *order);
        let mut taken: HashMap<String, usize> = HashMap::new();
        let mut fits = Vec::new();
        for (_, mut request) in ready {
            let taken = taken.entry(request.key.channel.clone()).or_default();
            let most = policies
                .get(&request.key.channel)
                .map_or(1, |(policy, _)| policy.channel_concurrency.max(1));
            let left = most.saturating_sub(self.in_channel(&request.key) + *taken);
            request.messages = request.messages.min(left);
            *taken += request.messages;
            if request.messages > 0 {
                fits.push(request);
            }
        }
        fits
    }

    /// Whether there are places for at least half as many messages as a destination has places for, or for all of them while
    /// that is waited for.
    pub(super) fn is_urgent(
        &self,
        request: &ClaimRequest,
        policies: &Policies,
        waits_for_all: bool,
    ) -> bool {
        let Some((policy, _)) = policies.get(&request.key.channel) else { return true };
        let places = request.state.places(policy).min(policy.channel_concurrency.max(1));
        let free = request.messages * if waits_for_all { 1 } else { 2 };
        request.probe || policy.rate.is_some() || free >= places
    }

    /// How many messages that were made a moment ago can be sent at once: none if something waits before them, or
    /// something is known against it.
    pub(super) fn at_once(&self, key: &DestinationKey, policy: &DeliveryPolicy) -> usize {
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

    /// A message is under way.
    pub(super) fn begun(&mut self, key: &DestinationKey) {
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

/// No more messages than one transaction claims.
pub(super) fn limit(claims: &mut Vec<ClaimRequest>, most: usize) {
    let mut left = most;
    claims.retain_mut(|request| {
        request.messages = request.messages.min(left);
        left -= request.messages;
        request.messages > 0
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn key(name: &str) -> DestinationKey {
        DestinationKey::new("hooks", name)
    }

    fn waiting(name: &str, failures: u32, due: Timestamp) -> Waiting {
        let state = DestinationState { failures, ..DestinationState::default() };
        Waiting::new(key(name), state, due)
    }

    fn policies(change: impl FnOnce(&mut DeliveryPolicy)) -> Policies {
        let mut policy = DeliveryPolicy::default();
        change(&mut policy);
        HashMap::from([("hooks".to_owned(), (policy, 0))])
    }

    fn ready(queues: &Queues, policies: &Policies) -> Vec<(String, usize, bool)> {
        let ready = queues.ready(policies, NOW).into_iter();
        ready.map(|request| (request.key.name, request.messages, request.probe)).collect()
    }

    #[test]
    fn a_destination_that_works_goes_first_and_none_takes_all_places() {
        let policies = policies(|policy| {
            (policy.concurrency, policy.channel_concurrency) = (3, 7);
        });
        let older = Timestamp::from_millis(5);
        let mut queues = Queues::default();
        queues.look(vec![waiting("a", 1, older), waiting("b", 0, NOW), waiting("c", 0, older)]);
        let all = |b| [("c".into(), 3, false), ("b".into(), b, false), ("a".into(), 1, false)];
        assert_eq!(ready(&queues, &policies), all(3));
        queues.begun(&key("b"));
        assert_eq!(ready(&queues, &policies), all(2));
        queues.over(&key("b"));
        assert_eq!(ready(&queues, &policies), all(3));
    }

    #[test]
    fn a_few_free_places_wait_for_more_of_them() {
        let policies = policies(|policy| policy.concurrency = 4);
        let mut queues = Queues::default();
        queues.look(vec![waiting("a", 0, NOW)]);
        let urgent = |queues: &Queues, all| {
            let ready = queues.ready(&policies, NOW);
            let urgent = ready.iter().map(|request| queues.is_urgent(request, &policies, all));
            urgent.collect::<Vec<_>>()
        };
        for (half, all) in [(true, true), (true, false), (true, false), (false, false)] {
            assert_eq!((urgent(&queues, false), urgent(&queues, true)), (vec![half], vec![all]));
            queues.begun(&key("a"));
        }
        assert!(urgent(&queues, false).is_empty());
        queues.look(vec![waiting("a", 5, NOW)]);
        queues.over(&key("a"));
        assert_eq!(urgent(&queues, true), [true], "a probe");
    }

    #[test]
    fn an_open_breaker_lets_one_probe_through_and_what_comes_back_has_few_places() {
        let policies = policies(|_| {});
        let mut queues = Queues::default();
        queues.look(vec![waiting("a", 5, NOW)]);
        assert_eq!(ready(&queues, &policies), [("a".into(), 1, true)]);
        let mut back = waiting("a", 0, NOW);
        back.state.ramp = 2;
        queues.look(vec![back]);
        assert_eq!(ready(&queues, &policies), [("a".into(), 2, false)]);
        queues.begun(&key("a"));
        assert_eq!(ready(&queues, &policies), [("a".into(), 1, false)]);
    }

    #[test]
    fn what_is_blocked_is_ready_later() {
        let policies = policies(|_| {});
        let later = NOW.plus(Duration::from_secs(1));
        let mut blocked = waiting("a", 0, NOW);
        blocked.state.blocked_until = later;
        let mut queues = Queues::default();
        queues.look(vec![blocked]);
        assert_eq!((ready(&queues, &policies), queues.next(&policies, NOW)), (vec![], Some(later)));
    }

    #[test]
    fn what_waits_goes_before_what_was_just_made() {
        let (policies, mut queues) = (policies(|_| {}), Queues::default());
        let policy = &policies["hooks"].0;
        assert_eq!(queues.at_once(&key("a"), policy), policy.concurrency);
        queues.begun(&key("a"));
        assert_eq!(queues.at_once(&key("a"), policy), policy.concurrency - 1);
        queues.look(vec![waiting("a", 0, NOW)]);
        assert_eq!(queues.at_once(&key("a"), policy), 0);
    }
}
