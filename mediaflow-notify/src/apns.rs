//! Apple Push Notification service: notifications of iPhones, iPads, Macs and watches, with a token of the provider's own.
//!
//! A host has a key of its developer's account, and the app on each device gives the host the token of the device, which a job names:
//!
//! ```no_run
//! use mediaflow_core::EventKind::{JobCompleted, JobFailed};
//! use mediaflow_core::Mediaflow;
//! use mediaflow_core::event::Audience;
//! use mediaflow_core::spec::JobOptions;
//! use mediaflow_notify::Apns;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mediaflow_core::Result<()> {
//! let key = std::fs::read_to_string("AuthKey_ABC123DEFG.p8").unwrap_or_default();
//! let push = Apns::key(key, "ABC123DEFG", "DEF123GHIJ", "com.example.media")
//!     .on([JobCompleted, JobFailed])
//!     .audience(Audience::Owner);
//! let media = Mediaflow::builder().notify(push).start().await?;
//! // Of each job that the owner of this device asks for:
//! let options = JobOptions::new().owner("ada").notify("apns", "0f".repeat(32));
//! # let _ = (media, options);
//! # Ok(()) }
//! ```
//!
//! A file that is none is found when the channel is built:
//!
//! ```
//! use mediaflow_notify::Apns;
//!
//! let mistake = Apns::key("", "ABC123DEFG", "DEF123GHIJ", "com.example.media").build().unwrap_err();
//! assert_eq!(mistake.code(), "push.key");
//! ```
//!
//! # Addresses
//!
//! The token of a device, in hexadecimal, as the app gets it. Devices on which the app runs that was built for development are at
//! another place: [`development`](ChannelBuilder::development). As one line:
//! `apns://team/key-id/com.example.media/device?keyfile=/etc/media/AuthKey.p8`, or without the device, which jobs name then, and with
//! `development=true`.
//!
//! # Messages
//!
//! An alert, and values for the app beside it, with `id` to know a message again. Failures have priority 10 and a sound, everything else
//! priority 5. The picture is for an extension of the app, which loads it. A later message of a job takes the place of an earlier one
//! (`apns-collapse-id`). Apple speaks HTTP/2 only.
//!
//! ```json
//! { "aps": { "alert": { "title": "cat.jpg could not be processed", "body": "the image ends too early" },
//!            "sound": "default", "thread-id": "0199c8f0-0000-7000-8000-000000000001" },
//!   "id": "0199c8f0-0000-7000-8000-000000000002", "type": "job.failed",
//!   "job": "0199c8f0-0000-7000-8000-000000000001", "url": "https://app.example/media/7" }
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | title | 120 characters |
//! | text | 1,000 characters; 300, 100 or none if the message would be too large |
//! | link, picture | URLs of less than 800 bytes, or they are left out |
//! | the whole message | 4,096 bytes |
//! | time | Apple keeps it for a device that is away for 24 hours |
//! | rate | none of its own; 429 is waited for |
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | 200 | arrived at Apple, with the `apns-id` |
//! | `BadDeviceToken`, `DeviceTokenNotForTopic`, `ExpiredToken`, `Unregistered` | `Gone` |
//! | `ExpiredProviderToken` | `Auth`; the next attempt makes a new token, if the old one is 20 minutes old |
//! | `InvalidProviderToken`, `MissingProviderToken`, `Forbidden`, `BadTopic`, `MissingTopic`, `TopicDisallowed`, `BadCertificate`, `BadCertificateEnvironment`, `BadEnvironmentKeyIdInToken`, `UnrelatedKeyIdInToken` | `Auth` |
//! | `TooManyRequests`, `TooManyProviderTokenUpdates` | `Throttled` |
//! | `PayloadTooLarge`, 413 | `TooLarge` |
//! | `BadCollapseId`, `BadExpirationDate`, `BadMessageId`, `BadPath`, `BadPriority`, `DuplicateHeaders`, `InvalidPushType`, `MethodNotAllowed`, `MissingDeviceToken`, `PayloadEmpty` | `Rejected` |
//! | `IdleTimeout`, `InternalServerError`, `ServiceUnavailable`, `Shutdown` | `Retryable` |
//! | all others | as on [every channel](crate::channel#answers) |
//!
//! `apns-id` is the message's id, by which Apple names it and drops nothing; what a device shows of a job is its latest message, so that
//! one that is sent twice is there once.
//!
//! # Secrets
//!
//! The key stays in the process: it signs a token, which is used for 40 minutes and is sent to Apple in `Authorization`. The token of a
//! device is a part of the URL that is asked.
//!
//! # Documentation
//!
//! Apple's own: [sending](https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns),
//! [tokens](https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns),
//! [answers](https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mediaflow_core::event::Severity;
use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{Address, Credentials, HttpOutcomes, Outcome, Receipt, Terms};
use mediaflow_core::{Error, NotifyError, Result, Timestamp, async_trait, codes};
use serde_json::{Value, json};

use crate::channel::{Channel, ChannelBuilder, Endpoint, Sending, Token, cut, name_address, named};

/// Apple Push Notification service. See the [module](self).
#[derive(Clone, Debug)]
pub struct Apns {
    key: Token,
    key_id: String,
    team_id: String,
    topic: String,
    endpoint: Endpoint,
    held: Arc<Mutex<Option<Provider>>>,
}

/// The token of the provider, and when it was made.
#[derive(Clone, Debug)]
struct Provider {
    token: Token,
    made: Timestamp,
}

/// How long a token is used: Apple takes it for an hour, and no other within twenty minutes.
const USED: Duration = Duration::from_secs(40 * 60);
const LEAST: Duration = Duration::from_secs(20 * 60);

/// How long Apple keeps a message for a device that is not there.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// The bytes that a message may have.
const BYTES: usize = 4096;

impl Apns {
    /// With the key in this text, a file `.p8` of Apple's, by its id and that of the team; to the app with this bundle id, on
    /// devices that jobs name, or on [`to`](ChannelBuilder::to).
    pub fn key(
        p8: impl Into<String>,
        key_id: impl Into<String>,
        team_id: impl Into<String>,
        topic: impl Into<String>,
    ) -> ChannelBuilder<Self> {
        let channel = Self {
            key: Token::new(p8),
            key_id: key_id.into(),
            team_id: team_id.into(),
            topic: topic.into(),
            endpoint: Endpoint::new("https://api.push.apple.com"),
            held: Arc::default(),
        };
        let mut builder = ChannelBuilder::new(channel, None);
        builder.client = builder.client.http2();
        builder
    }

    fn pair(&self) -> Result<EcdsaKeyPair> {
        let wrong = || {
            Error::input(codes::PUSH_KEY, "this is no key of Apple's")
                .help("give the whole text of the file `AuthKey_<id>.p8`, which the developer's account has under Keys")
        };
        let lines = self.key.reveal().lines().filter(|line| !line.starts_with("-----"));
        let key = STANDARD.decode(lines.map(str::trim).collect::<String>()).map_err(|_| wrong())?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key).map_err(|_| wrong())
    }

    /// The token of the provider: the one that is at hand, or a new one.
    fn provider(&self, now: Timestamp) -> Result<Token> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(provider) = held.as_ref().filter(|held| now.since(held.made) < USED) {
            return Ok(provider.token.clone());
        }
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = json!({ "alg": "ES256", "kid": self.key_id });
        let claims = json!({ "iss": self.team_id, "iat": now.seconds() });
        let text = format!("{}.{}", part(head), part(claims));
        let signature = self.pair()?.sign(&SystemRandom::new(), text.as_bytes());
        let signature =
            signature.map_err(|_| Error::internal(codes::PUSH_KEY, "nothing could be signed"))?;
        let token = Token::new(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)));
        *held = Some(Provider { token: token.clone(), made: now });
        Ok(token)
    }

    /// Apple says that the token is too old: the next attempt makes another, unless Apple would refuse that as well.
    fn forget(&self, now: Timestamp) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.take_if(|provider| now.since(provider.made) >= LEAST);
    }
}

impl ChannelBuilder<Apns> {
    /// To devices on which the app runs that was built for development.
    pub fn development(self) -> Self {
        self.endpoint("https://api.sandbox.push.apple.com")
    }

    /// Where the service is, for a proxy of the host's that speaks HTTP/2. Default `https://api.push.apple.com`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.channel.endpoint = Endpoint::new(url);
        self
    }
}

#[async_trait]
impl Channel for Apns {
    const NAME: &'static str = "apns";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.credentials = Some(Credentials::Host);
        terms
    }

    fn check(&self) -> Result<()> {
        self.endpoint.check()?;
        let is_id = |id: &str| id.len() == 10 && id.bytes().all(|c| c.is_ascii_alphanumeric());
        if !is_id(&self.key_id) || !is_id(&self.team_id) {
            return Err(Error::input(
                codes::PUSH_KEY,
                "the ids of a key and of a team are 10 letters and digits",
            )
            .help("both stand in the developer's account: under Keys, and under Membership"));
        }
        let in_topic = |c: u8| c.is_ascii_alphanumeric() || b"-.".contains(&c);
        if self.topic.is_empty() || !self.topic.bytes().all(in_topic) {
            return Err(Error::input(codes::PUSH_KEY, "the topic is the bundle id of the app")
                .help("write `com.example.media`"));
        }
        self.pair().map(drop)
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        let address = name_address(client, self.endpoint.url(), text)?;
        if text.bytes().all(|c| c.is_ascii_hexdigit()) {
            Ok(address)
        } else {
            Err(Error::input(
                codes::CHANNEL_ADDRESS,
                "a device is named by its token in hexadecimal",
            )
            .help("in the app: `deviceToken.map { String(format: \"%02x\", $0) }.joined()`"))
        }
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let (message, now) = (sending.message(), sending.context().now);
        let event = message.event();
        let body = payload(sending)?;
        let provider = self.provider(now).map_err(|e| NotifyError::rejected(e.to_string()))?;
        let authorization = format!("bearer {}", provider.reveal());
        let (id, until) = (message.id.to_string(), now.plus(KEPT).seconds().to_string());
        let job = event.job.map(|job| job.to_string());
        let mut headers = vec![
            ("content-type", "application/json"),
            ("authorization", authorization.as_str()),
            ("apns-id", id.as_str()),
            ("apns-topic", self.topic.as_str()),
            ("apns-push-type", "alert"),
            ("apns-priority", if event.severity >= Severity::Error { "10" } else { "5" }),
            ("apns-expiration", until.as_str()),
        ];
        headers.extend(job.as_deref().map(|job| ("apns-collapse-id", job)));
        let url = format!("{}/3/device/{}", self.endpoint.url(), sending.to());
        let answer = sending.post(&url, &headers, body).await?;
        let said = answer.json().unwrap_or_default();
        let reason = said["reason"].as_str().unwrap_or_default();
        if reason == "ExpiredProviderToken" {
            self.forget(now);
        }
        let status = answer.response.status;
        let id = answer.response.header("apns-id").unwrap_or(&id).to_owned();
        if (200..300).contains(&status) || reason.is_empty() {
            let outcomes = HttpOutcomes::new().except(413, Outcome::TooLarge);
            return answer.by_status(&outcomes).map(|receipt| named(receipt, Some(id)));
        }
        answer.by_word(WORDS, reason)
    }
}

/// What Apple's reasons mean. Others mean what their status does.
const WORDS: &[(&str, Outcome)] = &[
    ("BadDeviceToken", Outcome::Gone),
    ("DeviceTokenNotForTopic", Outcome::Gone),
    ("ExpiredToken", Outcome::Gone),
    ("Unregistered", Outcome::Gone),
    ("BadCertificate", Outcome::Auth),
    ("BadCertificateEnvironment", Outcome::Auth),
    ("BadEnvironmentKeyIdInToken", Outcome::Auth),
    ("ExpiredProviderToken", Outcome::Auth),
    ("Forbidden", Outcome::Auth),
    ("InvalidProviderToken", Outcome::Auth),
    ("MissingProviderToken", Outcome::Auth),
    ("UnrelatedKeyIdInToken", Outcome::Auth),
    // The app is not the one that the key is for: that is the host's to put right as well.
    ("BadTopic", Outcome::Auth),
    ("MissingTopic", Outcome::Auth),
    ("TopicDisallowed", Outcome::Auth),
    ("TooManyProviderTokenUpdates", Outcome::Throttled),
    ("TooManyRequests", Outcome::Throttled),
    ("PayloadTooLarge", Outcome::TooLarge),
    ("BadCollapseId", Outcome::Rejected),
    ("BadExpirationDate", Outcome::Rejected),
    ("BadMessageId", Outcome::Rejected),
    ("BadPath", Outcome::Rejected),
    ("BadPriority", Outcome::Rejected),
    ("DuplicateHeaders", Outcome::Rejected),
    ("InvalidPushType", Outcome::Rejected),
    ("MethodNotAllowed", Outcome::Rejected),
    ("MissingDeviceToken", Outcome::Rejected),
    ("PayloadEmpty", Outcome::Rejected),
    ("IdleTimeout", Outcome::Retryable),
    ("InternalServerError", Outcome::Retryable),
    ("ServiceUnavailable", Outcome::Retryable),
    ("Shutdown", Outcome::Retryable),
];

/// What the device is told. It shows texts as they are; a picture is for an extension of the app, which loads it.
fn payload(sending: &Sending<'_>) -> Result<Vec<u8>, NotifyError> {
    let (notice, message) = (sending.notice(), sending.message());
    let event = message.event();
    let urgent = event.severity >= Severity::Error;
    let text = notice.text.iter().chain(&notice.items).cloned().collect::<Vec<_>>().join("\n");
    let body = |longest: usize| {
        let alert = json!({ "title": cut(&notice.title, 120), "body": cut(&text, longest) });
        let mut aps = json!({ "alert": alert });
        if urgent {
            aps["sound"] = "default".into();
        }
        let mut body = json!({ "id": message.id.to_string(), "type": event.kind.as_str() });
        if let Some(job) = event.job {
            aps["thread-id"] = job.to_string().into();
            body["job"] = job.to_string().into();
        }
        if let Some(link) = notice.link.as_ref().filter(|link| link.url.len() < 800) {
            body["url"] = link.url.as_str().into();
        }
        if let Some(picture) = notice.picture.as_ref().filter(|picture| picture.url.len() < 800) {
            aps["mutable-content"] = 1.into();
            body["image"] = picture.url.as_str().into();
        }
        body["aps"] = aps;
        body.to_string().into_bytes()
    };
    [1000, 300, 100, 0]
        .into_iter()
        .map(body)
        .find(|body| body.len() <= BYTES)
        .ok_or_else(|| NotifyError::too_large("the message has more bytes than Apple takes"))
}
