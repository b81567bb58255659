//! Web Push: notifications of browsers, without a vendor between: each browser names a push service, which gets what only that
//! browser can read.
//!
//! A host has one pair of keys. Its page subscribes with the public one, and gives the subscription to the host; a job names it:
//!
//! ```
//! use mediaflow_core::Notifier;
//! use mediaflow_core::event::Audience;
//! use mediaflow_core::spec::JobOptions;
//! use mediaflow_notify::WebPush;
//!
//! // Of any tool for VAPID: 32 bytes in base64url. Or the text of the file of `openssl ecparam -name prime256v1 -genkey -noout`.
//! let key = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
//! let push = WebPush::vapid(key, "mailto:ops@app.example").audience(Audience::Owner).build()?;
//!
//! // `JSON.stringify(subscription)` of the page.
//! let subscription = r#"{ "endpoint": "https://push.example/send/secret", "keys": {
//!     "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
//!     "auth": "BTBZMqHH6r4Tts7J_aSIgg" } }"#;
//! assert_eq!(push.address(subscription)?.origin(), "https://push.example:443");
//! let options = JobOptions::new().owner("ada").notify("web-push", subscription);
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! # Addresses
//!
//! The subscription as the browser gives it, as JSON: `endpoint`, and `keys` with `p256dh` and `auth`. As one line:
//! `vapid://ops@app.example?keyfile=/etc/media/vapid.pem`, of whom to reach and the private key, with `to` if there is a subscription of
//! the host's own.
//!
//! # Messages
//!
//! JSON, encrypted for one browser ([RFC 8291](https://www.rfc-editor.org/rfc/rfc8291)), with the identity of the sender
//! ([RFC 8292](https://www.rfc-editor.org/rfc/rfc8292), VAPID). The page's service worker gets it and shows it; `tag`, the job's id,
//! lets a later notification take the place of an earlier one. Failures have the urgency `high`, everything else `normal`.
//!
//! ```json
//! { "title": "cat.jpg could not be processed", "body": "the image ends too early",
//!   "tag": "0199c8f0-0000-7000-8000-000000000001", "url": "https://app.example/media/7" }
//! ```
//!
//! ```js
//! self.addEventListener("push", (event) => {
//!   const { title, body, tag, url, image } = event.data.json();
//!   event.waitUntil(self.registration.showNotification(title, { body, tag, image, data: { url } }));
//! });
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | title | 120 characters |
//! | text | 1,000 characters; 300, 100 or none if the message would be too large |
//! | link, picture | URLs of less than 800 bytes, or they are left out |
//! | the whole message | 3,000 bytes before it is encrypted: every push service takes 4,096 afterwards |
//! | time | 24 hours from the event; a push service keeps it for a browser that is away for 24 hours more |
//! | rate | none of its own; 429 is waited for |
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | 201, any 2xx | arrived at the push service |
//! | 400 | `Rejected` |
//! | 404, 410 | `Gone`: the browser has no such subscription any more |
//! | 413 | `TooLarge` |
//! | all others | as on [every channel](crate::channel#answers) |
//!
//! A push service knows no message again; a browser can, by its `tag`.
//!
//! # Secrets
//!
//! The private key stays in the process: it signs a token of 12 hours for one push service, which is sent in `Authorization`. The
//! subscription is a secret as a whole: whoever has it can encrypt for the browser, and its endpoint is where to. It is shown as the
//! push service's origin.
//!
//! # Documentation
//!
//! The standards: [RFC 8030](https://www.rfc-editor.org/rfc/rfc8030), [RFC 8291](https://www.rfc-editor.org/rfc/rfc8291),
//! [RFC 8292](https://www.rfc-editor.org/rfc/rfc8292); for pages, the
//! [Push API](https://developer.mozilla.org/en-US/docs/Web/API/Push_API) of the web.
//!
//! Uses: channel, digest, payload.

mod encrypt;
mod vapid;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mediaflow_core::event::Severity;
use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{Address, Credentials, HttpOutcomes, Outcome, Receipt, Terms};
use mediaflow_core::{Error, NotifyError, Result, async_trait, codes};
use serde::Deserialize;
use serde_json::json;

use crate::channel::{Channel, ChannelBuilder, Sending, Token, cut, url_address};
use encrypt::Receiver;
use vapid::Identity;

/// Web Push. See the [module](self).
#[derive(Clone, Debug)]
pub struct WebPush {
    key: Token,
    subject: String,
}

/// How long a push service keeps a message for a device that is not there.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// The bytes of a message before it is encrypted: what every push service takes is 4,096 afterwards.
const BYTES: usize = 3000;

impl WebPush {
    /// As the sender with this private key (32 bytes in base64url, or the text of a PEM file), who can be reached at `mailto:` or `https:`; to subscriptions that jobs name.
    pub fn vapid(
        private_key: impl Into<String>,
        contact: impl Into<String>,
    ) -> ChannelBuilder<Self> {
        let channel = Self { key: Token::new(private_key), subject: contact.into() };
        ChannelBuilder::new(channel, None)
    }
}

#[async_trait]
impl Channel for WebPush {
    const NAME: &'static str = "web-push";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.time_to_live = Some(KEPT);
        // Every subscription is bound to the key with which its page has asked for it, and that may be an older one.
        terms.credentials = Some(Credentials::Address);
        terms
    }

    fn check(&self) -> Result<()> {
        if !self.subject.starts_with("mailto:") && !self.subject.starts_with("https://") {
            return Err(Error::input(codes::PUSH_KEY, "a sender of Web Push can be reached")
                .help("write `mailto:ops@app.example` or an `https://` address"));
        }
        Identity::new(self.key.reveal()).map(drop)
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        let subscription = Subscription::read(text)?;
        let endpoint = url_address(client, &subscription.endpoint)?;
        Ok(Address::at(endpoint.origin(), text))
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let refused = |error: Error| NotifyError::rejected(error.to_string());
        let subscription = Subscription::read(sending.to()).map_err(refused)?;
        let identity = Identity::new(self.key.reveal()).map_err(refused)?;
        let receiver = subscription.receiver().map_err(refused)?;
        let body = receiver.encrypt(&payload(sending)).map_err(refused)?;
        let now = sending.context().now;
        let authorization = identity.authorization(&subscription.endpoint, &self.subject, now);
        let authorization = authorization.map_err(refused)?;
        let urgent = sending.message().event().severity >= Severity::Error;
        let ttl = KEPT.as_secs().to_string();
        let headers = [
            ("content-type", "application/octet-stream"),
            ("content-encoding", "aes128gcm"),
            ("ttl", ttl.as_str()),
            ("urgency", if urgent { "high" } else { "normal" }),
            ("authorization", authorization.as_str()),
        ];
        let answer = sending.post(&subscription.endpoint, &headers, body).await?;
        let outcomes = HttpOutcomes::new()
            .except(400, Outcome::Rejected)
            .except(404, Outcome::Gone)
            .except(413, Outcome::TooLarge);
        answer.by_status(&outcomes)
    }
}

/// What the page's service worker gets.
fn payload(sending: &Sending<'_>) -> Vec<u8> {
    let notice = sending.notice();
    let message = sending.message();
    let tag = message.event().job.map_or_else(|| message.id.to_string(), |job| job.to_string());
    let text = notice.text.iter().chain(&notice.items).cloned().collect::<Vec<_>>().join("\n");
    let body = |longest: usize| {
        let mut body = json!({
            "title": cut(&notice.title, 120), "body": cut(&text, longest), "tag": tag,
        });
        if let Some(link) = notice.link.as_ref().filter(|link| link.url.len() < 800) {
            body["url"] = link.url.as_str().into();
        }
        if let Some(picture) = notice.picture.as_ref().filter(|picture| picture.url.len() < 800) {
            body["image"] = picture.url.as_str().into();
        }
        body.to_string().into_bytes()
    };
    let bodies = [1000, 300, 100, 0].map(body);
    let fits = bodies.iter().position(|body| body.len() <= BYTES);
    let [.., last] = &bodies;
    fits.map_or_else(|| last.clone(), |place| bodies[place].clone())
}

#[derive(Deserialize)]
struct Subscription {
    endpoint: String,
    keys: Keys,
}

#[derive(Deserialize)]
struct Keys {
    p256dh: String,
    auth: String,
}

impl Subscription {
    fn read(text: &str) -> Result<Self> {
        let read: Option<Self> = serde_json::from_str(text).ok();
        let read = read.filter(|subscription| subscription.receiver().is_ok());
        read.ok_or_else(|| {
            Error::input(codes::CHANNEL_ADDRESS, "this is no subscription of a browser")
                .help("store `JSON.stringify(subscription)` of the page, and name that")
        })
    }

    fn receiver(&self) -> Result<Receiver> {
        let wrong =
            || Error::input(codes::CHANNEL_ADDRESS, "the keys of a subscription are not right");
        // Some browsers pad, and some do not.
        let decoded =
            |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| wrong());
        let public = decoded(&self.keys.p256dh)?.try_into().map_err(|_| wrong())?;
        let auth = decoded(&self.keys.auth)?.try_into().map_err(|_| wrong())?;
        Ok(Receiver { public, auth })
    }
}
