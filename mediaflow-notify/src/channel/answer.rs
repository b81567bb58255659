use mediaflow_core::NotifyError;
use mediaflow_core::http::Response;
use mediaflow_core::notify::{HttpOutcomes, Outcome, Receipt};
use serde_json::Value;

use crate::answer;

/// A receipt with the service's own name for the message, if it has told one.
#[must_use]
pub fn named(receipt: Receipt, name: Option<impl Into<String>>) -> Receipt {
    match name {
        Some(name) => receipt.named(name),
        None => receipt,
    }
}

/// What a service answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answered {
    /// The status, the headers and the beginning of the body.
    pub response: Response,
}

impl Answered {
    /// The body, if it is JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.response.body).ok()
    }

    /// A text of the body by the name of its field, also of a body that is too long to be read whole: services repeat the
    /// message in their answer.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        let said = String::from_utf8_lossy(&self.response.body);
        let (_, rest) = said.split_once(&format!("\"{name}\":"))?;
        let rest = rest.trim_start().trim_start_matches('"');
        let end = rest.find(['"', ',', '}', '\n'])?;
        Some(rest[..end].to_owned())
    }

    /// Whether the body says so of itself, `{"ok":true`, whole or not.
    #[must_use]
    pub fn says_ok(&self) -> bool {
        if let Some(said) = self.json() {
            return said["ok"] == true;
        }
        let said = String::from_utf8_lossy(&self.response.body);
        let head: String = said.chars().filter(|c| !c.is_whitespace()).take(11).collect();
        head == r#"{"ok":true,"#
    }

    /// What the status means, with the exceptions of the service.
    ///
    /// # Errors
    /// As [`HttpOutcomes::of`] says.
    pub fn by_status(&self, outcomes: &HttpOutcomes) -> Result<Receipt, NotifyError> {
        answer::by_status(&self.response, outcomes)
    }

    /// What a service means that answers with a word of its own, by a table of such; without the word, what the status
    /// means, of which success is none.
    ///
    /// # Errors
    /// As the outcome says.
    pub fn by_word(
        &self,
        words: &[(&'static str, Outcome)],
        word: &str,
    ) -> Result<Receipt, NotifyError> {
        let status = self.response.status;
        let Some((word, outcome)) = words.iter().find(|(known, _)| *known == word) else {
            return self.by_status(&HttpOutcomes::new().except(200, Outcome::Retryable));
        };
        let reason = format!("the receiver answered {status}: {word}");
        HttpOutcomes::new().except(status, *outcome).result(
            status,
            self.response.retry_after,
            reason,
        )
    }
}
