//! ntfy: notifications on phones and desktops, through ntfy.sh or a server of one's own.
//!
//! ```
//! use mediaflow_core::EventKind::JobFailed;
//! use mediaflow_notify::Ntfy;
//!
//! let public = Ntfy::topic("https://ntfy.sh/uploads").on([JobFailed]).build()?;
//! let own = Ntfy::topic("https://ntfy.example/uploads").token("tk_secret").name("ntfy-own").build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! # Addresses
//!
//! The URL of a topic, whose name has letters, digits, `_` and `-`, 64 of them at most. As one line: `ntfy://topic` on ntfy.sh;
//! `ntfys://host/topic`, `ntfys://token@host/topic` and `ntfys://user:password@host/topic` by HTTPS, and with `ntfy://host/topic` by
//! HTTP.
//!
//! # Messages
//!
//! Plain text. A click opens the link, and the picture is attached by its URL. Failures have priority 4, what is for programs 2,
//! and everything else 3.
//!
//! ```json
//! { "topic": "secret", "title": "cat.jpg could not be processed",
//!   "message": "the image ends too early\nJob: 0199c8f0-0000-7000-8000-000000000001\nError: image.truncated\nWhere: source = cat.jpg\nAttempts: 1\nWhat to do: upload the whole file",
//!   "priority": 4, "tags": ["x"], "click": "https://app.example/media/7" }
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | title | 200 characters |
//! | text | 3,500 bytes; what has more than 4,096 becomes an attachment, in which nobody looks |
//! | rate | none of its own; a server that wants to be asked less often answers 429 |
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | 200 | arrived, with the `id` |
//! | 400 | `Rejected` |
//! | 413 | `TooLarge` |
//! | all others | as on [every channel](crate::channel#answers) |
//!
//! The message has no key by which a server knows it again: one whose answer was lost may be there twice.
//!
//! # Secrets
//!
//! Whoever knows the name of a topic that is not protected reads along: the URL is a secret as a whole. The token is sent in
//! `Authorization`, to the server of the channel's own topic only; other servers that jobs name are not told. A user and a password in
//! the URL go with that URL.
//!
//! # Documentation
//!
//! Its own: [publishing as JSON](https://docs.ntfy.sh/publish/#publish-as-json),
//! [limits](https://docs.ntfy.sh/publish/#limitations).

use mediaflow_core::event::Severity;
use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{Address, Credentials, HttpOutcomes, Outcome, Receipt, Terms};
use mediaflow_core::{Error, NotifyError, Result, async_trait, codes};
use serde_json::{Value, json};

use crate::channel::{Channel, ChannelBuilder, Sending, Token, cut, named, url_address};
use crate::templates::Notice;

/// ntfy. See the [module](self).
#[derive(Clone, Debug)]
pub struct Ntfy {
    token: Option<Token>,
    /// Of the host's own topic: no other is told the token. It may have a user and a password.
    server: Option<Token>,
}

impl Ntfy {
    /// To a topic by its address, which is a secret: `https://ntfy.sh/uploads`.
    pub fn topic(url: impl Into<String>) -> ChannelBuilder<Self> {
        let url = url.into();
        let server = split(&url).map(|(server, _)| Token::new(server));
        ChannelBuilder::new(Self { token: None, server }, Some(url))
    }
}

impl ChannelBuilder<Ntfy> {
    /// With this access token, which other servers that jobs name are not told.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.channel.token = Some(Token::new(token));
        self
    }
}

#[async_trait]
impl Channel for Ntfy {
    const NAME: &'static str = "ntfy";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        // A server decides topic by topic who may write, and other servers are told no token.
        terms.credentials = Some(Credentials::Address);
        terms
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        let address = url_address(client, text)?;
        if split(text).is_none() {
            let mistake =
                Error::input(codes::CHANNEL_ADDRESS, "an address of ntfy ends with its topic");
            return Err(mistake
                .with("origin", address.origin())
                .help("write `https://ntfy.sh/topic`"));
        }
        Ok(address)
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let Some((server, topic)) = split(sending.to()) else {
            return Err(NotifyError::rejected("the address names no topic"));
        };
        let body = message(topic, &sending.notice());
        let own = self.server.as_ref().is_some_and(|own| own.reveal().eq_ignore_ascii_case(server));
        let token = self.token.as_ref().filter(|_| own);
        let authorization = token.map(|token| format!("Bearer {}", token.reveal()));
        let header = authorization.as_deref().map(|value| ("authorization", value));
        let headers: Vec<_> = header.into_iter().collect();
        let answer = sending.post_json(&format!("{server}/"), &headers, &body).await?;
        let outcomes =
            HttpOutcomes::new().except(400, Outcome::Rejected).except(413, Outcome::TooLarge);
        let receipt = answer.by_status(&outcomes)?;
        let said = answer.json().unwrap_or_default();
        Ok(named(receipt, said["id"].as_str()))
    }
}

/// The server and the topic of an address.
fn split(url: &str) -> Option<(&str, &str)> {
    let (server, topic) = url.split(['?', '#']).next()?.trim_end_matches('/').rsplit_once('/')?;
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (server.contains("://")
        && !server.ends_with('/')
        && topic.len() <= 64
        && topic.chars().all(named))
    .then_some((server, topic))
}

fn message(topic: &str, notice: &Notice) -> Value {
    let priority = match notice.severity {
        Severity::Error => 4,
        Severity::Debug => 2,
        _ => 3,
    };
    let tag = match notice.severity {
        Severity::Error => "x",
        Severity::Warning => "warning",
        _ => "white_check_mark",
    };
    let text = notice.lines_without_link().join("\n");
    // An empty message would be shown as "triggered".
    let text = if text.is_empty() { notice.title.clone() } else { text };
    let mut body = json!({
        "topic": topic, "title": cut(&notice.title, 200), "message": cut_bytes(&text, 3500), "priority": priority,
        "tags": [tag],
    });
    if let Some(link) = &notice.link {
        body["click"] = link.url.as_str().into();
    }
    if let Some(picture) = &notice.picture {
        body["attach"] = picture.url.as_str().into();
    }
    body
}

/// What is longer than 4,096 bytes becomes an attachment, in which nobody looks.
fn cut_bytes(text: &str, bytes: usize) -> String {
    let mut longest = text.chars().count().min(bytes);
    loop {
        let kept = cut(text, longest);
        if kept.len() <= bytes || longest == 0 {
            return kept.into_owned();
        }
        longest = longest * 3 / 4;
    }
}
