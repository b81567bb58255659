//! Webhooks: an event as a signed POST, for programs.
//!
//! The signature is that of [Standard Webhooks](https://www.standardwebhooks.com), for which receivers find a library
//! in most languages; the `webhook-id` is the same in every attempt, so that a receiver can drop repetitions. With
//! [`Webhook::cloud_events`], the same data stands in an event of `CloudEvents` 1.0. For receivers that exist already, payload and
//! proof can be those of a [vendor](self#dialects) instead.
//! Requests go through the [guarded client](mediaflow_core::http): no private addresses, no redirects, no proxies.
//!
//! ```
//! use std::time::Duration;
//! use mediaflow_core::EventKind::{JobCompleted, JobFailed};
//! use mediaflow_notify::Webhook;
//!
//! let hook = Webhook::to("https://app.example/hooks/media")
//!     .sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
//!     .on([JobCompleted, JobFailed])
//!     .timeout(Duration::from_secs(20))
//!     .build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! # Addresses
//!
//! A URL. A job that names this channel with one of its own is told there instead; [`Webhook::per_job`] has no other. There is no form
//! as one line: a webhook has a secret besides.
//!
//! # Messages
//!
//! Of a failed job:
//!
//! ```json
//! { "type": "job.failed", "timestamp": "2025-10-09T08:53:20.000Z",
//!   "data": { "severity": "error", "audience": "admin", "job": "0199c8f0-0000-7000-8000-000000000001",
//!             "report": { "job": "0199c8f0-0000-7000-8000-000000000001", "state": "failed", "outputs": [], "decodes": 1, "attempts": 1,
//!                         "source": { "name": "uploads/cat.jpg",
//!                                     "info": { "medium": "still", "format": "jpeg", "bytes": 2345678, "width": 4032, "height": 3024,
//!                                               "channels": 3, "alpha": false, "orientation": 1, "frames": 1 } }, "plan": [],
//!                         "failure": { "kind": "input", "code": "image.truncated", "message": "the image ends too early",
//!                                      "facts": [["source", "cat.jpg"]], "help": "upload the whole file" },
//!                         "queued_at": "2025-10-09T08:53:00.000Z", "finished_at": "2025-10-09T08:53:20.000Z" } } }
//! ```
//!
//! ## Bodies
//!
//! A body of Standard Webhooks is `{"type", "timestamp", "data"}`. `data` has `severity`, `audience`, what the caller
//! gave (`job`, `batch`, `owner`, `metadata`, `tags`), and what the event says: `report`, `output`, `progress`, `steps`
//! with `failure`, `delivery`, `disabled` or `unclaimed`. The `report` of a batch has its counts, the first of its jobs
//! (`named`) and of its failures, and in `jobs` the reports of 100 jobs at most, those that failed first if there are
//! more.
//!
//! No body is longer than [`Webhook::max_body`] allows. What is long and least needed is left out first: plans, then
//! warnings and what is known of the source, then all but the beginning of what somebody else wrote, then the ends of
//! lists. What the caller gave is never left out; if it does not fit alone, the message is `TooLarge`. A receiver sees by
//! `truncated` that something is missing, and whom to ask about by `more`, here of a job with 3,000 outputs:
//!
//! ```json
//! { "type": "job.completed", "timestamp": "2026-05-04T10:20:30.000Z",
//!   "data": { "severity": "info", "audience": "owner", "job": "0199c8f0-...", "metadata": { "album": 7 },
//!             "report": { "state": "partial", "outputs": [ "the first 870" ], "outputs_total": 3000,
//!                         "outputs_counts": { "published": 2990, "failed": 10 } },
//!             "truncated": true, "more": { "job": "0199c8f0-..." } } }
//! ```
//!
//! Several events in one message are `{"type": "digest", "timestamp", "data": {"events": [...], "events_total"}}`, each event
//! with its own `id`, `type`, `timestamp` and `data`; no standard has a form for them. Where not all fit, the first ones are
//! there, and `truncated`.
//!
//! ## Dialects
//!
//! | dialect | proves where it comes from by | tells of, unless [`on`](Webhook::on) says otherwise | and if asked for |
//! |---|---|---|---|
//! | [Cloudinary](cloudinary) | a hash of the body, the moment and the secret | jobs and batches that have ended; not of jobs in a batch | outputs that are ready |
//! | [Zencoder](zencoder) | a header with the secret | jobs that have ended | outputs that are ready |
//! | [Tencent](tencent) | a hash of the key and the moment, in the body | jobs that have ended | outputs that are ready |
//!
//! They tell of one event at a time, and repetitions have the same `Idempotency-Key`. What each says is in its module.
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | body | 256 KiB, or what [`Webhook::max_body`] says, at least 8 KiB |
//! | reports of single jobs with a batch | 100 |
//! | rate | none of its own; [`Webhook::timeout`] for one attempt is 15 seconds |
//!
//! # Answers
//!
//! What the receiver answers decides what follows:
//!
//! | answer | outcome |
//! |---|---|
//! | 2xx | arrived |
//! | 410 | `Gone`: nobody is there any more |
//! | 401, 403 | `Auth`: of the host's own URL, everything for it waits, and a probe now and then finds out whether it works again; of one that a job gave, only that one waits |
//! | 429, 502, 504 | `Throttled`, not before what `Retry-After` asks for |
//! | all others, redirects and other 4xx among them: a receiver's own deploy answers so for a while | `Retryable`, not before what `Retry-After` asks for |
//! | any of these but 2xx, with `webhook-delivery: abort-message` | `Rejected` |
//! | no name, no connection | `Retryable` |
//! | no answer after the request was sent | `Ambiguous` |
//! | none, because the address is forbidden | `Rejected` |
//!
//! # Secrets
//!
//! The secret that signs stays in the process; that of Zencoder's dialect is sent, and shows to whoever sees a request. An address is a secret but for its origin (`https://host:443`): path, query and
//! credentials are in no log, no error and no reason. Nor are words of the receiver, which often repeats its own path; they are in the
//! delivery log only, without the parts of the address.
//!
//! # Documentation
//!
//! The formats: [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md),
//! [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md),
//! [notifications of Cloudinary](https://cloudinary.com/documentation/notifications); of Zencoder and Tencent, what their modules say. For receivers in Rust: [`standard::Verifier`], and `mediaflow-remote` for
//! all of these forms.
//!
//! Uses: answer, payload.

pub mod cloudinary;
mod dialect;
mod notifier;
mod outcome;
pub mod tencent;
#[cfg(test)]
mod tests;
mod vendor;
pub mod zencoder;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::http::{GuardedClient, GuardedClientBuilder};
use mediaflow_core::notify::IntoNotifier;
use mediaflow_core::{Error, EventKind, Notifier, Result, codes};

use crate::payload::PublicUrls;
use cloudinary::Algorithm;
use notifier::{Dialect, Form};
use vendor::Vendor;

pub use mediaflow_sign::standard;
pub use notifier::WebhookNotifier;

/// The largest body, unless the host says otherwise.
const MAX_BODY: usize = 256 << 10;
/// What is left when all is cut that can be cut, with room for a few words of the caller's own.
const LEAST_BODY: usize = 8 << 10;

/// Configures a webhook. Mistakes are kept and reported by [`build`](Webhook::build), which the engine's builder calls.
#[must_use]
pub struct Webhook {
    name: String,
    url: Option<String>,
    on: Option<Vec<EventKind>>,
    standard: Option<standard::Signer>,
    form: Form,
    vendor: Option<Vendor>,
    public_urls: PublicUrls,
    max_body: usize,
    client: GuardedClientBuilder,
    mistake: Option<Error>,
}

impl Webhook {
    /// Posts to this URL; a job that names this channel with an address of its own is told there instead.
    pub fn to(url: impl Into<String>) -> Self {
        Self::new(Some(url.into()))
    }

    /// Posts only to the addresses that jobs name for this channel (`JobOptions::notify`): the `notification_url` of
    /// one call.
    pub fn per_job() -> Self {
        Self::new(None)
    }

    fn new(url: Option<String>) -> Self {
        Self {
            name: "webhook".to_owned(),
            url,
            on: None,
            standard: None,
            form: Form::Standard,
            vendor: None,
            public_urls: PublicUrls::default(),
            max_body: MAX_BODY,
            client: GuardedClient::builder(),
            mistake: None,
        }
    }

    /// The name of the channel, which jobs use. Default `webhook`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Signs with this secret: 24 to 64 random bytes in base64, with or without `whsec_` before; or with a private key,
    /// `whsk_`, as [`standard::Signer::new`] takes it.
    pub fn sign(mut self, secret: &str) -> Self {
        let result = match self.standard.take() {
            None => standard::Signer::new(secret),
            Some(signer) => signer.also(secret),
        };
        match result {
            Ok(signer) => self.standard = Some(signer),
            Err(mistake) => self.note(mistake),
        }
        self
    }

    /// Signs with a further secret, so that receivers can change from one to the other.
    pub fn also_sign(self, secret: &str) -> Self {
        self.sign(secret)
    }

    /// Sends [CloudEvents 1.0](https://cloudevents.io) from this source, `https://app.example/media`, all of it in the body;
    /// signed as Standard Webhooks are. Their `type` is `mediaflow.job.failed`, their `subject` the job or batch.
    pub fn cloud_events(mut self, source: impl Into<String>) -> Self {
        self.form = Form::Structured(source.into());
        self
    }

    /// Sends `CloudEvents` with their attributes as headers, and the data as the body.
    pub fn cloud_events_binary(mut self, source: impl Into<String>) -> Self {
        self.form = Form::Binary(source.into());
        self
    }

    /// Speaks Cloudinary's dialect, signed with this API secret and SHA-1, which its receivers expect by default.
    pub fn cloudinary(self, api_secret: &str) -> Self {
        self.cloudinary_with(api_secret, Algorithm::Sha1)
    }

    /// Speaks Cloudinary's dialect, signed with this API secret and SHA-256.
    pub fn cloudinary_sha256(self, api_secret: &str) -> Self {
        self.cloudinary_with(api_secret, Algorithm::Sha256)
    }

    fn cloudinary_with(self, api_secret: &str, algorithm: Algorithm) -> Self {
        self.speak(cloudinary::Signer::new(api_secret, algorithm).map(Vendor::Cloudinary))
    }

    /// Speaks [Zencoder's dialect](zencoder), with this secret in the header `X-Zencoder-Notification-Secret`, by which
    /// receivers know it by custom.
    pub fn zencoder(self, secret: &str) -> Self {
        self.zencoder_with(zencoder::SECRET, secret)
    }

    /// Speaks Zencoder's dialect, with the secret in this header.
    pub fn zencoder_with(self, header: &str, secret: &str) -> Self {
        self.speak(zencoder::Secret::new(header, secret).map(Vendor::Zencoder))
    }

    /// Speaks [Tencent's dialect](tencent), signed with this `SignKey`. The signature is not one of the body.
    pub fn tencent(self, sign_key: &str) -> Self {
        self.speak(tencent::Signer::new(sign_key).map(Vendor::Tencent))
    }

    fn speak(mut self, vendor: Result<Vendor>) -> Self {
        match vendor {
            Ok(vendor) if self.vendor.as_ref().is_none_or(|one| one.name() == vendor.name()) => {
                self.vendor = Some(vendor);
            }
            Ok(_) => self.note(several_dialects()),
            Err(mistake) => self.note(mistake),
        }
        self
    }

    /// Where the files of a storage can be had from: `.public_url("public", "https://cdn.example/media")`. The
    /// [dialects](self#dialects) tell the URLs of outputs in such storages, and none of others.
    pub fn public_url(mut self, storage: impl Into<String>, base: &str) -> Self {
        if let Err(mistake) = self.public_urls.add(storage.into(), base) {
            self.note(mistake);
        }
        self
    }

    /// Only these kinds of events. Default: all that end a job or batch; in a [dialect](self#dialects), what it says of
    /// itself.
    pub fn on(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.on = Some(kinds.into_iter().collect());
        self
    }

    /// How many bytes a body may have, at least 8 KiB. Default 256 KiB. What is left out to keep to it is said
    /// [above](self#bodies).
    pub fn max_body(mut self, bytes: usize) -> Self {
        if bytes < LEAST_BODY {
            let mistake = Error::input(codes::WEBHOOK_MAX_BODY, "a body needs 8 KiB at least");
            self.note(mistake.with("max_body", bytes));
        }
        self.max_body = bytes;
        self
    }

    /// Time for one attempt. Default 15 s.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.client = self.client.timeout(time);
        self
    }

    /// Allows one private `host:port` as an address: `127.0.0.1:9000`.
    pub fn allow_private(mut self, host_and_port: &str) -> Self {
        self.client = self.client.allow_private(host_and_port);
        self
    }

    /// Allows a private network as addresses: `10.0.0.0/8`.
    pub fn allow_private_net(mut self, net: &str) -> Self {
        self.client = self.client.allow_private_net(net);
        self
    }

    /// Makes the notifier.
    ///
    /// # Errors
    /// The first mistake: `webhook.secret`, `webhook.unsigned`, `webhook.dialect`, `webhook.public_url`,
    /// `webhook.max_body`, `http.allow`; and what is wrong with the URL: `http.url`, `http.scheme`, `http.forbidden_address`.
    pub fn build(mut self) -> Result<WebhookNotifier> {
        self.finish().map_err(|mistake| mistake.with("channel", &self.name))
    }

    fn finish(&mut self) -> Result<WebhookNotifier> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        let dialect = match (self.standard.take(), self.vendor.take()) {
            (Some(signer), None) => {
                Dialect::Standard(signer, std::mem::replace(&mut self.form, Form::Standard))
            }
            (None, Some(_)) if !matches!(self.form, Form::Standard) => {
                return Err(Error::input(codes::WEBHOOK_DIALECT, "a webhook speaks one dialect")
                    .help("CloudEvents are signed with `sign`"));
            }
            (None, Some(vendor)) => Dialect::Vendor(vendor, std::mem::take(&mut self.public_urls)),
            (None, None) => {
                return Err(Error::input(codes::WEBHOOK_UNSIGNED, "a webhook needs a secret")
                    .help("call `sign` with 24 to 64 random bytes in base64, and give them to the receiver"));
            }
            (Some(_), Some(_)) => return Err(several_dialects()),
        };
        if let (Dialect::Vendor(vendor, _), Some(kinds)) = (&dialect, &self.on)
            && let Some(kind) = kinds.iter().find(|kind| !vendor.has_word_for(**kind))
        {
            return Err(Error::input(
                codes::WEBHOOK_DIALECT,
                format!("{} has no notification for `{kind}`", vendor.name()),
            )
            .help("leave it out of `on`, or use `sign`"));
        }
        let client = std::mem::replace(&mut self.client, GuardedClient::builder()).build()?;
        let address = self.url.as_deref().map(|url| notifier::address(&client, url)).transpose()?;
        Ok(WebhookNotifier {
            name: self.name.clone(),
            address,
            on: self.on.take(),
            dialect,
            max_body: self.max_body,
            client,
        })
    }

    fn note(&mut self, mistake: Error) {
        self.mistake.get_or_insert(mistake);
    }
}

fn several_dialects() -> Error {
    Error::input(codes::WEBHOOK_DIALECT, "a webhook speaks one dialect").help(
        "call either `sign` or one of the vendors' names, and add a second webhook for the other",
    )
}

impl IntoNotifier for Webhook {
    fn into_notifier(self) -> Result<Arc<dyn Notifier>> {
        Ok(Arc::new(self.build()?))
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("name", &self.name)
            .field("on", &self.on)
            .finish_non_exhaustive()
    }
}
