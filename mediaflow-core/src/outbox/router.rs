use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::DestinationKey;
use crate::event::{DeliveryFailure, Event};
use crate::executor::Executor;
use crate::notify::{Address, Recipient};
use crate::{Clock, Error, MessageId, Result, Timestamp};

/// An event that is not routed yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unrouted {
    /// Its number in the store.
    pub seq: i64,
    /// The event; an error if this build can not read it.
    pub event: Result<Event, Error>,
}

impl Unrouted {
    /// The event of this number.
    #[must_use]
    pub fn new(seq: i64, event: Result<Event, Error>) -> Self {
        Self { seq, event }
    }
}

/// What became of an event that was to be routed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Routed {
    /// The event's number in the store.
    pub seq: i64,
    /// The event, if it was read.
    pub event: Option<Arc<Event>>,
    /// What follows.
    pub route: Route,
}

/// What follows for an event.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a store handles every case")]
pub enum Route {
    /// These messages, possibly none.
    Messages(Vec<NewMessage>),
    /// It is asked again after this moment: its recipients could not be found.
    Later(Timestamp),
    /// A newer build has written it: this one leaves it to a process that knows what it means.
    Unknown,
}

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
    /// What it tells of, among all that the recipient is told by this rule: an event's id, or a group of events.
    pub group: String,
    /// Where it goes.
    pub destination: DestinationKey,
    /// The address, in place of the notifier's own.
    pub address: Option<Address>,
    /// The thread that it belongs to.
    pub thread: Option<String>,
    /// It is not worth sending after this moment.
    pub expires_at: Timestamp,
    /// It is sent by the process that stores it, without waiting to be claimed.
    pub at_once: bool,
    /// Why it is given up before it is sent: its channel refuses the address.
    pub refused: Option<String>,
}

/// How long finding the recipients of one event may take.
const FIND: Duration = Duration::from_secs(10);

/// How long an event waits whose recipients could not be found.
const AGAIN: Duration = Duration::from_secs(15);

/// Routes events, in their order. No transaction is open meanwhile.
pub(super) async fn route(
    executor: Executor,
    clock: Arc<dyn Clock>,
    events: Vec<Unrouted>,
) -> Vec<Routed> {
    let mut routed = Vec::with_capacity(events.len());
    for Unrouted { seq, event } in events {
        routed.push(match event {
            Ok(event) => {
                let event = Arc::new(event);
                let route = one(&executor, &event, clock.now()).await;
                Routed { seq, event: Some(event), route }
            }
            Err(error) => {
                tracing::debug!(seq, %error, "an event can not be read here: it is left to a newer process");
                Routed { seq, event: None, route: Route::Unknown }
            }
        });
    }
    routed
}

async fn one(executor: &Executor, event: &Event, now: Timestamp) -> Route {
    if event.is_foreign() {
        return Route::Unknown;
    }
    let configured = executor.configured(event);
    let find = AssertUnwindSafe(executor.recipients().find(event, configured.clone()));
    let found = match tokio::time::timeout(FIND, find.catch_unwind()).await {
        Ok(Ok(found)) => found,
        Ok(Err(_)) => Err(failed("finding the recipients panicked")),
        Err(_) => Err(failed("finding the recipients took too long")),
    };
    let recipients = match found {
        Ok(found) => found,
        Err(error) if now.since(event.time) < executor.delivery().time_to_live => {
            tracing::warn!(event = %event.id, %error, "recipients could not be found; trying again");
            return Route::Later(now.plus(AGAIN));
        }
        Err(error) => {
            tracing::error!(event = %event.id, %error, "recipients could not be found: those that are configured are told");
            configured
        }
    };
    let message = |recipient| message(executor, event, recipient, now);
    Route::Messages(recipients.into_iter().filter_map(message).collect())
}

fn failed(what: &'static str) -> Error {
    Error::transient("notify.recipients", what)
}

/// The message for a recipient; none if its channel is that of another process, which routes for it.
fn message(
    executor: &Executor,
    event: &Event,
    recipient: Recipient,
    now: Timestamp,
) -> Option<NewMessage> {
    let Recipient { channel, to, thread } = recipient;
    let Ok(notifier) = executor.notifier(&channel) else {
        tracing::warn!(event = %event.id, channel, "a recipient is of a channel that is not there");
        return None;
    };
    let terms = notifier.terms();
    let (address, refused) = match to.map(|to| (notifier.address(&to), to)) {
        None => (None, None),
        Some((Ok(address), _)) => (Some(address), None),
        Some((Err(error), to)) => {
            let address = Address::opaque(to);
            let reason = address.redact(&error.to_string()).into_owned();
            tracing::warn!(event = %event.id, channel, reason, "a recipient can not be told");
            (Some(address), Some(reason))
        }
    };
    let own = if address.is_none() { notifier.own_address() } else { None };
    let destination = DestinationKey::of(&channel, address.as_ref().or(own.as_ref()), terms.scope);
    let worth = terms.time_to_live.unwrap_or(executor.delivery().time_to_live);
    Some(NewMessage {
        id: event.id.into(),
        recipient: address.as_ref().map(Address::digest).unwrap_or_default(),
        rule: channel,
        step: 0,
        group: event.id.to_string(),
        destination,
        address,
        thread,
        expires_at: now.plus(worth),
        at_once: false,
        refused,
    })
}

impl NewMessage {
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
