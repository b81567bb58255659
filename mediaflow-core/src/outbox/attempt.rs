use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::DestinationKey;
use crate::executor::Executor;
use crate::notify::{Address, Answer, DeliveryContext, Message, NotifyError, Receipt};
use crate::{BatchId, Clock, Error, EventId, EventKind, JobId, Timestamp};

/// A message that this process sends, under a lease.
#[derive(Debug)]
#[non_exhaustive]
pub struct Claimed {
    /// Its number in the store.
    pub id: i64,
    /// Where it goes.
    pub destination: DestinationKey,
    /// Who is told, as the store names it: a digest of the address, empty for the notifier's own.
    pub recipient: String,
    /// Which attempt it is, from 1, this one included; also the token under which its outcome is written.
    pub attempt: u32,
    /// How many failures were counted against it: its place in the schedule.
    pub failures: u32,
    /// It is not worth sending after this moment.
    pub expires_at: Timestamp,
    /// It finds out whether the destination works again.
    pub probe: bool,
    /// What is sent, or why it can not be.
    pub message: Result<Box<Message>, Box<Unsendable>>,
}

/// A stored message that can not be sent here: its channel refuses the address, as it is configured in this process, or a
/// newer build has written it. It is tried again on the schedule, by a process that can perhaps, and then given up; where
/// it goes has no part in that.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unsendable {
    /// Why, without its address.
    pub reason: String,
    /// What it tells of.
    pub about: About,
}

impl Unsendable {
    /// This one, for this reason: whoever refuses an address may repeat it, and reasons go into logs and to others.
    #[must_use]
    pub fn new(error: &Error, address: Option<&str>, about: About) -> Self {
        let reason = error.to_string();
        let reason = match address {
            Some(address) => Address::opaque(address).redact(&reason).into_owned(),
            None => reason,
        };
        Self { reason, about }
    }
}

/// What a message tells of, in so far as its row says it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// The first event.
    pub event: EventId,
    /// Its kind.
    pub kind: EventKind,
    /// The job.
    pub job: Option<JobId>,
    /// The batch.
    pub batch: Option<BatchId>,
}

impl About {
    /// An event of this kind, about this job.
    #[must_use]
    pub fn new(event: EventId, kind: EventKind, job: Option<JobId>) -> Self {
        Self { event, kind, job, batch: None }
    }
}

/// One attempt that has been made, and is not written down yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempted {
    /// What was sent.
    pub claimed: Claimed,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What came of it.
    pub result: Result<Receipt, NotifyError>,
    /// What the receiver answered, as far as it is kept: 1,000 bytes of an answer to what arrived, 20,000 of another.
    pub answer: Option<Answer>,
}

/// How many characters of a reason are kept: notifiers write them, and repeat what they were told.
const REASON: usize = 2000;

/// How many bytes of an answer are kept of what arrived.
const ARRIVED: usize = 1000;

/// How many bytes of an answer are kept of what did not arrive.
const FAILED: usize = 20_000;

impl Claimed {
    /// This message, to be sent to a recipient at this destination.
    #[must_use]
    pub fn new(
        id: i64,
        destination: DestinationKey,
        recipient: impl Into<String>,
        message: Result<Message, Unsendable>,
    ) -> Self {
        Self {
            id,
            destination,
            recipient: recipient.into(),
            attempt: 1,
            failures: 0,
            expires_at: Timestamp::from_millis(u64::MAX),
            probe: false,
            message: message.map(Box::new).map_err(Box::new),
        }
    }

    /// Whether it goes to the notifier's own address.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.message.as_ref().is_ok_and(|message| message.address.is_none())
    }

    /// What it tells of.
    #[must_use]
    pub fn about(&self) -> About {
        match &self.message {
            Ok(message) => {
                let event = message.event();
                let about = About::new(event.id, event.kind, event.job);
                About { batch: event.batch, ..about }
            }
            Err(unsendable) => unsendable.about.clone(),
        }
    }
}

/// Makes one attempt. It takes as long as the policy allows, at most, and a notifier that panics is one that failed.
pub(super) async fn send(executor: Executor, clock: Arc<dyn Clock>, claimed: Claimed) -> Attempted {
    let at = clock.now();
    let began = Instant::now();
    let sending = AssertUnwindSafe(attempt(&executor, at, &claimed));
    let (result, answer) = sending
        .catch_unwind()
        .await
        .unwrap_or_else(|_| (Err(NotifyError::retryable("the notifier panicked")), None));
    Attempted { claimed, at, took: began.elapsed(), result, answer }
}

async fn attempt(
    executor: &Executor,
    at: Timestamp,
    claimed: &Claimed,
) -> (Result<Receipt, NotifyError>, Option<Answer>) {
    let message = match &claimed.message {
        Ok(message) => message,
        Err(unsendable) => {
            return (Err(NotifyError::retryable(unsendable.reason.clone())), None);
        }
    };
    let own = || executor.notifier(&claimed.destination.channel).ok()?.own_address();
    let address = message.address.clone().or_else(own);
    let cx = DeliveryContext::attempt(claimed.attempt, at);
    let span = tracing::info_span!(
        "deliver",
        channel = %claimed.destination.channel,
        message = %message.id,
        kind = %message.event().kind,
        attempt = claimed.attempt
    );
    let sent = async {
        let result = executor.deliver(&claimed.destination.channel, message, &cx).await;
        // Reasons go into logs and events; receivers repeat what they were asked, and notifiers what they were told.
        let result = result.map_err(|error| match &address {
            Some(address) => error.because(|reason| address.redact(reason).into_owned()),
            None => error,
        });
        match &result {
            Ok(receipt) => tracing::debug!(status = receipt.status, "delivered"),
            Err(error) => tracing::warn!(%error, "a delivery failed"),
        }
        result
    };
    let result = sent.instrument(span).await;
    let kept = if result.is_ok() { ARRIVED } else { FAILED };
    let answer = cx.answer().map(|answer| answer.without(address.as_ref()).cut(kept));
    (result, answer)
}

impl Attempted {
    /// How it went, as it is stored: `delivered`, `retryable`, `throttled`, `gone`, `rejected`, `auth`, `ambiguous`,
    /// `too_large`, `unsupported`.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match &self.result {
            Ok(_) => "delivered",
            Err(NotifyError::Retryable { .. }) => "retryable",
            Err(NotifyError::Throttled { .. }) => "throttled",
            Err(NotifyError::Gone { .. }) => "gone",
            Err(NotifyError::Rejected { .. }) => "rejected",
            Err(NotifyError::Auth { .. }) => "auth",
            Err(NotifyError::Ambiguous { .. }) => "ambiguous",
            Err(NotifyError::TooLarge { .. }) => "too_large",
            Err(NotifyError::Unsupported { .. }) => "unsupported",
        }
    }

    /// Whether this is an answer, and no success, of an address that a job gave: it says nothing of other addresses at the
    /// same origin. A 5xx says something of all of them, and may be a gateway's.
    #[must_use]
    pub fn is_refusal_of_address(&self) -> bool {
        let Err(error) = &self.result else { return false };
        // Whoever says how long to wait has answered.
        let asks = matches!(error, NotifyError::Throttled { after: Some(_), .. });
        let answers = self.status().map_or(asks, |status| status < 500);
        answers && self.claimed.message.as_ref().is_ok_and(|message| message.address.is_some())
    }

    /// The status that the receiver's protocol gave.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let told = self.result.as_ref().ok().and_then(|receipt| receipt.status);
        self.answer.as_ref().map(|answer| answer.status).or(told)
    }

    /// Why it failed: 2,000 characters at most.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        Some(self.result.as_ref().err()?.reason().chars().take(REASON).collect())
    }

    /// The receiver's own name for what arrived.
    #[must_use]
    pub fn provider_id(&self) -> Option<&str> {
        self.result.as_ref().ok()?.provider_id.as_deref()
    }
}
