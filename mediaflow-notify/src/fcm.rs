//! Firebase Cloud Messaging: notifications of Android, iOS and the web, through the HTTP v1 API.
//!
//! A host has the key of a service account, and the app on each device gives the host a registration token, which a job names:
//!
//! ```no_run
//! use mediaflow_core::EventKind::{JobCompleted, JobFailed};
//! use mediaflow_core::Mediaflow;
//! use mediaflow_core::event::Audience;
//! use mediaflow_core::spec::JobOptions;
//! use mediaflow_notify::Fcm;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mediaflow_core::Result<()> {
//! let account = std::fs::read_to_string("service-account.json").unwrap_or_default();
//! let push = Fcm::service_account(account)
//!     .name("push")
//!     .on([JobCompleted, JobFailed])
//!     .audience(Audience::Owner);
//! let media = Mediaflow::builder().notify(push).start().await?;
//! // Of each job that the owner of this device asks for:
//! let options = JobOptions::new().owner("ada").notify("push", "registration-token-of-the-device");
//! # let _ = (media, options);
//! # Ok(()) }
//! ```
//!
//! A file that is none is found when the channel is built:
//!
//! ```
//! use mediaflow_notify::Fcm;
//!
//! let mistake = Fcm::service_account("{}").build().unwrap_err();
//! assert_eq!(mistake.code(), "push.key");
//! ```
//!
//! # Addresses
//!
//! The registration token of a device, or `topic:news` for all devices that have subscribed to a topic. As one line:
//! `fcm://project/device?keyfile=/etc/media/firebase.json`, or without the device, which jobs name then. The project must be that of the
//! service account.
//!
//! # Messages
//!
//! A notification, and `data` for the app: all texts, with `id` to know a message again. Failures have the priority `HIGH` on Android,
//! everything else `NORMAL`.
//!
//! ```json
//! { "message": {
//!     "token": "device",
//!     "notification": { "title": "cat.jpg could not be processed", "body": "the image ends too early" },
//!     "data": { "id": "0199c8f0-0000-7000-8000-000000000002", "type": "job.failed",
//!               "job": "0199c8f0-0000-7000-8000-000000000001", "url": "https://app.example/media/7" },
//!     "android": { "priority": "HIGH" } } }
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | title | 120 characters |
//! | text | 1,000 characters; 300, 100 or none if the message would be too large |
//! | link, picture | URLs of less than 800 bytes, or they are left out |
//! | the whole message | 4,096 bytes, to a topic 2,048 |
//! | rate | none of its own; 429 is waited for |
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | 200 | arrived, with the `name` |
//! | `UNREGISTERED`, `SENDER_ID_MISMATCH`, with 400, 403 or 404 | `Gone`: the device, not the project |
//! | 400 | `Rejected` |
//! | 401 | `Auth`; the next attempt asks for a new token of access |
//! | 401 with `THIRD_PARTY_AUTH_ERROR`: Apple or a browser refuses Firebase | `Auth` at the host's own address, `Retryable` at one that a job gave |
//! | 403 | `Auth` |
//! | 404, as of a project that is not there | `Retryable` |
//! | 400 to the request for a token of access | `Auth` |
//! | all others, also to the request for a token of access | as on [every channel](crate::channel#answers) |
//!
//! Firebase has no key by which it knows a message again; an app can, by `id` in its data.
//!
//! # Secrets
//!
//! The private key of the account stays in the process: it signs a request for a token of access, to the `token_uri` of the account's
//! file. That token is kept in memory until 2 minutes before its end, is sent to Firebase in `Authorization`, and is in no log: the
//! answer that has it is not kept. The registration token of a device is in the body of a message.
//!
//! # Documentation
//!
//! Google's own: [messages](https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages),
//! [errors](https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode),
//! [tokens of access](https://developers.google.com/identity/protocols/oauth2/service-account#httprest),
//! [limits](https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas),
//! [how long a message lives](https://firebase.google.com/docs/cloud-messaging/customize-messages/setting-message-lifespan).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mediaflow_core::event::Severity;
use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{Address, Credentials, HttpOutcomes, Outcome, Receipt, Terms};
use mediaflow_core::{Error, NotifyError, Result, Timestamp, async_trait, codes};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::channel::{Channel, ChannelBuilder, Endpoint, Sending, Token, cut, name_address, named};
use crate::payload::percent_encoded;

/// Firebase Cloud Messaging. See the [module](self).
#[derive(Clone, Debug)]
pub struct Fcm {
    account: Token,
    endpoint: Endpoint,
    access: Arc<Mutex<Option<Access>>>,
}

/// A token of access, and until when it is used.
#[derive(Clone, Debug)]
struct Access {
    token: Token,
    until: Timestamp,
}

/// What the file of a service account says.
#[derive(Deserialize)]
struct Account {
    project_id: String,
    private_key_id: Option<String>,
    private_key: String,
    client_email: String,
    token_uri: String,
}

/// The bytes that a message may have; to a topic, half of it.
const BYTES: usize = 4096;
const BYTES_OF_TOPIC: usize = 2048;

impl Fcm {
    /// With the file of a service account, as the console gives it; to devices that jobs name, or to
    /// [`to`](ChannelBuilder::to).
    pub fn service_account(json: impl Into<String>) -> ChannelBuilder<Self> {
        let endpoint = Endpoint::new("https://fcm.googleapis.com");
        let channel = Self { account: Token::new(json), endpoint, access: Arc::default() };
        ChannelBuilder::new(channel, None)
    }

    fn account(&self) -> Result<(Account, RsaKeyPair)> {
        let wrong = || {
            Error::input(codes::PUSH_KEY, "this is no service account")
                .help("give the whole file that the console makes: project settings, service accounts, new private key")
        };
        let account: Account = serde_json::from_str(self.account.reveal()).map_err(|_| wrong())?;
        let lines = account.private_key.lines().filter(|line| !line.starts_with("-----"));
        let key = STANDARD.decode(lines.collect::<String>()).map_err(|_| wrong())?;
        let key = RsaKeyPair::from_pkcs8(&key).map_err(|_| wrong())?;
        Ok((account, key))
    }

    /// The project that the account is one of, if it is one.
    #[cfg(feature = "url")]
    pub(crate) fn project(&self) -> Option<String> {
        Some(self.account().ok()?.0.project_id)
    }

    /// A token of access: the one that is at hand, or a new one.
    async fn access(
        &self,
        sending: &Sending<'_>,
        account: &Account,
        key: &RsaKeyPair,
    ) -> Result<Token, NotifyError> {
        let now = sending.context().now;
        let held = self.access.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(access) = held.filter(|access| now < access.until) {
            return Ok(access.token);
        }
        let assertion = assertion(account, key, now).ok_or_else(|| {
            NotifyError::rejected("nothing could be signed with the service account")
        })?;
        let grant = percent_encoded("urn:ietf:params:oauth:grant-type:jwt-bearer");
        let body = format!("grant_type={grant}&assertion={assertion}");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = sending.ask(&account.token_uri, &headers, body.into_bytes()).await?;
        let outcomes = HttpOutcomes::new().except(400, Outcome::Auth);
        answer.by_status(&outcomes)?;
        let said = answer.json().unwrap_or_default();
        let Some(token) = said["access_token"].as_str().map(Token::new) else {
            return Err(NotifyError::retryable("the answer with the token of access has none"));
        };
        let good = said["expires_in"].as_u64().unwrap_or(3600);
        let until = now.plus(Duration::from_secs(good.saturating_sub(120)));
        let access = Access { token: token.clone(), until };
        *self.access.lock().unwrap_or_else(PoisonError::into_inner) = Some(access);
        Ok(token)
    }
}

impl ChannelBuilder<Fcm> {
    /// Where the service is, for a proxy of the host's. Default `https://fcm.googleapis.com`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.channel.endpoint = Endpoint::new(url);
        self
    }
}

#[async_trait]
impl Channel for Fcm {
    const NAME: &'static str = "fcm";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.credentials = Some(Credentials::Host);
        terms
    }

    fn check(&self) -> Result<()> {
        self.endpoint.check()?;
        self.account().map(drop)
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        name_address(client, self.endpoint.url(), text)
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let (account, key) = self.account().map_err(|e| NotifyError::rejected(e.to_string()))?;
        let body = message(sending)?;
        let access = self.access(sending, &account, &key).await?;
        let authorization = format!("Bearer {}", access.reveal());
        let project = percent_encoded(&account.project_id);
        let url = format!("{}/v1/projects/{project}/messages:send", self.endpoint.url());
        let headers = [("authorization", authorization.as_str())];
        let answer = sending.post_json(&url, &headers, &body).await?;
        if answer.response.status == 401 {
            // It may have been taken back before its time: the next attempt asks for another.
            *self.access.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        let said = answer.json().unwrap_or_default();
        let refused = match error_code(&said) {
            Some("UNREGISTERED" | "SENDER_ID_MISMATCH") => Outcome::Gone,
            _ => Outcome::Rejected,
        };
        // Only a device can be gone: a wrong project is answered 404, too.
        let missing = if refused == Outcome::Gone { Outcome::Gone } else { Outcome::Retryable };
        let forbidden = if refused == Outcome::Gone { Outcome::Gone } else { Outcome::Auth };
        // Not our credentials, but those with which Firebase speaks to Apple or to browsers: other devices are told.
        let unauthorized = match error_code(&said) {
            Some("THIRD_PARTY_AUTH_ERROR") => sending.denied(),
            _ => Outcome::Auth,
        };
        let outcomes = HttpOutcomes::new()
            .except(400, refused)
            .except(401, unauthorized)
            .except(403, forbidden)
            .except(404, missing);
        let receipt = answer.by_status(&outcomes)?;
        Ok(named(receipt, said["name"].as_str()))
    }
}

fn error_code(said: &Value) -> Option<&str> {
    let details = said["error"]["details"].as_array()?;
    details.iter().find_map(|detail| detail["errorCode"].as_str())
}

fn message(sending: &Sending<'_>) -> Result<Value, NotifyError> {
    let (notice, message, to) = (sending.notice(), sending.message(), sending.to());
    let event = message.event();
    let text = notice.text.iter().chain(&notice.items).cloned().collect::<Vec<_>>().join("\n");
    let urgent = event.severity >= Severity::Error;
    let (target, most) = match to.strip_prefix("topic:") {
        Some(topic) => (("topic", topic), BYTES_OF_TOPIC),
        None => (("token", to), BYTES),
    };
    let body = |longest: usize| {
        let mut data = json!({ "id": message.id.to_string(), "type": event.kind.as_str() });
        if let Some(job) = event.job {
            data["job"] = job.to_string().into();
        }
        if let Some(link) = notice.link.as_ref().filter(|link| link.url.len() < 800) {
            data["url"] = link.url.as_str().into();
        }
        let mut shown = json!({ "title": cut(&notice.title, 120), "body": cut(&text, longest) });
        if let Some(picture) = notice.picture.as_ref().filter(|picture| picture.url.len() < 800) {
            shown["image"] = picture.url.as_str().into();
        }
        let priority = if urgent { "HIGH" } else { "NORMAL" };
        let mut body =
            json!({ "notification": shown, "data": data, "android": { "priority": priority } });
        body[target.0] = target.1.into();
        json!({ "message": body })
    };
    let fits = |body: &Value| body.to_string().len() <= most;
    [1000, 300, 100, 0]
        .into_iter()
        .map(body)
        .find(fits)
        .ok_or_else(|| NotifyError::too_large("the message has more bytes than the service takes"))
}

/// The signed request for a token of access.
fn assertion(account: &Account, key: &RsaKeyPair, now: Timestamp) -> Option<String> {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut head = json!({ "alg": "RS256", "typ": "JWT" });
    if let Some(id) = &account.private_key_id {
        head["kid"] = id.as_str().into();
    }
    let claims = json!({
        "iss": account.client_email, "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": account.token_uri, "iat": now.seconds(), "exp": now.seconds() + 3600,
    });
    let text = format!("{}.{}", part(head), part(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
    Some(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
