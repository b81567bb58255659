//! How events reach people and programs: a notifier makes one attempt and keeps no state; the engine decides what
//! follows from the outcome.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::event::{Event, EventKind};
use crate::id::EventId;
use crate::{Result, Timestamp};

/// Tells of events through one channel.
#[async_trait]
pub trait Notifier: fmt::Debug + Send + Sync + 'static {
    /// The name of the channel: unique in an engine, what jobs say in `notify`.
    fn name(&self) -> &str;

    /// Whether it wants to tell of this event.
    fn wants(&self, event: &Event) -> bool;

    /// Checks an address that a job gives in place of the notifier's own, as far as that goes without asking anybody:
    /// for submit. The default takes every address.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check_address(&self, to: &str) -> Result<()> {
        let _ = to;
        Ok(())
    }

    /// Makes one attempt.
    ///
    /// # Errors
    /// What to do next: see [`NotifyError`].
    async fn notify(&self, event: &Event, cx: &DeliveryContext) -> Result<Receipt, NotifyError>;
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

/// One attempt to deliver one event through one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryContext {
    /// The idempotency key: the same in every attempt. Goes out as `webhook-id`, `Idempotency-Key`, `Message-ID`.
    pub delivery: EventId,
    /// From 1.
    pub attempt: u32,
    /// The moment of this attempt.
    pub now: Timestamp,
    /// The address that the job gave, in place of the notifier's own.
    pub to: Option<String>,
    answer: Slot,
}

impl DeliveryContext {
    /// The first attempt, at this moment, to the notifier's own address.
    #[must_use]
    pub fn first(delivery: EventId, now: Timestamp) -> Self {
        Self { delivery, attempt: 1, now, to: None, answer: Slot::default() }
    }

    /// Notes what the receiver answered, for the delivery log: a notifier calls it once it has an answer, good or bad.
    /// The first 20,000 bytes of the body are kept, as text.
    pub fn answered(&self, status: u16, body: &[u8]) {
        *self.answer.lock() = Some(Answer { status, body: excerpt(body) });
    }

    /// What the receiver answered, if the notifier has noted it. Clones of the context share it.
    #[must_use]
    pub fn answer(&self) -> Option<Answer> {
        self.answer.lock().clone()
    }
}

/// What a receiver answered to one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status that the receiver's protocol gave: 200.
    pub status: u16,
    /// The beginning of the body, 20,000 bytes at most. What is no UTF-8, or a NUL, is replaced by U+FFFD.
    pub body: String,
}

/// The place for an answer, shared by the clones of a context.
#[derive(Clone, Debug, Default)]
struct Slot(Arc<Mutex<Option<Answer>>>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        // Never two locks at once: both may be the same one.
        let mine = self.lock().clone();
        mine == *other.lock()
    }
}

impl Eq for Slot {}

/// How many bytes of an answer are kept.
const KEPT: usize = 20_000;

fn excerpt(body: &[u8]) -> String {
    // Databases take no NUL in a text.
    let text = String::from_utf8_lossy(&body[..body.len().min(KEPT)]).replace('\0', "\u{fffd}");
    let last =
        text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= KEPT).last();
    text[..last.unwrap_or(0)].to_owned()
}

/// What the receiver said to a delivery that arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The status that the receiver's protocol gave: 200.
    pub status: Option<u16>,
    /// The receiver's own name for the message.
    pub provider_id: Option<String>,
}

impl Receipt {
    /// Arrived; nothing more is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Arrived, with this status.
    #[must_use]
    pub fn with_status(status: u16) -> Self {
        Self { status: Some(status), provider_id: None }
    }
}

/// Why an attempt did not arrive, which decides what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotifyError {
    /// It may pass: try again on the schedule, not earlier than `after`.
    Retryable {
        /// What the receiver asked for.
        after: Option<Duration>,
        /// What happened.
        reason: Cow<'static, str>,
    },
    /// The receiver is asked too often: everything for it waits.
    Throttled {
        /// What the receiver asked for.
        after: Option<Duration>,
        /// What happened.
        reason: Cow<'static, str>,
    },
    /// Nobody is there any more: stop sending there.
    Gone {
        /// What happened.
        reason: Cow<'static, str>,
    },
    /// The receiver, or our own guard, refuses this message for good.
    Rejected {
        /// What happened.
        reason: Cow<'static, str>,
    },
    /// Our credentials are refused: a person has to look.
    Auth {
        /// What happened.
        reason: Cow<'static, str>,
    },
    /// It may have arrived: try again with the same id.
    Ambiguous {
        /// What happened.
        reason: Cow<'static, str>,
    },
}

impl NotifyError {
    /// May pass.
    #[must_use]
    pub fn retryable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Retryable { after: None, reason: reason.into() }
    }

    /// Refused for good.
    #[must_use]
    pub fn rejected(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Rejected { reason: reason.into() }
    }

    /// What happened.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Retryable { reason, .. }
            | Self::Throttled { reason, .. }
            | Self::Gone { reason }
            | Self::Rejected { reason }
            | Self::Auth { reason }
            | Self::Ambiguous { reason } => reason,
        }
    }

    /// Whether another attempt can help, and how long to wait at least.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        match self {
            Self::Retryable { after, .. } | Self::Throttled { after, .. } => {
                Some(after.unwrap_or_default())
            }
            Self::Ambiguous { .. } => Some(Duration::ZERO),
            Self::Gone { .. } | Self::Rejected { .. } | Self::Auth { .. } => None,
        }
    }
}

impl fmt::Display for NotifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for NotifyError {}

/// A notifier of one line. It wants all that ends a job or batch; choose otherwise with [`NotifyFn::on`].
///
/// ```
/// use mediaflow_core::notify::notify_fn;
///
/// let log = notify_fn("log", async |event| {
///     println!("{} {:?}", event.kind, event.job);
///     Ok(())
/// });
/// ```
pub fn notify_fn<F, Fut>(name: impl Into<String>, tell: F) -> NotifyFn<F>
where
    F: Fn(Event) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), NotifyError>> + Send,
{
    NotifyFn { name: name.into(), on: None, tell }
}

/// See [`notify_fn`].
#[must_use]
pub struct NotifyFn<F> {
    name: String,
    on: Option<Vec<EventKind>>,
    tell: F,
}

impl<F> NotifyFn<F> {
    /// Only these kinds of events.
    pub fn on(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.on = Some(kinds.into_iter().collect());
        self
    }
}

impl<F> fmt::Debug for NotifyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotifyFn").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F, Fut> Notifier for NotifyFn<F>
where
    F: Fn(Event) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), NotifyError>> + Send,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn wants(&self, event: &Event) -> bool {
        self.on.as_ref().map_or(event.kind.is_terminal(), |kinds| kinds.contains(&event.kind))
    }

    async fn notify(&self, event: &Event, _cx: &DeliveryContext) -> Result<Receipt, NotifyError> {
        (self.tell)(event.clone()).await.map(|()| Receipt::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> DeliveryContext {
        DeliveryContext::first(EventId::new(), Timestamp::from_millis(0))
    }

    #[test]
    fn an_answer_is_shared_by_clones_and_cut() {
        let cx = context();
        assert_eq!(cx.answer(), None);
        let clone = cx.clone();
        clone.answered(500, &b"x".repeat(30_000));
        let answer = cx.answer().unwrap();
        assert_eq!((answer.status, answer.body.len()), (500, 20_000));
        assert_eq!(cx, clone);
        clone.answered(200, b"");
        assert_eq!(cx.answer().unwrap().status, 200, "the last one stands");
    }

    #[test]
    fn what_is_no_text_is_replaced_within_the_limit() {
        let cx = context();
        cx.answered(200, b"a\0b\xff");
        assert_eq!(cx.answer().unwrap().body, "a\u{fffd}b\u{fffd}");
        cx.answered(200, &[0xff; 30_000]);
        assert_eq!(cx.answer().unwrap().body.len(), 19_998, "a replacement has three bytes");
    }
}
