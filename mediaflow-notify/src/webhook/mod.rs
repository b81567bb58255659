//! Webhooks: an event as a signed POST.
//!
//! The signature is that of [Standard Webhooks](https://www.standardwebhooks.com), for which receivers find a library
//! in most languages; the `webhook-id` is the same in every attempt, so that a receiver can drop repetitions. With
//! [`Webhook::cloudinary`] the payload and the signature are Cloudinary's instead, for receivers that exist already.
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
//! What the receiver answers decides what follows:
//!
//! | answer | outcome |
//! |---|---|
//! | 2xx | arrived |
//! | 401, 403 | `Auth`: a person has to look |
//! | 408, 5xx, no connection | `Retryable`, not before what `Retry-After` asks for |
//! | 429, 502, 504 | `Throttled`, not before what `Retry-After` asks for |
//! | 410 | `Gone` |
//! | 3xx, other 4xx, `webhook-delivery: abort-message`, a forbidden address | `Rejected` |
//! | no answer after the request was sent | `Ambiguous` |

mod body;
pub mod cloudinary;
mod outcome;
pub mod standard;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::event::EventData;
use mediaflow_core::http::{GuardedClient, GuardedClientBuilder};
use mediaflow_core::notify::{DeliveryContext, IntoNotifier, Receipt};
use mediaflow_core::{Error, Event, EventKind, Notifier, NotifyError, Result, async_trait};

use cloudinary::{Algorithm, PublicUrls};

/// Configures a webhook. Mistakes are kept and reported by [`build`](Webhook::build), which the engine's builder calls.
#[must_use]
pub struct Webhook {
    name: String,
    url: Option<String>,
    on: Option<Vec<EventKind>>,
    standard: Option<standard::Signer>,
    cloudinary: Option<cloudinary::Signer>,
    public_urls: PublicUrls,
    client: GuardedClientBuilder,
    mistake: Option<Error>,
}

/// Posts events to one address, or to those that jobs name. Made by [`Webhook::build`].
pub struct WebhookNotifier {
    name: String,
    url: Option<String>,
    on: Option<Vec<EventKind>>,
    dialect: Dialect,
    client: GuardedClient,
}

#[derive(Debug)]
enum Dialect {
    Standard(standard::Signer),
    Cloudinary(cloudinary::Signer, PublicUrls),
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
            cloudinary: None,
            public_urls: PublicUrls::default(),
            client: GuardedClient::builder(),
            mistake: None,
        }
    }

    /// The name of the channel, which jobs use. Default `webhook`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Signs with this secret: 24 to 64 random bytes in base64, with or without `whsec_` before.
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

    /// Speaks Cloudinary's dialect, signed with this API secret and SHA-1, which its receivers expect by default.
    pub fn cloudinary(self, api_secret: &str) -> Self {
        self.cloudinary_with(api_secret, Algorithm::Sha1)
    }

    /// Speaks Cloudinary's dialect, signed with this API secret and SHA-256.
    pub fn cloudinary_sha256(self, api_secret: &str) -> Self {
        self.cloudinary_with(api_secret, Algorithm::Sha256)
    }

    fn cloudinary_with(mut self, api_secret: &str, algorithm: Algorithm) -> Self {
        match cloudinary::Signer::new(api_secret, algorithm) {
            Ok(signer) => self.cloudinary = Some(signer),
            Err(mistake) => self.note(mistake),
        }
        self
    }

    /// Where the files of a storage can be had from: `.public_url("public", "https://cdn.example/media")`. The
    /// Cloudinary dialect tells `url` and `secure_url` of outputs in such storages, and leaves them out of others.
    pub fn public_url(mut self, storage: impl Into<String>, base: &str) -> Self {
        if let Err(mistake) = self.public_urls.add(storage.into(), base) {
            self.note(mistake);
        }
        self
    }

    /// Only these kinds of events. Default: all that end a job or batch; in the Cloudinary dialect, jobs that belong to
    /// a batch are then told by the batch.
    pub fn on(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.on = Some(kinds.into_iter().collect());
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
    /// The first mistake: `webhook.secret`, `webhook.unsigned`, `webhook.dialect`, `webhook.public_url`, `http.allow`;
    /// and what is wrong with the URL: `http.url`, `http.scheme`, `http.forbidden_address`.
    pub fn build(mut self) -> Result<WebhookNotifier> {
        self.finish().map_err(|mistake| mistake.with("channel", &self.name))
    }

    fn finish(&mut self) -> Result<WebhookNotifier> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        let dialect = match (self.standard.take(), self.cloudinary.take()) {
            (Some(signer), None) => Dialect::Standard(signer),
            (None, Some(signer)) => {
                Dialect::Cloudinary(signer, std::mem::take(&mut self.public_urls))
            }
            (None, None) => {
                return Err(Error::input("webhook.unsigned", "a webhook needs a secret")
                    .help("call `sign` with 24 to 64 random bytes in base64, and give them to the receiver"));
            }
            (Some(_), Some(_)) => {
                return Err(Error::input("webhook.dialect", "a webhook speaks one dialect").help(
                    "call either `sign` or `cloudinary`, and add a second webhook for the other",
                ));
            }
        };
        if let (Dialect::Cloudinary(..), Some(kinds)) = (&dialect, &self.on)
            && let Some(kind) = kinds.iter().find(|kind| !cloudinary::has_word_for(**kind))
        {
            return Err(Error::input(
                "webhook.dialect",
                format!("Cloudinary has no notification for `{kind}`"),
            )
            .help("leave it out of `on`, or use `sign`"));
        }
        let client = std::mem::replace(&mut self.client, GuardedClient::builder()).build()?;
        if let Some(url) = &self.url {
            client.check(url)?;
        }
        Ok(WebhookNotifier {
            name: self.name.clone(),
            url: self.url.clone(),
            on: self.on.take(),
            dialect,
            client,
        })
    }

    fn note(&mut self, mistake: Error) {
        self.mistake.get_or_insert(mistake);
    }
}

impl IntoNotifier for Webhook {
    fn into_notifier(self) -> Result<Arc<dyn Notifier>> {
        Ok(Arc::new(self.build()?))
    }
}

#[async_trait]
impl Notifier for WebhookNotifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn wants(&self, event: &Event) -> bool {
        // What this very channel could not deliver, it can not deliver either.
        let about_itself =
            matches!(&event.data, EventData::Delivery { channel, .. } if *channel == self.name);
        let addressed =
            || event.notify.iter().any(|target| target.channel == self.name && target.to.is_some());
        !about_itself && self.tells_of(event) && (self.url.is_some() || addressed())
    }

    fn check_address(&self, to: &str) -> Result<()> {
        self.client.check(to).map_err(|error| error.with("channel", &self.name))
    }

    async fn notify(&self, event: &Event, cx: &DeliveryContext) -> Result<Receipt, NotifyError> {
        let Some(url) = cx.to.as_deref().or(self.url.as_deref()) else {
            return Err(NotifyError::rejected(
                "the job names no address, and the webhook has none of its own",
            ));
        };
        let (id, timestamp) = (cx.delivery.to_string(), cx.now.seconds());
        let stamp = timestamp.to_string();
        let answer = match &self.dialect {
            Dialect::Standard(signer) => {
                let body = body::standard(event);
                let signature = signer.sign(&id, timestamp, &body);
                let headers = [
                    ("content-type", "application/json"),
                    (standard::ID, &id),
                    (standard::TIMESTAMP, &stamp),
                    (standard::SIGNATURE, &signature),
                ];
                self.client.post(url, &headers, body).await
            }
            Dialect::Cloudinary(signer, urls) => {
                let body = cloudinary::payload(event, urls);
                let signature = signer.sign(&body, timestamp);
                let headers = [
                    ("content-type", "application/json"),
                    ("idempotency-key", &id),
                    (cloudinary::TIMESTAMP, &stamp),
                    (cloudinary::SIGNATURE, &signature),
                ];
                self.client.post(url, &headers, body).await
            }
        };
        if let Ok(response) = &answer {
            cx.answered(response.status, &response.body);
        }
        outcome::of(answer)
    }
}

impl WebhookNotifier {
    fn tells_of(&self, event: &Event) -> bool {
        match (&self.on, &self.dialect) {
            (Some(kinds), _) => kinds.contains(&event.kind),
            (None, Dialect::Standard(_)) => event.kind.is_terminal(),
            (None, Dialect::Cloudinary(..)) => {
                event.kind.is_terminal()
                    && (event.batch.is_none() || event.kind == EventKind::BatchCompleted)
            }
        }
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

impl fmt::Debug for WebhookNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may carry a token, the dialect hides its secrets itself.
        let mut debug = f.debug_struct("WebhookNotifier");
        debug
            .field("name", &self.name)
            .field("on", &self.on)
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}
