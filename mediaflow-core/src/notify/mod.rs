//! How events reach people and programs: a notifier makes one attempt at one message and keeps no state; the
//! [outbox](crate::outbox) decides what is sent, when, and what follows from the outcome.
//!
//! Uses: codes, error, event, id, report, schedule, spec, suggest, time.

mod address;
mod context;
mod function;
mod message;
mod outcome;
mod people;
mod person;
mod recipients;
mod route;
mod terms;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub use address::Address;
pub use context::{Answer, DeliveryContext};
pub use function::{NotifyFn, notify_fn};
pub use message::{Message, Thread};
pub use outcome::{HttpOutcomes, NotifyError, Outcome, Receipt};
pub(crate) use people::PeopleCache;
pub use person::{Person, Whom};
pub use recipients::{Configured, Recipient, Recipients};
pub use route::{Acknowledged, After, GroupBy, QuietHours, Route, after};
pub(crate) use route::{MOST, Step};
pub(crate) use terms::some;
pub use terms::{Credentials, RateLimit, Scope, Terms};

use crate::codes;
use crate::event::Event;
use crate::suggest::did_you_mean;
use crate::{Error, Result};

/// Tells of events through one channel.
///
/// Only [`name`](Notifier::name), [`wants`](Notifier::wants) and [`notify`](Notifier::notify) have to be written; a
/// closure is enough for the simplest: [`notify_fn`].
#[async_trait]
pub trait Notifier: fmt::Debug + Send + Sync + 'static {
    /// The name of the channel: unique in an engine, what jobs say in `notify`. Without blanks, bars and control
    /// characters, and no longer than [`Limits::option_bytes`](crate::Limits::option_bytes): a host with another one does
    /// not start (`notify.name`).
    fn name(&self) -> &str;

    /// Whether it wants to tell of this event: the rule by which messages are made unless the host has others.
    fn wants(&self, event: &Event) -> bool;

    /// What the channel can take, as data: how much, how often, for how long. Default: no limit of its own.
    fn terms(&self) -> Terms {
        Terms::default()
    }

    /// Reads an address that a job gives in place of the notifier's own, as far as that goes without asking anybody.
    /// The default takes every text, and counts each as an origin of its own.
    ///
    /// # Errors
    /// What is wrong with it.
    fn address(&self, text: &str) -> Result<Address> {
        Ok(Address::opaque(text))
    }

    /// The notifier's own address, if it has one that can be told: what goes there counts with what jobs send to the
    /// same origin. Default: none; all that goes to the notifier itself counts together.
    fn own_address(&self) -> Option<Address> {
        None
    }

    /// Makes one attempt.
    ///
    /// # Errors
    /// What to do next: see [`NotifyError`].
    async fn notify(&self, message: &Message, cx: &DeliveryContext)
    -> Result<Receipt, NotifyError>;

    /// Makes one attempt at several messages to one address, as many as [`Terms::batch`] says at most, in as few requests as
    /// their bytes allow. Gives what came of each, in their order: some may arrive, and others not. It has the time of one
    /// attempt. Default: one after the other.
    async fn notify_all(
        &self,
        messages: &[(&Message, &DeliveryContext)],
    ) -> Vec<Result<Receipt, NotifyError>> {
        let mut results = Vec::with_capacity(messages.len());
        for (message, cx) in messages {
            results.push(self.notify(message, cx).await);
        }
        results
    }
}

/// There is no notifier of this name, beside those that are known. An address in place of a name may be a secret, and is not shown.
pub(crate) fn unknown<'a>(channel: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    if channel.contains("://") || channel.contains('@') {
        let problem = "an address stands where the name of a notifier is expected";
        return Error::input(codes::NOTIFY_UNKNOWN, problem)
            .help("say the name; an address stands behind it, or belongs to the notifier");
    }
    Error::input(codes::NOTIFY_UNKNOWN, format!("there is no notifier `{channel}`"))
        .help(did_you_mean(channel, known))
}

/// What the engine's builder takes: a [`Notifier`], or a builder of one whose settings are checked here.
pub trait IntoNotifier {
    /// The notifier.
    ///
    /// # Errors
    /// The first mistake in its settings.
    fn into_notifier(self) -> Result<Arc<dyn Notifier>>;
}

impl<N: Notifier> IntoNotifier for N {
    fn into_notifier(self) -> Result<Arc<dyn Notifier>> {
        Ok(Arc::new(self))
    }
}

impl IntoNotifier for Arc<dyn Notifier> {
    fn into_notifier(self) -> Result<Arc<dyn Notifier>> {
        Ok(self)
    }
}
