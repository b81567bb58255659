use mediaflow_core::Result;
use mediaflow_core::wait::{Signal, Update};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What somebody else's encoder says of a job there, whoever it is.
///
/// It is what a call-back brings, and what a backend that waits finds in its updates:
///
/// ```
/// use mediaflow_core::wait::Update;
/// use mediaflow_remote::{RemoteState, RemoteUpdate};
///
/// let stored = serde_json::json!({ "provider": "zencoder", "job_id": "17", "state": "finished" });
/// let said = RemoteUpdate::read(&Update::new(1, stored))?;
/// assert_eq!((said.key().as_str(), said.state), ("zencoder/17", RemoteState::Finished));
/// # Ok::<_, mediaflow_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RemoteUpdate {
    /// Who says it: `zencoder`.
    pub provider: String,
    /// What the job is called there.
    pub job_id: String,
    /// What has become of it.
    pub state: RemoteState,
    /// How far it is, from 0 to 1, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f32>,
    /// What it has made, or not, as far as this call-back tells of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<RemoteOutput>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RemoteError>,
    /// What whoever began the job gave for the way back.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub pass_through: Value,
    /// Only a hint: its sender is known, and its content is not signed. Ask the vendor before anything hangs on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hint: bool,
    /// Outputs were left out, because all was too long to be stored. Ask the vendor for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// What has become of something at a vendor's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RemoteState {
    /// It waits or is worked on, or is in a state that is not known here.
    #[default]
    Processing,
    /// It is done.
    Finished,
    /// It was given up.
    Failed,
    /// Somebody has stopped it.
    Cancelled,
}

/// A file that was asked for at a vendor's. What is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RemoteOutput {
    /// What it is called there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What whoever asked for it calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What has become of it.
    pub state: RemoteState,
    /// Where it is. Vendors say `https://`, `s3://` or a key in a bucket that both sides know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The extension of its format: `mp4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// In pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// In pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// How large it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// How long it is, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// In lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// Why it was not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RemoteError>,
}

/// A failure in the vendor's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RemoteError {
    /// The vendor's name or number for it; empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl RemoteUpdate {
    /// Says this of a job; all else is added to it.
    #[must_use]
    pub fn new(provider: impl Into<String>, job_id: impl Into<String>, state: RemoteState) -> Self {
        Self {
            provider: provider.into(),
            job_id: job_id.into(),
            state,
            progress: None,
            outputs: Vec::new(),
            error: None,
            pass_through: Value::Null,
            hint: false,
            truncated: false,
        }
    }

    /// The key that whoever waits for the job waits under: `zencoder/17`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.provider, self.job_id)
    }

    /// What an update of a wait says, for backends.
    ///
    /// # Errors
    /// `wait.update`: it has another form. The job waits on.
    pub fn read(update: &Update) -> Result<Self> {
        Self::deserialize(&update.data)
            .map_err(|e| Update::unreadable("this is no update of a remote encoder").because(e))
    }

    /// As the engine takes it ([`Mediaflow::signal`](mediaflow_core::Mediaflow::signal)). The replay key is that of the
    /// call-back that brought it.
    #[must_use]
    pub fn signal(&self, replay_key: impl Into<String>) -> Signal {
        // There is nothing in it that JSON has no form for.
        let update = serde_json::to_value(self).unwrap_or_default();
        Signal::new(self.key(), update, replay_key)
    }

    /// Without its outputs.
    pub(crate) fn without_outputs(mut self) -> Self {
        self.truncated = true;
        self.outputs.clear();
        self
    }
}

impl RemoteState {
    /// Whether nothing more is to be expected.
    #[must_use]
    pub fn has_ended(self) -> bool {
        self != Self::Processing
    }
}

impl RemoteOutput {
    /// One of which only this is known; all else is added to it.
    #[must_use]
    pub fn new(state: RemoteState) -> Self {
        Self { state, ..Self::default() }
    }
}

impl RemoteError {
    /// A failure that is called this, with a message; none if both are empty.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Option<Self> {
        let (code, message) = (code.into(), message.into());
        let says = !code.is_empty() || !message.is_empty();
        says.then_some(Self { code, message })
    }
}
