use std::collections::HashMap;
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
    /// Another message of the same request has failed in the same way: where it goes has failed once.
    pub repeats: bool,
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

/// What goes in one request each: several messages to one address, where their channel takes `most` of such. Which of them is
/// to blame for a failure is found out when they go by themselves: after the first one they do.
pub(super) fn requests(claimed: Vec<Claimed>, most: impl Fn(&str) -> usize) -> Vec<Vec<Claimed>> {
    let mut requests: Vec<Vec<Claimed>> = Vec::with_capacity(claimed.len());
    let mut open: HashMap<(DestinationKey, String), usize> = HashMap::new();
    for claimed in claimed {
        let most = most(&claimed.destination.channel);
        if most < 2 || claimed.probe || claimed.failures > 0 || claimed.message.is_err() {
            requests.push(vec![claimed]);
            continue;
        }
        let next = requests.len();
        let place = open.entry((claimed.destination.clone(), claimed.recipient.clone()));
        let place = place.or_insert(next);
        match requests.get_mut(*place).filter(|request| request.len() < most) {
            Some(request) => request.push(claimed),
            None => {
                *place = next;
                requests.push(vec![claimed]);
            }
        }
    }
    requests
}

/// A message is over, unless it was taken away meanwhile and claimed again: then the later attempt is under way.
pub(super) fn let_go(held: &mut HashMap<i64, u32>, sent: &Attempted) -> bool {
    let latest = held.get(&sent.claimed.id) == Some(&sent.claimed.attempt);
    if latest {
        held.remove(&sent.claimed.id);
    }
    latest
}

/// What came of one attempt at one message, and what its receiver answered.
type Came = (Result<Receipt, NotifyError>, Option<Answer>);

/// Makes one attempt at what goes in one request. It takes as long as the policy allows, at most, and a notifier that panics is
/// one that failed.
pub(super) async fn send(
    executor: Executor,
    clock: Arc<dyn Clock>,
    request: Vec<Claimed>,
) -> Vec<Attempted> {
    let at = clock.now();
    let began = Instant::now();
    let sending = AssertUnwindSafe(attempt(&executor, at, &request)).catch_unwind().await;
    let panicked =
        |_| vec![(Err(NotifyError::retryable("the notifier panicked")), None); request.len()];
    let came = sending.unwrap_or_else(panicked);
    let took = began.elapsed();
    let mut failed = Vec::new();
    let attempted = request.into_iter().zip(came).map(|(claimed, (result, answer))| {
        let how = result.as_ref().err().map(std::mem::discriminant);
        let repeats = how.is_some_and(|how| failed.contains(&how));
        failed.extend(how);
        Attempted { claimed, at, took, result, answer, repeats }
    });
    attempted.collect()
}

async fn attempt(executor: &Executor, at: Timestamp, request: &[Claimed]) -> Vec<Came> {
    let mut contexts = Vec::with_capacity(request.len());
    for claimed in request {
        match &claimed.message {
            Ok(message) => {
                contexts.push((&**message, DeliveryContext::attempt(claimed.attempt, at)));
            }
            // It is alone in its request.
            Err(unsendable) => {
                return vec![(Err(NotifyError::retryable(unsendable.reason.clone())), None)];
            }
        }
    }
    let (Some(first), Some((message, _))) = (request.first(), contexts.first()) else {
        return Vec::new();
    };
    let channel = &*first.destination.channel;
    let own = || executor.notifier(channel).ok()?.own_address();
    let address = message.address.clone().or_else(own);
    let span = tracing::info_span!(
        "deliver",
        channel,
        message = %message.id,
        kind = %message.event().kind,
        attempt = first.attempt,
        messages = request.len()
    );
    let sent = async {
        let messages: Vec<_> = contexts.iter().map(|(message, cx)| (*message, cx)).collect();
        let mut results = executor.deliver_all(channel, &messages).await;
        for (result, (message, _)) in results.iter_mut().zip(&messages) {
            // Reasons go into logs and events; receivers repeat what they were asked, and notifiers what they were told.
            if let (Err(error), Some(address)) = (&mut *result, &address) {
                *error = error.clone().because(|reason| address.redact(reason).into_owned());
            }
            let id = message.id;
            match result {
                Ok(receipt) => tracing::debug!(%id, status = receipt.status, "delivered"),
                Err(error) => tracing::warn!(%id, %error, "a delivery failed"),
            }
        }
        results
    };
    let results = sent.instrument(span).await;
    let came = results.into_iter().zip(&contexts).map(|(result, (_, cx))| {
        let kept = if result.is_ok() { ARRIVED } else { FAILED };
        let answer = cx.answer().map(|answer| answer.without(address.as_ref()).cut(kept));
        (result, answer)
    });
    came.collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventData};

    fn claimed(id: i64, to: &str) -> Claimed {
        let event = Event::new(EventKind::JobFailed, Timestamp::from_millis(0), EventData::None);
        let message = Message::of(event).to(Some(Address::at("a", to)));
        let key = DestinationKey::new(if to == "alone" { "other" } else { "hooks" }, "a");
        Claimed::new(id, key, to, Ok(message))
    }

    #[test]
    fn what_goes_to_one_address_goes_together() {
        let mut all: Vec<_> = (0..7).map(|id| claimed(id, "a/1")).collect();
        (all[1].failures, all[2].probe) = (1, true);
        all.extend([claimed(7, "a/2"), claimed(8, "alone"), claimed(9, "alone")]);
        let made = requests(all, |channel| if channel == "hooks" { 3 } else { 1 });
        let ids = |request: &Vec<Claimed>| request.iter().map(|of| of.id).collect::<Vec<_>>();
        let made: Vec<_> = made.iter().map(ids).collect();
        let alone = |id: i64| vec![id];
        assert_eq!(
            made,
            [vec![0, 3, 4], alone(1), alone(2), vec![5, 6], alone(7), alone(8), alone(9)]
        );
    }
}
