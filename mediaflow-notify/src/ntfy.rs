//! ntfy, at ntfy.sh or a server of one's own.
//!
//! ```
//! use mediaflow_notify::Ntfy;
//!
//! let topic = Ntfy::topic("https://ntfy.sh/uploads").token("tk_secret").build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! Texts are plain. Format and limits: [publishing as JSON](https://docs.ntfy.sh/publish/#publish-as-json).

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
    /// Of the host's own topic: no other is told the token.
    server: Option<String>,
}

impl Ntfy {
    /// To a topic by its address, which is a secret: `https://ntfy.sh/uploads`.
    pub fn topic(url: impl Into<String>) -> ChannelBuilder<Self> {
        let url = url.into();
        let server = split(&url).map(|(server, _)| server.to_owned());
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
        let own = self.server.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(server));
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
