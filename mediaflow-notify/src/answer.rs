//! What an answer, or the lack of one, means for the delivery. Reasons go into logs and to other channels, so they hold no
//! words of the receiver, which often repeats the path that it was asked for: those are in the delivery log.

use mediaflow_core::http::Response;
use mediaflow_core::notify::{HttpOutcomes, Receipt};
use mediaflow_core::{Error, NotifyError, codes};

/// What the status means.
pub(crate) fn by_status(
    response: &Response,
    outcomes: &HttpOutcomes,
) -> Result<Receipt, NotifyError> {
    let status = response.status;
    let hint = if (300..400).contains(&status) { "; redirects are not followed" } else { "" };
    let reason = format!("the receiver answered {status}{hint}");
    outcomes.result(status, response.retry_after, reason)
}

/// What it means that nobody answered.
pub(crate) fn not_answered(error: &Error) -> NotifyError {
    let reason = error.to_string();
    match error.code() {
        codes::HTTP_CONNECT | codes::HTTP_DNS => NotifyError::retryable(reason),
        codes::HTTP_TIMEOUT | codes::HTTP_BROKEN => NotifyError::ambiguous(reason),
        _ => NotifyError::rejected(reason),
    }
}
