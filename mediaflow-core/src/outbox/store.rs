use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{Attempted, ClaimRequest, Claimed, DestinationKey, Routed, Unrouted, Waiting};
use crate::{Clock, Result};

/// Where an engine keeps events and messages. One conformance suite runs on all:
/// [`exercise_engine`](crate::testing::exercise_engine).
#[async_trait]
pub trait OutboxStore: fmt::Debug + Send + Sync + 'static {
    /// Events that are not routed yet, in their order, if this process has the right to route for these channels: one
    /// process has it at a time, for as long as it goes on asking; it asks again after
    /// [`LONGEST_ROUTING`](super::LONGEST_ROUTING) at the latest. Those whose recipients could not be found before come
    /// last, and are in nobody's way. [`Event::notify`](crate::Event::notify) holds the targets of the event's job.
    ///
    /// # Errors
    /// The store can not be read.
    async fn unrouted(&self, channels: &[String], most: usize) -> Result<Vec<Unrouted>>;

    /// The destinations of these channels that something waits for.
    ///
    /// # Errors
    /// The store can not be read.
    async fn waiting(&self, channels: &[String]) -> Result<Vec<Waiting>>;

    /// Writes down attempts and routes, and claims messages: all of it, or nothing.
    ///
    /// # Errors
    /// The store can not be written. The dispatcher then calls [`OutboxStore::reconcile`].
    async fn exchange(&self, exchange: Exchange<'_>) -> Result<Exchanged>;

    /// Gives back what this process has claimed and will not send: an exchange has failed, and may have been stored all the
    /// same, or a receiver has ceased to work. None of it is an attempt. `held` are the messages that it sends.
    ///
    /// # Errors
    /// The store can not be written.
    async fn reconcile(&self, held: &HashSet<i64>) -> Result<()>;

    /// Ends what has run out: messages that are not worth sending any more, and leases of processes that give no sign of
    /// life. Of this process, leases but those of `held`, which it sends at this moment: what a dispatcher held that a defect
    /// has ended is left to the next one.
    ///
    /// # Errors
    /// The store can not be written.
    async fn expire(&self, held: &HashSet<i64>) -> Result<()>;

    /// Writes down what was sent, and gives back all else that this process has claimed: it stops.
    ///
    /// # Errors
    /// The store can not be written.
    async fn give_back(&self, done: &[Attempted]) -> Result<()>;

    /// The clock by which messages are due: the same for all processes on the store.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Is told when there may be something new to do.
    fn changed(&self) -> &Notify;

    /// Whether [`changed`](Self::changed) has told of anything but new events since this was asked last: of messages that
    /// wait now, or of destinations.
    fn have_messages_changed(&self) -> bool {
        true
    }

    /// How often to look when nobody tells.
    fn poll(&self) -> Duration {
        Duration::from_millis(500)
    }

    /// Whether messages outlive the process. If they do not, a dispatcher that is to stop waits for the last of them.
    fn is_durable(&self) -> bool {
        true
    }
}

/// What a dispatcher gives to the store and wants from it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Exchange<'a> {
    /// Attempts to write down.
    pub done: &'a [Attempted],
    /// Events that were routed.
    pub routed: &'a [Routed],
    /// What to claim.
    pub claims: &'a [ClaimRequest],
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        done: &'a [Attempted],
        routed: &'a [Routed],
        claims: &'a [ClaimRequest],
    ) -> Self {
        Self { done, routed, claims }
    }

    /// Nothing but these attempts.
    #[must_use]
    pub fn of(done: &'a [Attempted]) -> Self {
        Self { done, routed: &[], claims: &[] }
    }
}

/// What came of an exchange.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Exchanged {
    /// What was claimed, for each request in its order.
    pub claimed: Vec<Vec<Claimed>>,
    /// New messages that are sent at once.
    pub begun: Vec<Claimed>,
    /// Destinations of which something else is true now than was known of them.
    pub changed: Vec<DestinationKey>,
    /// Whether there are messages now that wait.
    pub waits: bool,
}
