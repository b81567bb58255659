//! Work that goes on elsewhere: how a plan says that it waits, and what tells it to go on.
//!
//! A vendor's encoder takes hours. A plan that has handed its group over gives a [`Wait`] instead of results: the engine
//! stores it, and the job holds nothing meanwhile, neither memory nor a place nor a file. When an [`Update`] comes in for the
//! wait's key ([`Mediaflow::signal`](crate::Mediaflow::signal)), when the wait asks to be looked at, or when its time is
//! over, a short task asks the backend that began it to go on.
//!
//! Uses: codes, error, limits, operation, time.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codes;
use crate::limits::at_most;
use crate::operation::Outputs;
use crate::{Error, Limits, Result, Timestamp};

/// What running a group came to.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "whoever runs a plan handles both")]
pub enum Ran {
    /// Its results.
    Done(Outputs),
    /// It goes on elsewhere.
    Waiting(Wait),
}

impl From<Outputs> for Ran {
    fn from(outputs: Outputs) -> Self {
        Self::Done(outputs)
    }
}

impl Ran {
    /// The results of a plan that does not wait.
    ///
    /// # Errors
    /// `wait.unsupported` if it waits.
    pub fn into_outputs(self) -> Result<Outputs> {
        match self {
            Self::Done(outputs) => Ok(outputs),
            Self::Waiting(_) => Err(Error::unsupported(
                codes::WAIT_UNSUPPORTED,
                "the work goes on elsewhere, and nobody here can wait for it",
            )),
        }
    }
}

/// Work that goes on elsewhere, as it is stored: small, and readable by whichever process goes on with it.
///
/// ```
/// use std::time::Duration;
///
/// use mediaflow_core::Timestamp;
/// use mediaflow_core::wait::Wait;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Encoding {
///     id: u64,
/// }
///
/// let now = Timestamp::from_millis(1_000);
/// let wait = Wait::new("zencoder/17", now.plus(Duration::from_secs(3600)))
///     .poll_at(now.plus(Duration::from_secs(60)))
///     .with_state(1, &Encoding { id: 17 })?;
/// assert_eq!(wait.state::<Encoding>()?.id, 17);
/// # Ok::<_, mediaflow_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Wait {
    /// What an update names: no other work that waits has the same. `vendor/id` is a good form.
    pub key: String,
    /// When it is given up.
    pub until: Timestamp,
    /// When the backend wants to look by itself, if no update comes before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_at: Option<Timestamp>,
    /// How far the work elsewhere is, from 0 to 1, as far as that is known.
    #[serde(default)]
    pub progress: f32,
    /// The version of the state.
    #[serde(default)]
    pub version: u32,
    /// What the backend needs to go on.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub state: Value,
}

impl Wait {
    /// Work that updates name by `key` (1 to 200 bytes), and that is given up at `until`.
    #[must_use]
    pub fn new(key: impl Into<String>, until: Timestamp) -> Self {
        Self {
            key: key.into(),
            until,
            poll_at: None,
            progress: 0.0,
            version: 0,
            state: Value::Null,
        }
    }

    /// Is looked at then, if no update comes before.
    #[must_use]
    pub fn poll_at(mut self, moment: Timestamp) -> Self {
        self.poll_at = Some(moment);
        self
    }

    /// The work elsewhere is this far, from 0 to 1.
    #[must_use]
    pub fn progress(mut self, done: f32) -> Self {
        self.progress = if done.is_nan() { 0.0 } else { done.clamp(0.0, 1.0) };
        self
    }

    /// With what the backend needs to go on, in this version of its form.
    ///
    /// # Errors
    /// `wait.state` if it can not be written as JSON.
    pub fn with_state(mut self, version: u32, state: &impl Serialize) -> Result<Self> {
        self.version = version;
        self.state = serde_json::to_value(state).map_err(|e| {
            Error::internal(codes::WAIT_STATE, "the state of a wait can not be written as JSON")
                .because(e)
        })?;
        Ok(self)
    }

    /// What the backend needs to go on. Look at [`Wait::version`] first, if there was more than one.
    ///
    /// # Errors
    /// `wait.state` if it has another form.
    pub fn state<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.state).map_err(|e| {
            Error::internal(codes::WAIT_STATE, "the state of a wait has another form")
                .with("key", &self.key)
                .with("version", self.version)
                .because(e)
        })
    }

    /// Checks what is stored.
    pub(crate) fn check(&self, limits: &Limits) -> Result<()> {
        check_key(&self.key)?;
        let bytes = serde_json::to_vec(&self.state).map_or(0, |json| json.len());
        at_most(codes::LIMIT_WAIT_BYTES, "wait_bytes", bytes, limits.wait_bytes)
            .map_err(|e| e.with("key", &self.key))
    }

    /// When it is to be looked at without an update.
    pub(crate) fn due(&self) -> Timestamp {
        self.poll_at.map_or(self.until, |poll| poll.min(self.until))
    }
}

/// Refuses what can not be the key of a wait.
pub(crate) fn check_key(key: &str) -> Result<()> {
    if key.is_empty() || key.len() > 200 || key.chars().any(char::is_control) {
        return Err(Error::input(codes::WAIT_KEY, "this can not be the key of a wait")
            .with("length", key.len())
            .help("use 1 to 200 bytes without control characters, such as `vendor/id`"));
    }
    Ok(())
}

/// The error of an engine when two groups would wait under one key.
#[must_use]
pub fn key_taken(key: &str) -> Error {
    Error::input(codes::WAIT_KEY_TAKEN, "other work waits under this key already")
        .with("key", key)
        .help("a backend needs a key of its own for each piece of work, such as `vendor/id`")
}

/// What somebody else says of work that goes on there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Update {
    /// Its number, in the order in which updates came in.
    pub id: u64,
    /// What was said.
    pub data: Value,
}

impl Update {
    /// An update with this number.
    #[must_use]
    pub fn new(id: u64, data: Value) -> Self {
        Self { id, data }
    }

    /// The error of a backend that can not read an update: it is dropped with a warning, and the work waits on.
    ///
    /// ```
    /// use mediaflow_core::wait::Update;
    ///
    /// let update = Update::new(1, serde_json::json!({"state": 7}));
    /// let state = update.data["state"].as_str().ok_or_else(|| Update::unreadable("`state` is no text"));
    /// assert_eq!(state.unwrap_err().code(), Update::UNREADABLE);
    /// ```
    #[must_use]
    pub fn unreadable(why: impl Into<String>) -> Error {
        Error::input(Self::UNREADABLE, why)
    }

    /// The code of [`Update::unreadable`].
    pub const UNREADABLE: &str = codes::WAIT_UPDATE;
}

/// An update, as it comes in.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Signal {
    /// The key of the wait.
    pub key: String,
    /// What is said.
    pub update: Value,
    /// The name of this very update: one that was there before is not taken again.
    pub replay_key: String,
}

impl Signal {
    /// Says this of the work that waits under a key.
    #[must_use]
    pub fn new(
        key: impl Into<String>,
        update: impl Into<Value>,
        replay_key: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), update: update.into(), replay_key: replay_key.into() }
    }

    /// Checks it before it is stored.
    pub(crate) fn check(&self, limits: &Limits) -> Result<()> {
        check_key(&self.key)?;
        if self.replay_key.is_empty() || self.replay_key.len() > 255 {
            return Err(Error::input(codes::WAIT_REPLAY_KEY, "this can not be a replay key")
                .with("length", self.replay_key.len())
                .help(
                    "use 1 to 255 bytes, such as the id of the message that brought the update",
                ));
        }
        let bytes = serde_json::to_vec(&self.update).map_or(0, |json| json.len());
        at_most(codes::LIMIT_UPDATE_BYTES, "update_bytes", bytes, limits.update_bytes)
            .map_err(|e| e.with("key", &self.key))
    }
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signalled {
    /// Work waits under its key, and goes on.
    Accepted,
    /// Nothing waits under its key (yet): it is kept for a day, in case it came before the wait was stored.
    Early,
    /// It was there before, by its replay key: nothing follows.
    Duplicate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_of_a_wait_has_limits() {
        let wait = |key: &str, state: &str| {
            Wait::new(key, Timestamp::from_millis(1)).with_state(1, &state).unwrap()
        };
        let limits = Limits { wait_bytes: 10, ..Limits::default() };
        assert!(wait("a/1", "12345678").check(&limits).is_ok());
        for (wait, code) in [
            (wait("", ""), "wait.key"),
            (wait(&"k".repeat(201), ""), "wait.key"),
            (wait("a\n", ""), "wait.key"),
            (wait("a", "123456789"), "limit.wait_bytes"),
        ] {
            assert_eq!(wait.check(&limits).unwrap_err().code(), code);
        }
    }
}
