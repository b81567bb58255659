use super::groups::Group;
use super::messages::{Row, Tables};
use crate::event::Event;
use crate::notify::{Acknowledged, Thread};
use crate::outbox::{Collect, Escalates, NewMessage, next_of};
use crate::{EventId, MessageId, Timestamp};

impl Tables {
    /// Finds out whether a message tells of its event by itself, and when.
    pub(super) fn group(&mut self, new: &mut NewMessage, event: &Event, now: Timestamp) -> Group {
        if let Some(Escalates::Times { times, within }) = new.escalates {
            let last = self.groups.count(new, times, within, now);
            return if last { Group::Alone } else { Group::Counted };
        }
        let Some(collect) = new.collect.clone() else { return Group::Alone };
        if self.join(new, &collect, event, now) {
            return Group::Joined;
        }
        self.groups.throttle(new, &collect, now);
        Group::Alone
    }

    /// Adds an event to the message that takes such, if there is one.
    fn join(&mut self, new: &NewMessage, collect: &Collect, event: &Event, now: Timestamp) -> bool {
        let Some(id) = self.groups.open(new, collect) else { return false };
        let most = usize::try_from(collect.most).unwrap_or(usize::MAX);
        let takes = |row: &&mut Row| {
            row.attempts == 0 && row.due > now && row.message.events().len() < most
        };
        let open = self.messages.get_mut(&id).filter(takes);
        open.map(|row| row.message.push(event.clone())).is_some()
    }

    /// Puts the next step, at all its addresses, in the place of a message that was given up, for the events of which nobody
    /// else is told in such a place.
    pub(super) fn replace(&mut self, mut given_up: Row, now: Timestamp) {
        let steps = std::mem::take(&mut given_up.next);
        let beside = steps.first().map(|step| step.beside.clone()).unwrap_or_default();
        let mut told = given_up.message.clone();
        if !told.keep(|event| !self.reaches(&given_up, &beside, event.id)) {
            return;
        }
        for (step, next) in next_of(steps, |step| !self.is_gone(&step.channel, &step.recipient)) {
            let (due, expires_at) = step.times(now);
            let mut message = told.clone();
            // Several may have the same one in their place, by whichever step.
            let to = (message.rule.clone(), 0, step.recipient.clone(), step.key());
            let groups = &mut self.groups;
            if !message.keep(|event| groups.replaces(&to, event.id, now)) {
                continue;
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
                next,
            };
            let id = self.number();
            self.messages.insert(id, row);
        }
    }

    /// Whether one of these recipients was or may be told of an event by the step of a message.
    fn reaches(&self, of: &Row, beside: &[String], event: EventId) -> bool {
        let (rule, step) = (&of.message.rule, of.message.step);
        let waits = |row: &Row| {
            row.message.step == step
                && row.message.rule == *rule
                && beside.contains(&row.recipient)
                && row.message.events().iter().any(|of| of.id == event)
        };
        beside.iter().any(|recipient| self.groups.has_arrived(rule, step, recipient, event))
            || !beside.is_empty() && self.messages.values().any(waits)
    }

    /// Remembers what others need to know: a message has arrived in whose place nobody else is told.
    pub(super) fn arrived(&mut self, row: &Row, now: Timestamp) {
        if row.next.iter().any(|next| !next.beside.is_empty()) {
            for event in row.message.events() {
                let (rule, step) = (row.message.rule.clone(), row.message.step);
                self.groups.arrived(rule, step, row.recipient.clone(), event.id, now);
            }
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
            self.groups.forget(rule);
        }
        (before - self.messages.len()) as u64
    }
}
