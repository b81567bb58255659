//! Pushover: notifications on phones and desktops, through an app that is registered there.
//!
//! ```
//! use mediaflow_core::EventKind::JobFailed;
//! use mediaflow_notify::Pushover;
//!
//! let phone = Pushover::app("token-of-the-app", "key-of-the-user").on([JobFailed]).build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! # Addresses
//!
//! The key of a user or of a group. As one line: `pover://key-of-the-user@token-of-the-app`.
//!
//! # Messages
//!
//! A form, in plain text and without a picture. Failures have priority 1, what is for programs -1, and everything else 0: never 2,
//! which asks until somebody acknowledges. Its fields, here as JSON:
//!
//! ```json
//! { "token": "secret", "user": "u1",
//!   "title": "cat.jpg could not be processed",
//!   "message": "the image ends too early\nJob: 0199c8f0-0000-7000-8000-000000000001\nError: image.truncated\nWhere: source = cat.jpg\nAttempts: 1\nWhat to do: upload the whole file",
//!   "priority": "1", "url": "https://app.example/media/7", "url_title": "Show details" }
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | title | 250 characters |
//! | text | 1,024 characters |
//! | link | 512 bytes, or it is left out; its label 100 characters |
//! | at once | 2 requests, in each process: more are refused |
//! | rate | none of its own; an app has a number of messages for a month, beyond which Pushover answers 429 |
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | 200 and `"status": 1` | arrived, with the `request` |
//! | 200 without | `Retryable` |
//! | 400 and `"user": "invalid"` | `Gone` |
//! | 400 and `"token": "invalid"` | `Auth` |
//! | 400, any other | `Rejected` |
//! | all others | as on [every channel](crate::channel#answers) |
//!
//! Pushover has no key by which it knows a message again: one whose answer was lost may be there twice.
//!
//! # Secrets
//!
//! The token of the app and the key of the user are in the body of the request, and are sent to Pushover only.
//!
//! # Documentation
//!
//! Pushover's own: [message API](https://pushover.net/api), [limits](https://pushover.net/api#limits).

use mediaflow_core::event::Severity;
use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{Address, Credentials, HttpOutcomes, Outcome, Receipt, Terms};
use mediaflow_core::{NotifyError, Result, async_trait};

use crate::channel::{Channel, ChannelBuilder, Endpoint, Sending, Token, cut, name_address, named};
use crate::payload::percent_encoded;
use crate::templates::Notice;

/// Pushover. See the [module](self).
#[derive(Clone, Debug)]
pub struct Pushover {
    token: Token,
    endpoint: Endpoint,
}

impl Pushover {
    /// Through the app with this token, to a user or group by their key. Jobs may name other keys.
    pub fn app(token: impl Into<String>, user: impl Into<String>) -> ChannelBuilder<Self> {
        let endpoint = Endpoint::new("https://api.pushover.net");
        ChannelBuilder::new(Self { token: Token::new(token), endpoint }, Some(user.into()))
    }
}

impl ChannelBuilder<Pushover> {
    /// Where the API is, for a proxy of the host's. Default `https://api.pushover.net`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.channel.endpoint = Endpoint::new(url);
        self
    }
}

#[async_trait]
impl Channel for Pushover {
    const NAME: &'static str = "pushover";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        // More than two connections at once are refused.
        terms.places = Some(2);
        terms.credentials = Some(Credentials::Host);
        terms
    }

    fn tokens(&self) -> Vec<&Token> {
        vec![&self.token]
    }

    fn check(&self) -> Result<()> {
        self.endpoint.check()
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        name_address(client, self.endpoint.url(), text)
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let body = form(self.token.reveal(), sending.to(), &sending.notice());
        let url = format!("{}/1/messages.json", self.endpoint.url());
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = sending.post(&url, &headers, body.into_bytes()).await?;
        let said = answer.json().unwrap_or_default();
        let status = answer.response.status;
        if status == 200 && said["status"] == 1 {
            let receipt = Receipt::with_status(status);
            return Ok(named(receipt, said["request"].as_str()));
        }
        // 4xx is for ever, by the service's own rules: a wrong token, or a user that is not there.
        let refused = match (said["user"].as_str(), said["token"].as_str()) {
            (Some("invalid"), _) => Outcome::Gone,
            (_, Some("invalid")) => Outcome::Auth,
            _ => Outcome::Rejected,
        };
        answer.by_status(&HttpOutcomes::new().except(200, Outcome::Retryable).except(400, refused))
    }
}

fn form(token: &str, user: &str, notice: &Notice) -> String {
    let text = notice.lines_without_link().join("\n");
    let text = if text.is_empty() { notice.title.as_str() } else { text.as_str() };
    let priority = match notice.severity {
        Severity::Error => "1",
        Severity::Debug => "-1",
        _ => "0",
    };
    let mut pairs = vec![
        ("token", token.to_owned()),
        ("user", user.to_owned()),
        ("title", cut(&notice.title, 250).into_owned()),
        ("message", cut(text, 1024).into_owned()),
        ("priority", priority.to_owned()),
    ];
    if let Some(link) = notice.link.as_ref().filter(|link| link.url.len() <= 512) {
        pairs.push(("url", link.url.clone()));
        pairs.push(("url_title", cut(&link.label, 100).into_owned()));
    }
    let pair = |(name, value): (&str, String)| format!("{name}={}", percent_encoded(&value));
    pairs.into_iter().map(pair).collect::<Vec<_>>().join("&")
}
