use mediaflow_core::http::Response;
use mediaflow_core::notify::{HttpOutcomes, Outcome, Receipt};
use mediaflow_core::{Error, NotifyError};

use crate::answer::{by_status, not_answered};

/// What an answer, or the lack of one, means for the delivery.
pub(super) fn of(answer: Result<Response, Error>) -> Result<Receipt, NotifyError> {
    let response = answer.map_err(|error| not_answered(&error))?;
    let (status, outcomes) = (response.status, HttpOutcomes::new());
    let aborted = || response.header("webhook-delivery").map(str::trim) == Some("abort-message");
    if outcomes.of(status) != Outcome::Delivered && aborted() {
        let reason = format!("the receiver answered {status}, and wants no repetition");
        return Err(NotifyError::rejected(reason));
    }
    by_status(&response, &outcomes)
}
