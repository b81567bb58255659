use mediaflow_core::http::Response;
use mediaflow_core::notify::Receipt;
use mediaflow_core::{Error, NotifyError};

/// What an answer, or the lack of one, means for the delivery.
pub(super) fn of(answer: Result<Response, Error>) -> Result<Receipt, NotifyError> {
    match answer {
        Ok(response) if (200..300).contains(&response.status) => {
            Ok(Receipt::with_status(response.status))
        }
        Ok(response) => Err(of_status(&response)),
        Err(error) => Err(of_error(&error)),
    }
}

fn of_status(response: &Response) -> NotifyError {
    let reason = format!("the receiver answered {}{}", response.status, excerpt(response)).into();
    let after = response.retry_after;
    if response.header("webhook-delivery").is_some_and(|value| value.trim() == "abort-message") {
        return NotifyError::Rejected { reason };
    }
    match response.status {
        300..=399 => NotifyError::rejected(format!("{reason}; redirects are not followed")),
        401 | 403 => NotifyError::Auth { reason },
        410 => NotifyError::Gone { reason },
        429 | 502 | 504 => NotifyError::Throttled { after, reason },
        408 | 500.. => NotifyError::Retryable { after, reason },
        _ => NotifyError::Rejected { reason },
    }
}

fn of_error(error: &Error) -> NotifyError {
    let reason = error.to_string().into();
    match error.code() {
        "http.connect" | "http.dns" => NotifyError::Retryable { after: None, reason },
        "http.timeout" | "http.broken" => NotifyError::Ambiguous { reason },
        _ => NotifyError::Rejected { reason },
    }
}

/// The first words of the answer, for whoever has to find out why.
fn excerpt(response: &Response) -> String {
    let text = String::from_utf8_lossy(&response.body);
    let words =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line: String = words.collect::<Vec<_>>().join(" ").chars().take(200).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}
