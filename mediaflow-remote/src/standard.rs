//! [Standard Webhooks](https://www.standardwebhooks.com), from whoever sends such: another mediaflow, or a vendor.
//!
//! ```
//! use mediaflow_core::Timestamp;
//! use mediaflow_remote::standard::{ID, SIGNATURE, Signer, TIMESTAMP};
//! use mediaflow_remote::{Call, Notification as _, Receiver as _, RemoteState, Standard};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mediaflow_core::Result<()> {
//! let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
//! let body = br#"{"type": "job.completed", "timestamp": "2026-05-04T10:20:30Z", "data": {"job": "0199c8f0-1"}}"#;
//! let signature = Signer::new(secret)?.sign("msg_1", 1_777_890_030, body);
//! let headers = [(ID, "msg_1"), (TIMESTAMP, "1777890030"), (SIGNATURE, signature.as_str())];
//! let call = Call::new(headers, body, Timestamp::from_millis(1_777_890_031_000));
//!
//! let verified = Standard::new(secret)?.receive(&call).await?;
//! assert_eq!((verified.message.kind.as_str(), verified.replay_key.as_str()), ("job.completed", "standard/msg_1"));
//! let update = verified.message.update().unwrap();
//! assert_eq!((update.key().as_str(), update.state), ("standard/0199c8f0-1", RemoteState::Finished));
//! # Ok(())
//! # }
//! ```
//!
//! The standard says how a message is signed, and not what is in it. What is read unless [`Standard::read_with`] says otherwise
//! is the form in which mediaflow sends its own events: the job is `data.job`, or `data.job_id` or `data.id`; the end of the
//! type is the state (`completed`, `succeeded`, `finished`; `failed`; `cancelled`; others are `processing`); outputs are those
//! of `data.report`, or `data.output`.
//!
//! The replay key is the id of the message. Its moment may be 5 minutes from now, in both directions.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::{Result, async_trait};
use mediaflow_sign::standard::Verifier;
use serde_json::{Map, Value};

use crate::call::Call;
use crate::json::{job_id, list, md5, millis, not_of, object, pixels, text, whole};
use crate::receiver::{Notification, Receiver, Verified};
use crate::replay::replay_key;
use crate::update::{RemoteError, RemoteOutput, RemoteState, RemoteUpdate};

pub use mediaflow_sign::standard::{ID, SIGNATURE, Signer, TIMESTAMP};

/// The provider of its updates, unless the host says otherwise.
pub const PROVIDER: &str = "standard";

/// Receives Standard Webhooks.
#[derive(Clone)]
#[must_use]
pub struct Standard {
    verifier: Verifier,
    provider: String,
    read: Option<Arc<Read>>,
}

type Read = dyn Fn(&str, &Value) -> Option<RemoteUpdate> + Send + Sync;

/// What a message says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StandardMessage {
    /// The id of the message, the same in every attempt.
    pub id: String,
    /// Its `type`: `job.completed`.
    pub kind: String,
    /// What it is about, as the sender writes it.
    pub data: Value,
    /// What it says of a job, if it does.
    pub update: Option<RemoteUpdate>,
}

impl Standard {
    /// Those that are signed with this secret: 24 to 64 bytes in base64, with or without `whsec_` before; or with the private
    /// key of this public one, `whpk_`.
    ///
    /// # Errors
    /// `webhook.secret`.
    pub fn new(secret: &str) -> Result<Self> {
        Ok(Self { verifier: Verifier::new(secret)?, provider: PROVIDER.to_owned(), read: None })
    }

    /// And those that are signed with this one: while the sender changes from one to the other.
    ///
    /// # Errors
    /// `webhook.secret`.
    pub fn also(mut self, secret: &str) -> Result<Self> {
        self.verifier = self.verifier.also(secret)?;
        Ok(self)
    }

    /// What the sender is called in updates, and so in the keys of those who wait: `acme/17`. Default [`PROVIDER`].
    pub fn provider(mut self, name: impl Into<String>) -> Self {
        self.provider = name.into();
        self
    }

    /// How far the moment of a message may be from now. Default 5 minutes.
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.verifier = self.verifier.tolerance(tolerance);
        self
    }

    /// Reads a message by its `type` and `data`, and says what it tells of a job. The provider is that of the receiver.
    pub fn read_with(
        mut self,
        read: impl Fn(&str, &Value) -> Option<RemoteUpdate> + Send + Sync + 'static,
    ) -> Self {
        self.read = Some(Arc::new(read));
        self
    }

    fn verify(&self, call: &Call<'_>) -> Result<Verified<Self>> {
        call.at_most(Self::MAX_BODY)?;
        let id = self.verifier.verify(|name| call.header(name), call.body(), call.now())?;
        let mut body = object(call.body(), VENDOR)?;
        let kind = text(body.get("type")).ok_or_else(|| not_of(VENDOR, "there is no `type`"))?;
        let data = body.remove("data").unwrap_or_default();
        let update = match &self.read {
            Some(read) => read(&kind, &data),
            None => read_data(&kind, &data),
        };
        let update =
            update.map(|update| RemoteUpdate { provider: self.provider.clone(), ..update });
        let replay_key = replay_key(&self.provider, &[id]);
        let message = StandardMessage { id: id.to_owned(), kind, data, update };
        Ok(Verified::new(message, replay_key))
    }
}

const VENDOR: &str = "Standard Webhooks";

/// What mediaflow, and many others, say of a job.
fn read_data(kind: &str, data: &Value) -> Option<RemoteUpdate> {
    let (about, end) = (kind.split('.').next()?, kind.rsplit('.').next()?);
    let id = ["job", "job_id", "id"].iter().find_map(|name| job_id(data.get(name)))?;
    let state = match (about, end) {
        // A notification that was lost is nothing that has become of the job.
        ("batch" | "delivery" | "destination", _) => return None,
        // A part of it goes its way, or does not.
        ("output" | "step", _) => RemoteState::Processing,
        (_, "completed" | "succeeded" | "finished") => RemoteState::Finished,
        (_, "failed") => RemoteState::Failed,
        (_, "cancelled" | "canceled") => RemoteState::Cancelled,
        _ => RemoteState::Processing,
    };
    let mut update = RemoteUpdate::new(PROVIDER, id, state);
    let report = data.get("report");
    let outputs = list(report.and_then(|report| report.get("outputs"))).iter();
    let outputs = outputs.chain(data.get("output")).filter_map(Value::as_object);
    update.outputs = outputs.map(output).collect();
    update.error = report.and_then(|report| error(report.get("failure")));
    update.truncated = data.get("truncated").and_then(Value::as_bool).unwrap_or_default();
    update.pass_through = data.get("metadata").cloned().unwrap_or_default();
    Some(update)
}

fn output(said: &Map<String, Value>) -> RemoteOutput {
    let state = match said.get("state").and_then(Value::as_str) {
        Some("published" | "finished" | "completed") => RemoteState::Finished,
        Some("failed") => RemoteState::Failed,
        Some("cancelled" | "skipped") => RemoteState::Cancelled,
        _ => RemoteState::Processing,
    };
    let mut output = RemoteOutput::new(state);
    output.id = text(said.get("output"));
    output.url = text(said.get("url"));
    output.format = text(said.get("format"));
    output.width = pixels(said.get("width"));
    output.height = pixels(said.get("height"));
    output.bytes = whole(said.get("bytes")).filter(|bytes| *bytes > 0);
    output.duration_ms = millis(said.get("duration"));
    output.md5 = md5(said.get("md5"));
    output.error = error(said.get("failure"));
    output
}

fn error(failure: Option<&Value>) -> Option<RemoteError> {
    let of = |name| text(failure?.get(name));
    RemoteError::new(of("code").unwrap_or_default(), of("message").unwrap_or_default())
}

impl Notification for StandardMessage {
    fn update(&self) -> Option<&RemoteUpdate> {
        self.update.as_ref()
    }
}

impl fmt::Debug for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standard")
            .field("verifier", &self.verifier)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Receiver for Standard {
    type Message = StandardMessage;

    async fn receive(&self, call: &Call<'_>) -> Result<Verified<Self>> {
        self.verify(call)
    }
}
