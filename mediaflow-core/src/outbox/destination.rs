use std::collections::{BTreeMap, BTreeSet};

use super::{About, Attempted, DestinationKey, Disposition};
use crate::event::{DeliveryFailure, Event, EventData};
use crate::executor::DeliveryPolicy;
use crate::notify::{Address, Credentials};
use crate::{EventKind, NotifyError, Timestamp};

/// What is remembered of a destination. Most have nothing that is worth it: then it equals the default, and a store
/// forgets it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestinationState {
    /// Failures in a row. The breaker is open when there are too many.
    pub failures: u32,
    /// Failed probes since it opened.
    pub probes: u32,
    /// A probe may be under way until then.
    pub probe_until: Timestamp,
    /// Nothing is sent before: the breaker is open, or the receiver asked for it.
    pub blocked_until: Timestamp,
    /// Up to when the rate is used up, in microseconds.
    pub paid_until: i64,
    /// Since when there was nothing but failure of the host's own endpoint.
    pub failing_since: Option<Timestamp>,
    /// When that failed last.
    pub failed_at: Option<Timestamp>,
    /// It refuses our credentials: only a probe opens it.
    pub paused: bool,
    /// Since when nothing is sent to the host's own endpoint any more. What has an address of its own still is.
    pub disabled_at: Option<Timestamp>,
    /// What the last attempt failed with.
    pub reason: Option<String>,
    /// `delivery.failed` was told of what concerns all who are told there, since something arrived there last. What
    /// concerns one of them is remembered of that one.
    pub told: bool,
    /// The recipient that the last probe was for, if it was not the first: the next one is for another, if one waits.
    pub last_probe: Option<String>,
    /// It has just come back: how many places it has in each process, more with everything that arrives. 0 if it has all.
    pub ramp: u32,
}

/// What a store learns from attempts at a destination, beside its state.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Effects {
    /// What is to be told: `delivery.failed`, of which `dead` and `waiting` are still to be counted.
    pub failed: Vec<Failed>,
    /// How many messages were given up, by recipient.
    pub lost: BTreeMap<String, u64>,
    /// The host's own endpoint has just been disabled.
    pub disabled: bool,
    /// Job's own addresses of which nobody is there any more: what waits for them is given up.
    pub gone: Vec<Address>,
    /// Job's own addresses that refuse credentials of their own, or what they are sent: what waits for them waits until then.
    pub refused: Vec<(Address, Timestamp)>,
}

/// A failure that is to be told.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Failed {
    /// What is told.
    pub failure: DeliveryFailure,
    /// What could not be told.
    pub about: About,
    /// Whom, if it concerns nobody else there.
    pub recipient: Option<String>,
}

impl DestinationState {
    /// Whether nothing but a probe is sent.
    #[must_use]
    pub fn is_open(&self, policy: &DeliveryPolicy) -> bool {
        self.paused || (policy.breaker_after > 0 && self.failures >= policy.breaker_after)
    }

    /// Whether something may be sent at this moment, rates aside.
    #[must_use]
    pub fn is_ready(&self, policy: &DeliveryPolicy, now: Timestamp) -> bool {
        self.blocked_until <= now && (!self.is_open(policy) || self.probe_until <= now)
    }

    /// Takes up the outcomes of a group of attempts, in the order in which they ended. `told` are the recipients there of
    /// whom `delivery.failed` was told, and for whom nothing has arrived since: a store remembers that beside the state.
    pub fn take_up<'a>(
        &mut self,
        attempts: impl IntoIterator<Item = (&'a Attempted, Disposition)>,
        told: &mut BTreeSet<String>,
        policy: &DeliveryPolicy,
        now: Timestamp,
    ) -> Effects {
        let mut effects = Effects::default();
        for (attempted, disposition) in attempts {
            let recipient = &attempted.claimed.recipient;
            if disposition == Disposition::Dead {
                effects.gave_up(recipient, 1);
            }
            let concerns = self.one(attempted, disposition, policy, now, &mut effects);
            match attempted.result {
                Ok(_) => drop(told.remove(recipient)),
                Err(_) => self.tell(attempted, disposition, concerns, told, &mut effects),
            }
        }
        effects
    }

    /// Messages were given up without an answer: their time to live is over, or their process was lost too often. Says
    /// whether that is to be told, for the first of them whose recipient is not among those of whom it was `told`.
    pub fn gave_up(&mut self, reason: &str, recipient: &str, told: &mut BTreeSet<String>) -> bool {
        self.reason.get_or_insert_with(|| reason.to_owned());
        if self.told || told.contains(recipient) {
            return false;
        }
        self.told = true;
        told.insert(recipient.to_owned())
    }

    /// Puts it to use again: it was disabled, blocked, or its breaker is open. What waits for it is not sent all at once.
    pub fn enable(&mut self) {
        self.clear(1);
    }

    /// How many messages for it may be under way in each process.
    pub(super) fn places(&self, policy: &DeliveryPolicy) -> usize {
        let all = policy.concurrency.max(1);
        if self.ramp == 0 {
            all
        } else {
            usize::try_from(self.ramp).map_or(all, |few| all.min(few))
        }
    }

    /// Forgets what was against it.
    fn clear(&mut self, ramp: u32) {
        *self = Self { paid_until: self.paid_until, ramp, ..Self::default() };
    }

    fn one(
        &mut self,
        attempted: &Attempted,
        disposition: Disposition,
        policy: &DeliveryPolicy,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Concerns {
        let (claimed, own) = (&attempted.claimed, attempted.claimed.is_own());
        let Ok(message) = &claimed.message else {
            // Nothing was sent there.
            self.probed(claimed.probe);
            self.reason.get_or_insert_with(|| attempted.reason().unwrap_or_default());
            return Concerns::Recipient;
        };
        let address = message.address.as_ref();
        let due = match disposition {
            Disposition::Again { due, .. } => Some(due),
            Disposition::Delivered | Disposition::Dead => None,
        };
        // What one address answers holds up others at its origin for a moment at most, and that address no longer than a
        // breaker stays open, unless it asks for that.
        let (alone, soon) = (attempted.is_refusal_of_address(), now.plus(policy.pause(u32::MAX)));
        let (mut hold, mut fails, mut concerns) = (None, false, Concerns::Recipient);
        match &attempted.result {
            Ok(_) => {
                self.worked(own, policy, now);
                return Concerns::Recipient;
            }
            // Nothing was learnt about the destination.
            Err(
                NotifyError::Rejected { .. }
                | NotifyError::TooLarge { .. }
                | NotifyError::Unsupported { .. },
            ) => self.probed(claimed.probe),
            Err(NotifyError::Gone { .. }) if !own => {
                effects.gone.extend(address.cloned());
                self.probed(claimed.probe);
            }
            // What credentials a job's own address wants says nothing of other addresses at its origin.
            Err(NotifyError::Auth { .. }) if !own && policy.credentials == Credentials::Address => {
                hold = due;
                self.probed(claimed.probe);
            }
            Err(NotifyError::Retryable { .. } | NotifyError::Ambiguous { .. }) if alone => {
                hold = due.map(|due| due.min(soon));
                self.probed(claimed.probe);
            }
            Err(NotifyError::Auth { .. }) => {
                let fresh = !std::mem::replace(&mut self.paused, true);
                self.failed(attempted, fresh, policy, now);
                fails = true;
                if policy.credentials == Credentials::Host {
                    concerns = Concerns::All;
                }
            }
            Err(NotifyError::Throttled { after, .. }) => {
                let asked = after.map(|after| now.plus(after.min(policy.longest)));
                let asked = asked.or(due).unwrap_or_default();
                self.ramp = self.ramp.min(1);
                self.block(if alone { asked.min(soon) } else { asked });
                hold = Some(asked).filter(|_| alone);
                // Who says how long to wait works; who does not may be a gateway before somebody who does not.
                if alone || after.is_some() {
                    self.probed(claimed.probe);
                } else {
                    self.failed(attempted, false, policy, now);
                    (fails, concerns) = (true, Concerns::All);
                }
            }
            Err(NotifyError::Gone { .. }) => {
                self.failed(attempted, false, policy, now);
                fails = true;
            }
            Err(NotifyError::Retryable { .. } | NotifyError::Ambiguous { .. }) => {
                self.failed(attempted, false, policy, now);
                (fails, concerns) = (true, Concerns::All);
            }
        }
        if let (Some(address), Some(until)) = (address, hold) {
            effects.refused.push((address.clone(), until));
        }
        if own && fails {
            self.own_failed(policy, now, effects);
        }
        self.reason = attempted.reason();
        concerns
    }

    /// The host's own endpoint has failed, and perhaps for days.
    fn own_failed(&mut self, policy: &DeliveryPolicy, now: Timestamp, effects: &mut Effects) {
        let last = self.failed_at.replace(now);
        // Between two failures that lie far apart nobody knows what would have been.
        let goes_on = last.is_some_and(|last| now.since(last) <= policy.apart());
        let since = self.failing_since.filter(|_| goes_on).unwrap_or(now);
        self.failing_since = Some(since);
        if self.disabled_at.is_none() && now.since(since) >= policy.disable_after {
            (self.disabled_at, effects.disabled) = (Some(now), true);
        }
    }

    /// Whoever is refused for the first time is told of, and whoever has lost a message, once. Of what concerns all who are
    /// told there, the first of them stands for the others.
    fn tell(
        &mut self,
        attempted: &Attempted,
        disposition: Disposition,
        concerns: Concerns,
        told: &mut BTreeSet<String>,
        effects: &mut Effects,
    ) {
        let (claimed, about) = (&attempted.claimed, attempted.claimed.about());
        let refused = matches!(attempted.result, Err(NotifyError::Auth { .. }));
        // What becomes of the news that something could not be told is told to nobody.
        let loses = refused || disposition == Disposition::Dead;
        let all = concerns == Concerns::All;
        let known = (all && self.told) || told.contains(&claimed.recipient);
        if known || !loses || about.kind.is_of_delivery() {
            return;
        }
        told.insert(claimed.recipient.clone());
        self.told |= all;
        let reason = attempted.reason().unwrap_or_default();
        let mut failure = DeliveryFailure::new(&*claimed.destination.channel, about.event, reason);
        failure.destination.clone_from(&claimed.destination.name);
        failure.attempts = claimed.attempt;
        let recipient = (!all).then(|| claimed.recipient.clone());
        effects.failed.push(Failed { failure, about, recipient });
    }

    /// Something arrived: nothing is against it. If it has just come back, it has twice as many places as before. What
    /// arrives at an address that a job gave says nothing of the host's own endpoint.
    fn worked(&mut self, own: bool, policy: &DeliveryPolicy, now: Timestamp) {
        let ramp = if self.is_open(policy) { 1 } else { self.ramp.saturating_mul(2) };
        let all = usize::try_from(ramp).is_ok_and(|ramp| ramp >= policy.concurrency.max(1));
        let before = (self.failing_since, self.failed_at, self.disabled_at);
        self.clear(if all { 0 } else { ramp });
        let lasts = |at: Timestamp| now.since(at) <= policy.apart();
        if !own && (before.2.is_some() || before.1.is_some_and(lasts)) {
            (self.failing_since, self.failed_at, self.disabled_at) = before;
        }
    }

    /// A probe has ended without a word about the destination: the next one may go.
    fn probed(&mut self, probe: bool) {
        if probe {
            self.probe_until = Timestamp::default();
        }
    }

    /// Counts a failure, and opens the breaker or keeps it open. What was under way when it opened says nothing new, and neither
    /// do several messages of one request.
    fn failed(
        &mut self,
        attempted: &Attempted,
        refused: bool,
        policy: &DeliveryPolicy,
        now: Timestamp,
    ) {
        if attempted.repeats {
            return;
        }
        let probe = attempted.claimed.probe;
        let was_open = self.failures >= policy.breaker_after.max(1);
        self.failures = self.failures.saturating_add(1);
        self.ramp = self.ramp.min(1);
        let opens = policy.breaker_after > 0 && !was_open && self.failures >= policy.breaker_after;
        if probe {
            self.probes = self.probes.saturating_add(1);
            self.probe_until = Timestamp::default();
            self.block(now.plus(policy.pause(self.probes)));
        } else if opens || refused {
            self.block(now.plus(policy.pause(0)));
        }
    }

    fn block(&mut self, until: Timestamp) {
        self.blocked_until = self.blocked_until.max(until);
    }
}

/// Whom a failure concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concerns {
    /// Whoever should have been told.
    Recipient,
    /// All who are told there.
    All,
}

impl Effects {
    /// So many messages for a recipient were given up.
    pub fn gave_up(&mut self, recipient: &str, messages: u64) {
        if messages > 0 {
            *self.lost.entry(recipient.to_owned()).or_default() += messages;
        }
    }

    /// The events that tell of it, once a store has said how many messages were [given up](Effects::gave_up), and knows
    /// how many wait.
    #[must_use]
    pub fn events(
        &self,
        key: &DestinationKey,
        state: &DestinationState,
        waiting: u64,
        now: Timestamp,
    ) -> Vec<Event> {
        let of = |recipient: &str| self.lost.get(recipient).copied().unwrap_or_default();
        let alone = || self.failed.iter().filter_map(|failed| failed.recipient.as_deref());
        let rest = || self.lost.values().sum::<u64>() - alone().map(of).sum::<u64>();
        let mut events = Vec::new();
        for Failed { failure, about, recipient } in &self.failed {
            let mut failure = failure.clone();
            failure.dead = recipient.as_deref().map_or_else(rest, of);
            failure.waiting = waiting;
            let mut event = failure.into_event(about.job, now);
            event.batch = about.batch;
            events.push(event);
        }
        if self.disabled {
            events.push(disabled(key, state, of(""), now));
        }
        events
    }
}

/// Tells that nothing is sent to the host's own endpoint any more.
fn disabled(key: &DestinationKey, state: &DestinationState, dead: u64, now: Timestamp) -> Event {
    let data = EventData::Disabled {
        channel: key.channel.clone(),
        destination: key.name.clone(),
        since: state.failing_since.unwrap_or(now),
        reason: state.reason.clone().unwrap_or_default(),
        dead,
    };
    Event::new(EventKind::DestinationDisabled, now, data)
}
