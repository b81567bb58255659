//! Web Push: notifications of browsers, [RFC 8030](https://www.rfc-editor.org/rfc/rfc8030), encrypted
//! ([RFC 8291](https://www.rfc-editor.org/rfc/rfc8291)) and with the sender's identity
//! ([RFC 8292](https://www.rfc-editor.org/rfc/rfc8292), VAPID).
//!
//! ```
//! use mediaflow_notify::WebPush;
//!
//! // Of `openssl ecparam -name prime256v1 -genkey`, or of any tool for VAPID: 32 bytes in base64url.
//! let key = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
//! let push = WebPush::vapid(key, "mailto:ops@app.example").build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! An address is the subscription as the browser gives it: `{"endpoint":"https://..","keys":{"p256dh":"..","auth":".."}}`. What the
//! page's service worker gets is JSON: `title`, `body`, `tag` (the job's id, so that a later one takes the place of an
//! earlier), `url` and `image`.
//!
//! Uses: channel, payload.

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
    /// As the sender with this private key, who can be reached at `mailto:` or `https:`; to subscriptions that jobs name.
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
