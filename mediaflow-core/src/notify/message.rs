use super::Address;
use crate::event::{Audience, Event};
use crate::id::MessageId;
use crate::report::Report;

/// What one recipient is told: of one event, or of several in one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// The idempotency key: the same in every attempt. Goes out as `webhook-id`, `Idempotency-Key`, `Message-ID`. A
    /// message of one event has the id of the event, unless a [route](super::Route) has made it.
    pub id: MessageId,
    /// The rule that made it; a notifier's own `wants` is a rule with the name of its channel.
    pub rule: String,
    /// Which step of the rule, from 0: a later one is a fallback or an escalation.
    pub step: u32,
    /// The address, in place of the notifier's own.
    pub address: Option<Address>,
    /// What it continues, if it belongs to a thread.
    pub thread: Option<Thread>,
    /// Whom it speaks to, if its rule says so; else whoever the event concerns.
    pub audience: Option<Audience>,
    /// The locale of its recipient, if it is known: `de-AT`.
    pub locale: Option<String>,
    /// Never empty.
    events: Vec<Event>,
    /// Reports of single jobs, for an event of a batch: as many as [`Terms::reports`](super::Terms::reports) asks for,
    /// those that failed first.
    pub reports: Vec<Report>,
}

/// Messages that the receiver's side shows as one conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Thread {
    /// Its name here.
    pub key: String,
    /// The receiver's own name for the latest message of it that arrived, as its
    /// [receipt](super::Receipt::provider_id) gave it.
    pub provider_id: Option<String>,
}

impl Thread {
    /// A thread of this name, in which nothing has arrived yet.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), provider_id: None }
    }

    /// After this message, by the receiver's own name.
    #[must_use]
    pub fn after(mut self, provider_id: Option<String>) -> Self {
        self.provider_id = provider_id;
        self
    }
}

impl Message {
    /// A message of one event, to the notifier's own address.
    #[must_use]
    pub fn of(mut event: Event) -> Self {
        // The addresses of a job's targets are no other receiver's business.
        event.notify.clear();
        Self {
            id: event.id.into(),
            rule: String::new(),
            step: 0,
            address: None,
            thread: None,
            audience: None,
            locale: None,
            events: vec![event],
            reports: Vec::new(),
        }
    }

    /// A message of several events, the oldest first.
    #[must_use]
    pub fn digest(id: MessageId, first: Event, more: impl IntoIterator<Item = Event>) -> Self {
        let mut message = Self { id, ..Self::of(first) };
        message.events.extend(more);
        message
    }

    /// With one more event, behind the others.
    pub(crate) fn push(&mut self, mut event: Event) {
        event.notify.clear();
        self.events.push(event);
    }

    /// With those of its events only. Says whether there are any left.
    pub(crate) fn keep(&mut self, keep: impl FnMut(&Event) -> bool) -> bool {
        let mut kept = self.events.clone();
        kept.retain(keep);
        let any = !kept.is_empty();
        if any {
            self.events = kept;
        }
        any
    }

    /// To this address.
    #[must_use]
    pub fn to(mut self, address: Option<Address>) -> Self {
        self.address = address;
        self
    }

    /// With reports of single jobs.
    #[must_use]
    pub fn with_reports(mut self, reports: Vec<Report>) -> Self {
        self.reports = reports;
        self
    }

    /// What it tells of, the oldest first; never empty.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The first event that it tells of, and for most messages the only one.
    #[must_use]
    pub fn event(&self) -> &Event {
        // Every way to make a message puts one in, and none takes one out.
        &self.events[0]
    }
}
