use std::collections::{HashMap, VecDeque};

use super::messages::{Row, Tables};
use crate::event::Event;
use crate::notify::{Acknowledged, Thread};
use crate::outbox::{Collect, DestinationKey, Escalates, NewMessage};
use crate::{EventId, MessageId, Timestamp};

/// A rule, a step of it, and a recipient at a destination.
type Told = (String, u32, String, DestinationKey);

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

impl Tables {
    /// Finds out whether a message tells of its event by itself, and when.
    pub(super) fn group(&mut self, new: &mut NewMessage, event: &Event, now: Timestamp) -> Group {
        if let Some(Escalates::Times { times, within }) = new.escalates {
            let key = (new.rule.clone(), new.step);
            let (since, counted) = self.groups.counted.entry(key).or_insert((now, 0));
            if now.since(*since) >= within {
                (*since, *counted) = (now, 0);
            }
            *counted = counted.saturating_add(1);
            return if *counted == times { Group::Alone } else { Group::Counted };
        }
        let Some(collect) = new.collect.clone() else { return Group::Alone };
        if self.join(new, &collect, event, now) {
            return Group::Joined;
        }
        if let Some(limit) = collect.unless {
            let begun = self.groups.begun.entry(told(new)).or_default();
            while begun.front().is_some_and(|first| now.since(*first) >= limit.per) {
                begun.pop_front();
            }
            let most = usize::try_from(limit.attempts).unwrap_or(usize::MAX);
            let over = begun.front().filter(|_| begun.len() >= most).map(|at| at.plus(limit.per));
            if let Some(over) = over {
                new.hold_until(collect.after(over), now);
            }
            begun.push_back(now);
        }
        Group::Alone
    }

    /// Adds an event to the message that takes such, if there is one.
    fn join(&mut self, new: &NewMessage, collect: &Collect, event: &Event, now: Timestamp) -> bool {
        let key = (told(new), collect.key.clone());
        let Some(id) = self.groups.open.get(&key) else { return false };
        let most = usize::try_from(collect.most).unwrap_or(usize::MAX);
        let takes = |row: &&mut Row| {
            row.attempts == 0 && row.due > now && row.message.events().len() < most
        };
        let Some(row) = self.messages.get_mut(id).filter(takes) else {
            self.groups.open.remove(&key);
            return false;
        };
        row.message.push(event.clone());
        true
    }

    /// Remembers a message that is held back, for the events that go into it.
    pub(super) fn open_group(&mut self, new: &NewMessage, id: i64) {
        if let (Some(collect), Some(_)) = (&new.collect, new.due) {
            self.groups.open.insert((told(new), collect.key.clone()), id);
        }
    }

    /// Puts the next step in the place of a message that was given up, if there is one.
    pub(super) fn replace(&mut self, mut given_up: Row, now: Timestamp) {
        let mut next = std::mem::take(&mut given_up.next).into_iter();
        while let Some(step) = next.next() {
            if self.is_gone(&step.channel, &step.recipient) {
                continue;
            }
            let (due, expires_at) = step.times(now);
            let mut message = given_up.message;
            // Several may have the same one in their place.
            let to = (message.rule.clone(), step.step, step.recipient.clone(), step.key());
            let replaced = &mut self.groups.replaced;
            if !message.keep(|event| replaced.insert((to.clone(), event.id), now).is_none()) {
                return;
            }
            (message.id, message.step) = (MessageId::new(), step.step);
            message.thread = step.thread.as_ref().map(Thread::new);
            let destination = step.key();
            message.address = step.address;
            let row = Row {
                message,
                recipient: step.recipient,
                destination,
                attempts: 0,
                failures: 0,
                due,
                expires_at,
                sending: false,
                escalates: false,
                acknowledged: false,
                next: next.collect(),
            };
            let id = self.number();
            self.messages.insert(id, row);
            return;
        }
    }

    /// Stops what tells somebody else. Gives the number.
    pub(super) fn acknowledge(&mut self, what: &Acknowledged) -> u64 {
        let fits = |row: &Row| {
            let rule = what.rule.as_ref().is_none_or(|rule| *rule == row.message.rule);
            let job = what.job.is_none_or(|job| row.message.event().job == Some(job));
            row.escalates && rule && job
        };
        let before = self.messages.len();
        self.messages.retain(|_, row| row.sending || !fits(row));
        // What is being sent at this moment is not sent again, if it does not arrive.
        self.messages.values_mut().filter(|row| fits(row)).for_each(|row| row.acknowledged = true);
        if let (Some(rule), None) = (&what.rule, what.job) {
            self.groups.counted.retain(|(counted, _), _| counted != rule);
        }
        (before - self.messages.len()) as u64
    }

    /// Forgets what has no effect any more.
    pub(super) fn tidy_groups(&mut self, now: Timestamp) {
        let messages = &self.messages;
        self.groups.open.retain(|_, id| messages.get(id).is_some_and(|row| row.due > now));
        self.groups
            .begun
            .retain(|_, begun| begun.back().is_some_and(|at| now.since(*at) < LONGEST));
        self.groups.counted.retain(|_, (since, _)| now.since(*since) < LONGEST);
        self.groups.replaced.retain(|_, at| now.since(*at) < LONGEST);
    }
}

/// No window of a rule is longer.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);
