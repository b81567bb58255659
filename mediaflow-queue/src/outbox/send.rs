use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use mediaflow_core::executor::Executor;
use mediaflow_core::notify::{Answer, DeliveryContext, Receipt};
use mediaflow_core::{NotifyError, Timestamp};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::claim::Claimed;
use super::view::DeliveryOutcome;

/// One attempt that has been made, and is not written down yet.
#[derive(Debug)]
pub(super) struct Attempted {
    pub(super) claimed: Claimed,
    pub(super) at: Timestamp,
    pub(super) took: Duration,
    pub(super) result: Result<Receipt, NotifyError>,
    pub(super) answer: Option<Answer>,
}

/// Makes one attempt. It takes as long as the policy allows, at most, and a notifier that panics is one that failed.
pub(super) async fn send(executor: Executor, claimed: Claimed) -> Attempted {
    let at = executor.clock().now();
    let began = Instant::now();
    let event = match &claimed.event {
        Ok(event) => event,
        Err(error) => {
            let result = Err(NotifyError::rejected(error.to_string()));
            return Attempted { claimed, at, took: Duration::ZERO, result, answer: None };
        }
    };
    let mut cx = DeliveryContext::first(event.id, at);
    (cx.attempt, cx.to) = (claimed.attempt, claimed.to.clone());
    let span = tracing::info_span!(
        "deliver",
        channel = %claimed.channel,
        event = %event.id,
        kind = %event.kind,
        attempt = claimed.attempt
    );
    let sent = async {
        let sent = AssertUnwindSafe(executor.deliver(event, &claimed.channel, &cx)).catch_unwind();
        let result =
            sent.await.unwrap_or_else(|_| Err(NotifyError::retryable("the notifier panicked")));
        match &result {
            Ok(receipt) => tracing::debug!(status = receipt.status, "delivered"),
            Err(error) => tracing::warn!(%error, "a delivery failed"),
        }
        result
    };
    let result = sent.instrument(span).await;
    Attempted { at, took: began.elapsed(), result, answer: cx.answer(), claimed }
}

impl Attempted {
    pub(super) fn outcome(&self) -> DeliveryOutcome {
        match &self.result {
            Ok(_) => DeliveryOutcome::Delivered,
            Err(NotifyError::Throttled { .. }) => DeliveryOutcome::Throttled,
            Err(NotifyError::Gone { .. }) => DeliveryOutcome::Gone,
            Err(NotifyError::Rejected { .. }) => DeliveryOutcome::Rejected,
            Err(NotifyError::Auth { .. }) => DeliveryOutcome::Auth,
            Err(NotifyError::Ambiguous { .. }) => DeliveryOutcome::Ambiguous,
            Err(NotifyError::Retryable { .. } | _) => DeliveryOutcome::Retryable,
        }
    }

    pub(super) fn status(&self) -> Option<u16> {
        let told = self.result.as_ref().ok().and_then(|receipt| receipt.status);
        self.answer.as_ref().map(|answer| answer.status).or(told)
    }

    /// Why it failed, as a database takes it.
    pub(super) fn error(&self) -> Option<String> {
        let reason = self.result.as_ref().err()?.reason();
        Some(reason.chars().take(REASON).map(|c| if c == '\0' { '\u{fffd}' } else { c }).collect())
    }

    pub(super) fn body(&self) -> Option<&str> {
        self.answer.as_ref().map(|answer| answer.body.as_str())
    }
}

/// How many characters of a reason are kept: notifiers write them, and repeat what they were told.
const REASON: usize = 2000;
