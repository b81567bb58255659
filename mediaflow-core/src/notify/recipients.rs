use std::fmt;

use async_trait::async_trait;

use super::{Person, Whom};
use crate::Result;
use crate::event::Event;

/// Finds who is told of an event: by notifiers' own rules ([`find`](Self::find)), and by [routes](super::Route) to an audience
/// ([`people`](Self::people)). Asked once for each event, outside of any transaction, so that it may look people up
/// in a database or ask another service; it is asked again later if it fails, or has not answered within five seconds. If it
/// goes on failing until the event is too old to be told
/// ([`DeliveryPolicy::time_to_live`](crate::executor::DeliveryPolicy::time_to_live)), those that are configured are told, and
/// `delivery.failed` tells of that, once until somebody is found again; news of deliveries themselves do not wait for it. It
/// is asked of several events at the same time, and of a job's progress only if a notifier wants it.
///
/// ```
/// use mediaflow_core::notify::{Recipient, Recipients};
/// use mediaflow_core::{Event, Result, async_trait};
///
/// /// Also tells whoever is on call.
/// #[derive(Debug)]
/// struct OnCall;
///
/// #[async_trait]
/// impl Recipients for OnCall {
///     async fn find(&self, event: &Event, mut configured: Vec<Recipient>) -> Result<Vec<Recipient>> {
///         if event.severity >= mediaflow_core::event::Severity::Error {
///             configured.push(Recipient::new("pager").to("+49 30 1234"));
///         }
///         Ok(configured)
///     }
/// }
/// ```
#[async_trait]
pub trait Recipients: fmt::Debug + Send + Sync + 'static {
    /// Who is told by notifiers that no route names: `configured` is what they want and the job names, and stays so unless it
    /// is changed here. Default: it stays so.
    ///
    /// # Errors
    /// They can not be found now: the event waits, and others go on.
    async fn find(&self, event: &Event, configured: Vec<Recipient>) -> Result<Vec<Recipient>> {
        let _ = event;
        Ok(configured)
    }

    /// The people of an audience, for routes: how each of them is told through which channel. What is found is remembered for
    /// a minute. If there is nobody, an owner is told at the addresses that the job gives, and others at the notifiers' own.
    /// Default: nobody.
    ///
    /// # Errors
    /// They can not be found now: the event waits, and others go on.
    async fn people(&self, whom: &Whom) -> Result<Vec<Person>> {
        let _ = whom;
        Ok(Vec::new())
    }
}

/// The default: each notifier that wants the event, and for a notifier that the job names, at the address that it gave.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Configured;

impl Recipients for Configured {}

/// Who is told: a notifier, at its own address or at one in place of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recipient {
    /// The notifier's name.
    pub channel: String,
    /// The address in place of the notifier's own.
    pub to: Option<String>,
    /// The thread that the message belongs to, if the channel has such.
    pub thread: Option<String>,
}

impl Recipient {
    /// This notifier, at its own address.
    #[must_use]
    pub fn new(channel: impl Into<String>) -> Self {
        Self { channel: channel.into(), to: None, thread: None }
    }

    /// At this address.
    #[must_use]
    pub fn to(mut self, address: impl Into<String>) -> Self {
        self.to = Some(address.into());
        self
    }

    /// In this thread.
    #[must_use]
    pub fn thread(mut self, key: impl Into<String>) -> Self {
        self.thread = Some(key.into());
        self
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may be a secret.
        f.debug_struct("Recipient")
            .field("channel", &self.channel)
            .field("to", &self.to.as_ref().map(|_| "[REDACTED]"))
            .finish_non_exhaustive()
    }
}
