use mediaflow_core::http::Response;
use mediaflow_core::notify::{HttpOutcomes, Outcome, Receipt};
use mediaflow_core::{Error, NotifyError, codes};

/// What an answer, or the lack of one, means for the delivery. Reasons go into logs and to other channels, so they hold
/// no words of the receiver, which often repeats the path that it was asked for: those are in the delivery log.
pub(super) fn of(answer: Result<Response, Error>) -> Result<Receipt, NotifyError> {
    let response = answer.map_err(|error| not_answered(&error))?;
    let (status, outcomes) = (response.status, HttpOutcomes::new());
    let aborted = || response.header("webhook-delivery").map(str::trim) == Some("abort-message");
    if outcomes.of(status) != Outcome::Delivered && aborted() {
        let reason = format!("the receiver answered {status}, and wants no repetition");
        return Err(NotifyError::rejected(reason));
    }
    let hint = if (300..400).contains(&status) { "; redirects are not followed" } else { "" };
    let reason = format!("the receiver answered {status}{hint}");
    outcomes.result(status, response.retry_after, reason)
}

fn not_answered(error: &Error) -> NotifyError {
    let reason = error.to_string();
    match error.code() {
        codes::HTTP_CONNECT | codes::HTTP_DNS => NotifyError::retryable(reason),
        codes::HTTP_TIMEOUT | codes::HTTP_BROKEN => NotifyError::ambiguous(reason),
        _ => NotifyError::rejected(reason),
    }
}
