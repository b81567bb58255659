use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::outbox::{Collect, DestinationKey, NewMessage};
use crate::{EventId, Timestamp};

/// A rule, a step of it, and a recipient at a destination.
pub(super) type Told = (String, u32, String, DestinationKey);

/// What further events go into, and what counts events.
#[derive(Default)]
pub(super) struct Groups {
    /// The message that takes further events, by what it takes.
    open: HashMap<(Told, String), i64>,
    /// When messages of a throttle began.
    begun: HashMap<Told, VecDeque<Timestamp>>,
    /// Since when events of a rule and a step count, and how many there were.
    counted: HashMap<(String, u32), (Timestamp, u32)>,
    /// Events that took the place of others, by when.
    replaced: HashMap<(Told, EventId), Timestamp>,
    /// Events that have arrived at one of several addresses, by rule, step and recipient, and when.
    arrived: HashMap<(String, u32, String, EventId), Timestamp>,
}

/// What becomes of an event's message, beside others.
pub(super) enum Group {
    /// It is a message of its own.
    Alone,
    /// Another one tells of the event.
    Joined,
    /// The event is only counted.
    Counted,
}

fn told(new: &NewMessage) -> Told {
    (new.rule.clone(), new.step, new.recipient.clone(), new.destination.clone())
}

impl Groups {
    /// Counts an event. Says whether it is the last of so many.
    pub(super) fn count(
        &mut self,
        new: &NewMessage,
        times: u32,
        within: Duration,
        now: Timestamp,
    ) -> bool {
        let key = (new.rule.clone(), new.step);
        let (since, counted) = self.counted.entry(key).or_insert((now, 0));
        if now.since(*since) >= within {
            (*since, *counted) = (now, 0);
        }
        *counted = counted.saturating_add(1);
        *counted == times
    }

    /// The events of a rule count from none again.
    pub(super) fn forget(&mut self, rule: &str) {
        self.counted.retain(|(counted, _), _| counted != rule);
    }

    /// The message that takes such events, if there is one.
    pub(super) fn open(&self, new: &NewMessage, collect: &Collect) -> Option<i64> {
        self.open.get(&(told(new), collect.key.clone())).copied()
    }

    /// A message takes further events from now on, if it is held back.
    pub(super) fn opened(&mut self, new: &NewMessage, id: i64) {
        if let (Some(collect), Some(_)) = (&new.collect, new.due) {
            self.open.insert((told(new), collect.key.clone()), id);
        }
    }

    /// Holds a message back if as many as may go by themselves have gone.
    pub(super) fn throttle(&mut self, new: &mut NewMessage, collect: &Collect, now: Timestamp) {
        let Some(limit) = collect.unless else { return };
        let begun = self.begun.entry(told(new)).or_default();
        while begun.front().is_some_and(|first| now.since(*first) >= limit.per) {
            begun.pop_front();
        }
        let most = usize::try_from(limit.attempts).unwrap_or(usize::MAX);
        let first = begun.front().copied().filter(|_| begun.len() >= most);
        begun.push_back(now);
        if let Some(first) = first {
            new.hold_until(collect.after(first.plus(limit.per)), now);
        }
    }

    /// Whether an event is told by a step that takes the place of others for the first time.
    pub(super) fn replaces(&mut self, to: &Told, event: EventId, now: Timestamp) -> bool {
        self.replaced.insert((to.clone(), event), now).is_none()
    }

    /// An event has arrived.
    pub(super) fn arrived(
        &mut self,
        rule: String,
        step: u32,
        recipient: String,
        event: EventId,
        now: Timestamp,
    ) {
        self.arrived.insert((rule, step, recipient, event), now);
    }

    /// Whether an event has arrived at a recipient by this step of a rule.
    pub(super) fn has_arrived(
        &self,
        rule: &str,
        step: u32,
        recipient: &str,
        event: EventId,
    ) -> bool {
        let key = (rule.to_owned(), step, recipient.to_owned(), event);
        self.arrived.contains_key(&key)
    }

    /// Forgets what has no effect any more.
    pub(super) fn tidy(&mut self, now: Timestamp, is_open: impl Fn(i64) -> bool) {
        self.open.retain(|_, id| is_open(*id));
        self.begun.retain(|_, begun| begun.back().is_some_and(|at| now.since(*at) < LONGEST));
        self.counted.retain(|_, (since, _)| now.since(*since) < LONGEST);
        self.replaced.retain(|_, at| now.since(*at) < LONGEST);
        self.arrived.retain(|_, at| now.since(*at) < LONGEST);
    }
}

/// No window of a rule is longer.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
