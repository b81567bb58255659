use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::DestinationKey;
use crate::event::{Audience, DeliveryFailure, Event};
use crate::notify::{Address, Message, QuietHours, RateLimit, Thread};
use crate::{MessageId, Timestamp};

/// A message that is to be stored. The same rule, step, recipient and group give it once.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewMessage {
    /// Its name, the same in every attempt.
    pub id: MessageId,
    /// The rule that makes it.
    pub rule: String,
    /// The step of the rule.
    pub step: u32,
    /// Who is told: a digest of the address, empty for the notifier's own.
    pub recipient: String,
    /// What it tells of, among all that the recipient is told by this rule: an event's id, which is the first one's if it
    /// [collects](Self::collect) further events.
    pub group: String,
    /// Where it goes.
    pub destination: DestinationKey,
    /// The address, in place of the notifier's own.
    pub address: Option<Address>,
    /// The thread that it belongs to.
    pub thread: Option<String>,
    /// Whom it speaks to, if its rule says so.
    pub audience: Option<Audience>,
    /// The locale of its recipient, if it is known.
    pub locale: Option<String>,
    /// It is not sent before this moment.
    pub due: Option<Timestamp>,
    /// It is not worth sending after this moment.
    pub expires_at: Timestamp,
    /// It is sent by the process that stores it, without waiting to be claimed.
    pub at_once: bool,
    /// Why it is given up before it is sent: its channel refuses the address.
    pub refused: Option<String>,
    /// It takes further events, or goes into a message that does.
    pub collect: Option<Collect>,
    /// It tells somebody else, unless what it tells of is acknowledged.
    pub escalates: Option<Escalates>,
    /// What takes its place when it is given up, in this order.
    pub next: Vec<NextStep>,
}

/// How events come together in one message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collect {
    /// Which events, of those that its recipient is told by this step of the rule.
    pub key: String,
    /// How many at most.
    pub most: u32,
    /// So many messages go by themselves, with one event each; only what is above that comes together, until the time is over
    /// in which they went.
    pub unless: Option<RateLimit>,
    /// When what comes together is held back for longer.
    pub quiet: Option<QuietHours>,
}

impl Collect {
    /// When what is held back until a moment is sent.
    #[must_use]
    pub fn after(&self, held: Timestamp) -> Timestamp {
        self.quiet.as_ref().map_or(held, |quiet| quiet.after(held))
    }
}

/// When somebody else is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store handles every case")]
pub enum Escalates {
    /// When it is due.
    Time,
    /// With this event, if it is the last of so many of the rule within a time. More are told again after an acknowledgement
    /// only, or when the time is over.
    Times {
        /// How many.
        times: u32,
        /// In which time, from the first one on.
        within: Duration,
    },
}

/// A step that takes the place of a message which was given up. Of several addresses, all that have the same
/// [`step`](Self::step) are told at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NextStep {
    /// The step of the rule.
    pub step: u32,
    /// The notifier.
    pub channel: String,
    /// The name of the [destination](DestinationKey::name).
    pub destination: String,
    /// Who is told, as in [`NewMessage::recipient`].
    pub recipient: String,
    /// The address, in place of the notifier's own. It is stored as its channel reads it.
    #[serde(with = "revealed")]
    pub address: Option<Address>,
    /// The thread that it belongs to.
    pub thread: Option<String>,
    /// How long it is worth sending, in milliseconds.
    pub worth: u64,
    /// When it is held back.
    pub quiet: Option<QuietHours>,
    /// The other recipients who are told by the step whose place it takes: it does that only when nothing reaches any of
    /// them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
}

/// An address as text. What is read is not understood before its channel does.
mod revealed {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::notify::Address;

    pub(super) fn serialize<S: Serializer>(of: &Option<Address>, to: S) -> Result<S::Ok, S::Error> {
        of.as_ref().map(Address::reveal).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Address>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Address::opaque))
    }
}

/// What is told first of what takes a message's place: one step at all its addresses that `reaches` somebody. Behind it is what
/// takes the place of each of these.
#[must_use]
pub fn next_of(
    steps: Vec<NextStep>,
    mut reaches: impl FnMut(&NextStep) -> bool,
) -> Vec<(NextStep, Vec<NextStep>)> {
    let mut steps = steps.into_iter().peekable();
    let mut first: Vec<NextStep> = Vec::new();
    while let Some(next) = steps.peek() {
        if first.first().is_some_and(|first| first.step != next.step) {
            break;
        }
        first.extend(steps.next().filter(&mut reaches));
    }
    let rest: Vec<_> = steps.collect();
    let recipients: Vec<_> = first.iter().map(|step| step.recipient.clone()).collect();
    let with = |step: NextStep| {
        let behind = behind(&rest, &recipients, &step.recipient);
        (step, behind)
    };
    first.into_iter().map(with).collect()
}

/// What takes the place of a message to one of these recipients, when nothing reaches the others either.
pub(super) fn behind(steps: &[NextStep], recipients: &[String], own: &str) -> Vec<NextStep> {
    let others = recipients.iter().filter(|recipient| *recipient != own);
    let others: Vec<_> = others.cloned().collect();
    let mut steps = steps.to_vec();
    steps.iter_mut().for_each(|step| step.beside.clone_from(&others));
    steps
}

impl NextStep {
    /// Where it goes.
    #[must_use]
    pub fn key(&self) -> DestinationKey {
        DestinationKey::new(&*self.channel, &*self.destination)
    }

    /// When it is sent at the earliest, and until when it is worth it, if it begins now.
    #[must_use]
    pub fn times(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let due = self.quiet.as_ref().map_or(now, |quiet| quiet.after(now));
        (due, due.plus(Duration::from_millis(self.worth)))
    }
}

impl NewMessage {
    /// Whether it can be sent without waiting for anything.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.refused.is_none()
            && self.due.is_none()
            && self.collect.is_none()
            && self.escalates.is_none()
    }

    /// Holds it back until then. It is worth sending for as long from then on.
    pub fn hold_until(&mut self, due: Timestamp, now: Timestamp) {
        let due = self.due.map_or(due, |held| held.max(due));
        self.expires_at = self.expires_at.plus(due.since(self.due.unwrap_or(now)));
        self.due = Some(due);
    }

    /// What is sent if it tells of nothing but this event.
    #[must_use]
    pub fn of(&self, event: Event) -> Message {
        let mut message = Message::of(event).to(self.address.clone());
        (message.id, message.rule, message.step) = (self.id, self.rule.clone(), self.step);
        message.thread = self.thread.as_ref().map(Thread::new);
        (message.audience, message.locale) = (self.audience, self.locale.clone());
        message
    }

    /// What is told of one that was refused, for which it is the first event that is not told.
    #[must_use]
    pub fn failure(&self, event: &Event) -> Option<DeliveryFailure> {
        let reason = self.refused.as_ref().filter(|_| !event.kind.is_of_delivery())?;
        let mut failure = DeliveryFailure::new(&*self.destination.channel, event.id, &**reason);
        failure.destination.clone_from(&self.destination.name);
        failure.dead = 1;
        Some(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u32, recipient: &str) -> NextStep {
        let (channel, destination) = ("push".to_owned(), "o".to_owned());
        let (address, thread, quiet, beside) = (None, None, None, Vec::new());
        let recipient = recipient.to_owned();
        NextStep { step, channel, destination, recipient, address, thread, worth: 5, quiet, beside }
    }

    #[test]
    fn all_addresses_of_a_step_are_told_at_once() {
        let steps = || vec![step(1, "a"), step(1, "b"), step(1, "c"), step(2, "d")];
        let told = |gone: &[&str]| {
            let next = next_of(steps(), |step| !gone.contains(&&*step.recipient));
            let named = |(step, behind): (NextStep, Vec<NextStep>)| {
                let beside = behind.first().map(|next| next.beside.join(" "));
                (step.recipient, behind.len(), beside.unwrap_or_default())
            };
            next.into_iter().map(named).collect::<Vec<_>>()
        };
        let of = |name: &str, beside: &str| (name.to_owned(), 1, beside.to_owned());
        assert_eq!(told(&[]), [of("a", "b c"), of("b", "a c"), of("c", "a b")]);
        assert_eq!(told(&["a", "c"]), [of("b", "")]);
        assert_eq!(told(&["a", "b", "c"]), [("d".to_owned(), 0, String::new())]);
        assert!(told(&["a", "b", "c", "d"]).is_empty());
    }

    /// As it was stored before a step could have several addresses at once.
    #[test]
    fn a_step_of_an_earlier_version_is_read() {
        let stored = r#"{"step":1,"channel":"push","destination":"o","recipient":"a","address":null,"thread":null,"worth":5,"quiet":null}"#;
        let read: NextStep = serde_json::from_str(stored).unwrap();
        assert_eq!(read, step(1, "a"));
        assert_eq!(serde_json::to_string(&read).unwrap(), stored);
    }
}
