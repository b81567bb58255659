use super::groups::Group;
use super::messages::{Row, Tables};
use crate::event::Event;
use crate::notify::{Acknowledged, Thread};
use crate::outbox::{Collect, Escalates, NewMessage};
use crate::{MessageId, Timestamp};

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
            let groups = &mut self.groups;
            if !message.keep(|event| groups.replaces(&to, event.id, now)) {
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
            self.groups.forget(rule);
        }
        (before - self.messages.len()) as u64
    }
}
