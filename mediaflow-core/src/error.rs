//! One error for everything mediaflow does.
//!
//! An error is made to be acted upon: [`Error::kind`] tells whose fault it is, [`Error::code`] is a stable name for
//! programs, [`Error::retry`] says whether trying again can help, the facts say where, and the help says what to do.
//!
//! ```
//! use mediaflow_core::{Error, ErrorKind, codes};
//!
//! let error = Error::input(codes::GEOMETRY_BOX, "a box needs a width or a height")
//!     .with("op", "resize")
//!     .with("output", "public/cat-thumb.jpg")
//!     .help("give one of them in pixels");
//! assert_eq!(error.kind(), ErrorKind::Input);
//! assert_eq!(
//!     error.to_string(),
//!     "a box needs a width or a height (op: resize, output: public/cat-thumb.jpg): \
//!      give one of them in pixels"
//! );
//! ```

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::wire::wire_enum;

/// The result of everything that can fail in mediaflow.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// What went wrong, where, and what to do about it. Eight bytes wide.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    code: Cow<'static, str>,
    message: String,
    facts: Vec<(Cow<'static, str>, String)>,
    help: Option<String>,
    retry: Retry,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

wire_enum! {
    /// The class of an error: who can do something about it.
    pub enum ErrorKind {
        /// The caller's input is wrong: a broken file, a misspelt parameter, a key that does not exist.
        Input = "input",
        /// A limit was reached: pixels, bytes, time, queue length.
        Limit = "limit",
        /// Nothing here can do this: an unknown step, a codec that is not installed.
        Unsupported = "unsupported",
        /// It may work later: a network, a full disk, a busy server.
        Transient = "transient",
        /// A backend failed in a way that is not known to be the input's fault.
        Backend = "backend",
        /// A defect of mediaflow or of a custom operation.
        Internal = "internal",
        /// Somebody cancelled the work.
        Cancelled = "cancelled",
    }
}

/// Whether trying the same again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// The result will be the same.
    Never,
    /// It may pass: try again on the usual schedule.
    Backoff,
    /// Try again, but not earlier than after this time.
    After(Duration),
}

impl Error {
    /// The caller's input is wrong. Never retried.
    #[must_use]
    pub fn input(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, code, message)
    }

    /// A limit was reached. Never retried.
    #[must_use]
    pub fn limit(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, code, message)
    }

    /// Nothing here can do this. Never retried.
    #[must_use]
    pub fn unsupported(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, code, message)
    }

    /// It may work later. Retried with backoff.
    #[must_use]
    pub fn transient(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Transient, code, message)
    }

    /// A backend failed. Retried with backoff.
    #[must_use]
    pub fn backend(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Backend, code, message)
    }

    /// A defect. Never retried.
    #[must_use]
    pub fn internal(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, code, message)
    }

    /// The work was cancelled.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, codes::JOB_CANCELLED, "the job was cancelled")
    }

    /// An idempotency key that stands for another job already.
    #[must_use]
    pub fn key_reused() -> Self {
        Self::input(codes::JOB_KEY_REUSED, "the idempotency key stands for another job").help(
            "use a key of its own for each job; a repeated request asks for the same as the first",
        )
    }

    fn new(
        kind: ErrorKind,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let retry = match kind {
            ErrorKind::Transient | ErrorKind::Backend => Retry::Backoff,
            ErrorKind::Input
            | ErrorKind::Limit
            | ErrorKind::Unsupported
            | ErrorKind::Internal
            | ErrorKind::Cancelled
            | ErrorKind::Other(_) => Retry::Never,
        };
        let (code, message) = (code.into(), message.into());
        Self(Box::new(Inner {
            kind,
            code,
            message,
            facts: Vec::new(),
            help: None,
            retry,
            source: None,
        }))
    }

    /// Adds a fact that says where: `("step", "resize")`, `("output", "public/cat.jpg")`. The first value of a name
    /// stands: whoever is nearest to the fault knows best.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        if self.fact(name).is_none() {
            self.0.facts.push((Cow::Borrowed(name), value.to_string()));
        }
        self
    }

    /// Adds a fact of which there can be several.
    pub(crate) fn with_further(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.facts.push((Cow::Borrowed(name), value.to_string()));
        self
    }

    /// Says what to do about it. The first help stands.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help.get_or_insert(help.into());
        self
    }

    /// Keeps the cause. `Display` never repeats it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Overrides the advice that the kind gives.
    #[must_use]
    pub fn retrying(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// With all of its texts in other words, and without its cause.
    pub(crate) fn reworded(mut self, reword: impl Fn(&str) -> String) -> Self {
        self.0.message = reword(&self.0.message);
        self.0.help = self.0.help.map(|help| reword(&help));
        for (_, value) in &mut self.0.facts {
            *value = reword(value);
        }
        self.0.source = None;
        self
    }

    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable, dotted name: `image.truncated`, `storage.not_found`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// What went wrong, without the facts.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether trying again can help.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// The value of a fact.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.0.facts.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (i, (name, value)) in self.0.facts.iter().enumerate() {
            write!(f, "{}{name}: {value}", if i == 0 { " (" } else { ", " })?;
        }
        if !self.0.facts.is_empty() {
            f.write_str(")")?;
        }
        match &self.0.help {
            Some(help) => write!(f, ": {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} [{}] {self}", self.0.kind, self.0.code)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, "\n  caused by: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// The form of an [`Error`] that is stored, sent and cloned: everything but the cause as a Rust value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Failure {
    /// Whose fault it is.
    pub kind: ErrorKind,
    /// The stable, dotted name.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// Where: the step, the output, the file, the limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<(String, String)>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Error::from(self.clone()).fmt(f)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.0.kind,
            code: error.0.code.clone().into_owned(),
            message: error.0.message.clone(),
            facts: error.0.facts.iter().map(|(n, v)| (n.clone().into_owned(), v.clone())).collect(),
            help: error.0.help.clone(),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let mut error = Self::new(failure.kind, failure.code, failure.message);
        error.0.facts = failure.facts.into_iter().map(|(n, v)| (Cow::Owned(n), v)).collect();
        error.0.help = failure.help;
        error
    }
}

/// The error itself if nobody else holds it, else its copy without the cause.
pub(crate) fn owned(error: std::sync::Arc<Error>) -> Error {
    std::sync::Arc::try_unwrap(error).unwrap_or_else(|shared| {
        let retry = shared.retry();
        Error::from(Failure::from(&*shared)).retrying(retry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_eight_bytes_and_can_cross_threads() {
        fn check<T: Send + Sync + 'static>() {}
        check::<Error>();
        assert_eq!(size_of::<Error>(), 8);
    }

    #[test]
    fn display_leaves_the_cause_to_source() {
        let error = Error::transient("storage.io", "the disk did not answer")
            .because(std::io::Error::other("secret detail"));
        assert_eq!(error.to_string(), "the disk did not answer");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("secret detail"));
    }

    #[test]
    fn the_stored_form_keeps_what_matters() {
        let error =
            Error::limit("limit.pixels", "too many pixels").with("limit", 5).help("raise `pixels`");
        let stored = serde_json::to_string(&Failure::from(&error)).unwrap();
        let back = Error::from(serde_json::from_str::<Failure>(&stored).unwrap());
        assert_eq!(back.to_string(), error.to_string());
        assert_eq!(
            (back.kind(), back.code(), back.retry()),
            (error.kind(), error.code(), Retry::Never)
        );
    }
}
