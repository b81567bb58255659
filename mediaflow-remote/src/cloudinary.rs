//! Cloudinary's notifications (`notification_url`, `eager_notification_url`).
//!
//! `X-Cld-Signature` is a plain hash of the raw body, `X-Cld-Timestamp` and the API secret, in lower-case hexadecimal. No header
//! says which hash: the host does. A moment is 10 digits, 2 hours old at most, and not from the future; the body is JSON. So a
//! digit that is moved from the moment to the body, which gives the same hash, is found out.
//!
//! ```
//! use mediaflow_core::Timestamp;
//! use mediaflow_remote::cloudinary::{Algorithm, SIGNATURE, Signer, TIMESTAMP};
//! use mediaflow_remote::{Call, Cloudinary, Notification as _, Receiver as _};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mediaflow_core::Result<()> {
//! let body = br#"{"notification_type": "eager", "batch_id": "8a1f", "eager": [{"width": 400, "height": 300, "bytes": 23510,
//!     "format": "jpg", "secure_url": "https://res.cloudinary.com/demo/image/upload/c_fit,w_400/sample.jpg"}]}"#;
//! let signature = Signer::new("api-secret", Algorithm::Sha1)?.sign(body, 1_777_890_030);
//! let headers = [(TIMESTAMP, "1777890030"), (SIGNATURE, signature.as_str())];
//! let call = Call::new(headers, body, Timestamp::from_millis(1_777_890_031_000));
//!
//! let verified = Cloudinary::new("api-secret", Algorithm::Sha1)?.receive(&call).await?;
//! let update = verified.message.update().unwrap();
//! assert_eq!((update.key().as_str(), update.outputs[0].width), ("cloudinary/8a1f", Some(400)));
//! # Ok(())
//! # }
//! ```
//!
//! | `notification_type` | says of a job |
//! |---|---|
//! | `upload`, or none | the file, as an output |
//! | `eager` | each derivative, as an output; one that failed has its `reason` |
//! | `sprite` | picture, style sheet and positions, as outputs |
//! | `multi`, `explode` | the file, if it is told |
//! | others: `delete`, `rename`, `moderation` .. | nothing: read [`CloudinaryNotification::body`] |
//!
//! The job's name is `batch_id`, as the call that began it has answered, else `public_id`. What was signed in Cloudinary's newer
//! ways (`auth_scheme`: `eddsa_v2`), of which no documentation is public, is refused, and the error says so. The replay key is
//! that of the signature. Cloudinary sends again unless the answer is 200.

use std::time::Duration;

use mediaflow_core::{Error, Result, Timestamp, async_trait, codes};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::call::Call;
use crate::json::{job_id, list, md5, millis, object, pixels, text, whole};
use crate::moment;
use crate::receiver::{Notification, Receiver, Verified};
use crate::update::{RemoteError, RemoteOutput, RemoteState, RemoteUpdate};

pub use mediaflow_sign::cloudinary::{Algorithm, SIGNATURE, Signer, TIMESTAMP};

/// The provider of its updates.
pub const PROVIDER: &str = "cloudinary";

/// The header of a newer way to sign.
const NEWER: &str = "x-cld-signature_v2";

/// How old a notification may be: what the vendor's own verifier allows.
const VALID: Duration = Duration::from_secs(7200);

/// Receives Cloudinary's notifications.
#[derive(Clone, Debug)]
#[must_use]
pub struct Cloudinary {
    signers: Vec<Signer>,
    valid: Duration,
}

/// What a notification says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CloudinaryNotification {
    /// Its `notification_type`: `eager`. Empty if there is none, as in notifications of long ago.
    pub kind: String,
    /// What it says of a job, in everybody's words.
    pub update: Option<RemoteUpdate>,
    /// What it says in Cloudinary's own.
    pub body: Map<String, Value>,
}

impl Cloudinary {
    /// Those that are signed with this API secret and hash. SHA-1 is what accounts have that were not changed.
    ///
    /// # Errors
    /// `webhook.secret`: it is empty.
    pub fn new(api_secret: &str, algorithm: Algorithm) -> Result<Self> {
        Ok(Self { signers: vec![Signer::new(api_secret, algorithm)?], valid: VALID })
    }

    /// And those that are signed with this one: while secrets or hashes change.
    ///
    /// # Errors
    /// `webhook.secret`.
    pub fn also(mut self, api_secret: &str, algorithm: Algorithm) -> Result<Self> {
        self.signers.push(Signer::new(api_secret, algorithm)?);
        Ok(self)
    }

    /// How old a notification may be. Default 2 hours.
    pub fn valid_for(mut self, age: Duration) -> Self {
        self.valid = age;
        self
    }

    fn verify(&self, call: &Call<'_>) -> Result<Verified<Self>> {
        call.at_most(Self::MAX_BODY)?;
        if call.header(SIGNATURE).is_none() && call.header(NEWER).is_some() {
            return Err(Error::input(
                codes::WEBHOOK_HEADER,
                "the notification is signed in a newer way, which is not known here",
            )
            .with("header", NEWER)
            .help("set `auth_scheme` of the trigger to `default` in Cloudinary's settings"));
        }
        let (stamp, signature) = (call.required(TIMESTAMP)?, call.required(SIGNATURE)?);
        moment::within(seconds(stamp)?, call.now(), self.valid)?;
        let is_hash = matches!(signature.len(), 40 | 64)
            && signature.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        let fits = |signer: &&Signer| signer.fits(signature, call.body(), stamp);
        if !is_hash || self.signers.iter().filter(fits).count() == 0 {
            return Err(Error::input(codes::WEBHOOK_SIGNATURE, "no signature fits").help(
                "check the API secret and its hash, and that the body is verified as it came",
            ));
        }
        let body = object(call.body(), "Cloudinary")?;
        let hash = Sha256::digest([signature.as_bytes(), stamp.as_bytes()].concat());
        let replay_key = format!("{PROVIDER}/{}", mediaflow_sign::hex(&hash));
        let kind = text(body.get("notification_type")).unwrap_or_default();
        let update = read(&kind, &body);
        Ok(Verified::new(CloudinaryNotification { kind, update, body }, replay_key))
    }
}

/// Ten digits, as they have been since 2001 and will be until 2286.
fn seconds(stamp: &str) -> Result<Timestamp> {
    let digits = stamp.len() == 10 && stamp.bytes().all(|c| c.is_ascii_digit());
    let seconds = stamp.parse::<u64>().ok().filter(|_| digits);
    seconds.map(|seconds| Timestamp::from_millis(seconds * 1000)).ok_or_else(|| {
        Error::input(codes::WEBHOOK_TIMESTAMP, "the timestamp is no number of 10 digits")
    })
}

fn read(kind: &str, body: &Map<String, Value>) -> Option<RemoteUpdate> {
    let outputs = match kind {
        "" | "upload" => vec![file(body)],
        "eager" => list(body.get("eager")).iter().filter_map(Value::as_object).map(file).collect(),
        "sprite" => sprite(body),
        "multi" | "explode" => {
            Some(file(body)).filter(|output| output.url.is_some()).into_iter().collect()
        }
        _ => return None,
    };
    let id = job_id(body.get("batch_id")).or_else(|| job_id(body.get("public_id")))?;
    let error = error(body);
    let state = match body.get("status").and_then(Value::as_str) {
        _ if error.is_some() => RemoteState::Failed,
        Some("failed") => RemoteState::Failed,
        Some("processing" | "pending") => RemoteState::Processing,
        _ => RemoteState::Finished,
    };
    let mut update = RemoteUpdate::new(PROVIDER, id, state);
    (update.outputs, update.error) = (outputs, error);
    update.pass_through = body.get("context").cloned().unwrap_or_default();
    Some(update)
}

fn file(said: &Map<String, Value>) -> RemoteOutput {
    let error = error(said);
    let state = match said.get("status").and_then(Value::as_str) {
        _ if error.is_some() => RemoteState::Failed,
        Some("failed") => RemoteState::Failed,
        Some("processing" | "pending") => RemoteState::Processing,
        _ => RemoteState::Finished,
    };
    let mut output = RemoteOutput::new(state);
    output.id = text(said.get("public_id"));
    output.label = text(said.get("transformation"));
    output.url = text(said.get("secure_url")).or_else(|| text(said.get("url")));
    output.format = text(said.get("format"));
    output.width = pixels(said.get("width"));
    output.height = pixels(said.get("height"));
    output.bytes = whole(said.get("bytes"));
    output.duration_ms = millis(said.get("duration"));
    output.md5 = md5(said.get("etag"));
    output.error = error;
    output
}

fn sprite(said: &Map<String, Value>) -> Vec<RemoteOutput> {
    let parts = [
        ("image", ["secure_image_url", "image_url"]),
        ("css", ["secure_css_url", "css_url"]),
        ("json", ["secure_json_url", "json_url"]),
    ];
    let part = |(label, names): (&str, [&str; 2])| {
        let mut output = RemoteOutput::new(RemoteState::Finished);
        output.url = Some(names.iter().find_map(|name| text(said.get(*name)))?);
        output.label = Some(label.to_owned());
        Some(output)
    };
    parts.into_iter().filter_map(part).collect()
}

/// `{"error": {"message"}}`, or `{"status": "failed", "reason"}`.
fn error(said: &Map<String, Value>) -> Option<RemoteError> {
    let message = match said.get("error") {
        Some(Value::Object(error)) => text(error.get("message")),
        other => text(other),
    };
    RemoteError::new("", message.or_else(|| text(said.get("reason"))).unwrap_or_default())
}

impl Notification for CloudinaryNotification {
    fn update(&self) -> Option<&RemoteUpdate> {
        self.update.as_ref()
    }
}

#[async_trait]
impl Receiver for Cloudinary {
    type Message = CloudinaryNotification;

    async fn receive(&self, call: &Call<'_>) -> Result<Verified<Self>> {
        self.verify(call)
    }
}
