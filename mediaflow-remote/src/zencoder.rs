//! Zencoder's notifications, of its second API and of before.
//!
//! Nothing is signed. Whoever begins a job says what header its notifications come with
//! (`"notifications": [{"url": "...", "headers": {"X-Zencoder-Notification-Secret": "..."}}]`), and the receiver compares, in
//! constant time. The header shows to whoever sees a request, so receive by `https` only.
//!
//! ```
//! use mediaflow_core::Timestamp;
//! use mediaflow_remote::{Call, Notification as _, Receiver as _, RemoteState, Zencoder};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mediaflow_core::Result<()> {
//! let zencoder = Zencoder::new("koro")?;
//! let body = br#"{"job": {"id": 17, "state": "finished"}, "outputs": [{"label": "web", "state": "finished",
//!     "format": "mpeg4", "width": 1280, "height": 720, "file_size_in_bytes": 372613, "duration_in_ms": 5130}]}"#;
//! let call = Call::new([("x-zencoder-notification-secret", "koro")], body, Timestamp::from_millis(0));
//!
//! let verified = zencoder.receive(&call).await?;
//! let update = verified.message.update().unwrap();
//! assert_eq!((update.key().as_str(), update.state), ("zencoder/17", RemoteState::Finished));
//! assert_eq!(update.outputs[0].format.as_deref(), Some("mp4"));
//!
//! let forged = Call::new([("x-zencoder-notification-secret", "guess")], body, Timestamp::from_millis(0));
//! assert_eq!(zencoder.receive(&forged).await.unwrap_err().code(), "webhook.signature");
//! # Ok(())
//! # }
//! ```
//!
//! | field | becomes |
//! |---|---|
//! | `job.id`, a number or a text | the job's name |
//! | `job.state` | the state: `finished`, `failed`, `cancelled`; all others are `processing` |
//! | `job.pass_through` | `pass_through` |
//! | `input.error_class`, `input.error_message` | the job's error, if it failed; else that of the first output that did |
//! | `outputs`, or `output` | the outputs |
//! | `file_size_in_bytes`, or `file_size_bytes` | `bytes` |
//! | `format`: `mpeg4` | `format`: `mp4` |
//!
//! The same notification has the same replay key: job, its state, and of a single output its name and state. A notification of
//! a job that nobody waits for, yet, is kept and answered with 404, so that Zencoder sends it once more.

use mediaflow_core::{Error, Result, async_trait, codes};
use mediaflow_sign::header::Secret;
use serde_json::{Map, Value};

use crate::call::Call;
use crate::json::{job_id, list, md5, not_of, object, pixels, text, whole};
use crate::receiver::{Notification, Receiver, Verified};
use crate::replay::replay_key;
use crate::update::{RemoteError, RemoteOutput, RemoteState, RemoteUpdate};

pub use mediaflow_sign::header::SECRET;

/// The provider of its updates.
pub const PROVIDER: &str = "zencoder";

/// Receives Zencoder's notifications.
#[derive(Clone, Debug)]
#[must_use]
pub struct Zencoder {
    secrets: Vec<Secret>,
}

/// What a notification says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ZencoderNotification {
    /// In everybody's words.
    pub update: RemoteUpdate,
    /// In Zencoder's own.
    pub body: Map<String, Value>,
}

impl Zencoder {
    /// Those that come with this secret in the header [`SECRET`].
    ///
    /// # Errors
    /// `webhook.secret`: it can not stand in a header.
    pub fn new(secret: &str) -> Result<Self> {
        Self::with_header(SECRET, secret)
    }

    /// Those that come with this secret in this header.
    ///
    /// # Errors
    /// `webhook.secret`.
    pub fn with_header(header: &str, secret: &str) -> Result<Self> {
        Ok(Self { secrets: vec![Secret::new(header, secret)?] })
    }

    /// And those with this one, in the header of the first: while jobs with both are on their way.
    ///
    /// # Errors
    /// `webhook.secret`.
    pub fn also(mut self, secret: &str) -> Result<Self> {
        let header = self.secrets.first().map_or(SECRET, |first| first.header().0).to_owned();
        self.secrets.push(Secret::new(&header, secret)?);
        Ok(self)
    }

    fn verify(&self, call: &Call<'_>) -> Result<Verified<Self>> {
        call.at_most(Self::MAX_BODY)?;
        prove(&self.secrets, call)?;
        let body = object(call.body(), VENDOR)?;
        let (update, replay_key) = read(&body)?;
        Ok(Verified::new(ZencoderNotification { update, body }, replay_key))
    }
}

const VENDOR: &str = "Zencoder";

/// Refuses a call without one of these secrets.
fn prove(secrets: &[Secret], call: &Call<'_>) -> Result<()> {
    let given = |secret: &Secret| call.header(secret.header().0).is_some_and(|it| secret.fits(it));
    if secrets.iter().filter(|secret| given(secret)).count() > 0 {
        return Ok(());
    }
    Err(Error::input(codes::WEBHOOK_SIGNATURE, "the secret is missing, or does not fit").help(
        "give the same one to the receiver and, in `notifications`, to whoever begins the job",
    ))
}

fn read(body: &Map<String, Value>) -> Result<(RemoteUpdate, String)> {
    let job = body.get("job").and_then(Value::as_object);
    let job = job.ok_or_else(|| not_of(VENDOR, "there is no job"))?;
    let id = job_id(job.get("id"));
    let id = id.ok_or_else(|| not_of(VENDOR, "the job has no id"))?;
    let said = text(job.get("state")).ok_or_else(|| not_of(VENDOR, "the job has no state"))?;
    let single = body.get("output").filter(|output| output.is_object());
    let mut parts = vec![id.clone(), said.clone()];
    if let Some(output) = single {
        let name = text(output.get("id")).or_else(|| text(output.get("label")));
        parts.extend([name.unwrap_or_default(), text(output.get("state")).unwrap_or_default()]);
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let key = replay_key(PROVIDER, &parts);

    let mut update = RemoteUpdate::new(PROVIDER, &*id, state(&said));
    let outputs = list(body.get("outputs")).iter().chain(single);
    update.outputs = outputs.filter_map(Value::as_object).map(output).collect();
    update.pass_through = job.get("pass_through").cloned().unwrap_or_default();
    if update.state == RemoteState::Failed {
        let input = body.get("input").and_then(Value::as_object);
        let of_output = || update.outputs.iter().find_map(|output| output.error.clone());
        update.error = input.and_then(error).or_else(|| error(job)).or_else(of_output);
    }
    Ok((update, key))
}

fn state(said: &str) -> RemoteState {
    match said {
        "finished" => RemoteState::Finished,
        "failed" | "no input" => RemoteState::Failed,
        "cancelled" | "canceled" | "skipped" => RemoteState::Cancelled,
        _ => RemoteState::Processing,
    }
}

fn output(said: &Map<String, Value>) -> RemoteOutput {
    let state = state(said.get("state").and_then(Value::as_str).unwrap_or_default());
    let mut output = RemoteOutput::new(state);
    output.id = text(said.get("id"));
    output.label = text(said.get("label"));
    output.url = text(said.get("url"));
    output.format = text(said.get("format")).map(|name| match name.as_str() {
        "mpeg4" => "mp4".to_owned(),
        _ => name,
    });
    output.width = pixels(said.get("width"));
    output.height = pixels(said.get("height"));
    // Notifications have the one spelling, what is asked for has the other.
    let bytes = whole(said.get("file_size_in_bytes"));
    output.bytes = bytes.or_else(|| whole(said.get("file_size_bytes")));
    output.duration_ms = whole(said.get("duration_in_ms"));
    output.md5 = md5(said.get("md5_checksum"));
    output.error = error(said);
    output
}

fn error(said: &Map<String, Value>) -> Option<RemoteError> {
    let of = |name| text(said.get(name)).unwrap_or_default();
    RemoteError::new(of("error_class"), of("error_message"))
}

impl Notification for ZencoderNotification {
    fn update(&self) -> Option<&RemoteUpdate> {
        Some(&self.update)
    }
}

#[async_trait]
impl Receiver for Zencoder {
    type Message = ZencoderNotification;

    async fn receive(&self, call: &Call<'_>) -> Result<Verified<Self>> {
        self.verify(call)
    }

    fn unknown(&self) -> u16 {
        404
    }
}
