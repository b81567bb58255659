//! Slack: incoming webhooks, and the Web API with one thread for each job.
//!
//! ```
//! use mediaflow_notify::Slack;
//!
//! let hook = Slack::webhook("https://hooks.slack.com/services/T0/B0/secret").build()?;
//! let bot = Slack::bot("xoxb-token", "C0123456789").name("slack-threads").build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! Texts are `plain_text` objects, in which Slack sees no mention and no link, and the summary is escaped. Formats and limits:
//! [incoming webhooks](https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks),
//! [chat.postMessage](https://docs.slack.dev/reference/methods/chat.postMessage),
//! [blocks](https://docs.slack.dev/reference/block-kit/blocks).

use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{
    Address, Credentials, HttpOutcomes, Outcome, RateLimit, Receipt, Scope, Terms,
};
use mediaflow_core::{NotifyError, Result, async_trait};
use serde_json::{Value, json};

use crate::channel::{
    Channel, ChannelBuilder, Endpoint, Sending, Token, cut, name_address, named, url_address,
};
use crate::payload::escaped;
use crate::templates::Notice;

/// Slack. See the [module](self).
#[derive(Clone, Debug)]
pub struct Slack(Way);

#[derive(Clone, Debug)]
enum Way {
    Webhook,
    Bot { token: Token, endpoint: Endpoint },
}

impl Slack {
    /// Through an incoming webhook; its address is a secret.
    pub fn webhook(url: impl Into<String>) -> ChannelBuilder<Self> {
        ChannelBuilder::new(Self(Way::Webhook), Some(url.into()))
    }

    /// Through the Web API, with the token of a bot that is in the channel, by the id of the channel. What belongs to one
    /// job is one thread. Jobs may name other channels.
    pub fn bot(token: impl Into<String>, channel: impl Into<String>) -> ChannelBuilder<Self> {
        let way =
            Way::Bot { token: Token::new(token), endpoint: Endpoint::new("https://slack.com") };
        ChannelBuilder::new(Self(way), Some(channel.into()))
    }
}

impl ChannelBuilder<Slack> {
    /// Where the Web API is, for a proxy of the host's. Default `https://slack.com`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        if let Way::Bot { endpoint, .. } = &mut self.channel.0 {
            *endpoint = Endpoint::new(url);
        }
        self
    }
}

#[async_trait]
impl Channel for Slack {
    const NAME: &'static str = "slack";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.rate = Some(RateLimit::per_second(1));
        terms.scope = Scope::Address;
        terms.threads = matches!(self.0, Way::Bot { .. });
        terms.credentials = Some(match self.0 {
            Way::Bot { .. } => Credentials::Host,
            Way::Webhook => Credentials::Address,
        });
        terms
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        match &self.0 {
            Way::Webhook => url_address(client, text),
            Way::Bot { endpoint, .. } => name_address(client, endpoint.url(), text),
        }
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let mut notice = sending.notice();
        let sent = self.attempt(sending, &notice).await;
        // Slack loads the picture itself, and refuses the message if it can not.
        match (&sent, notice.picture.take()) {
            (Err(NotifyError::Rejected { .. }), Some(_)) => self.attempt(sending, &notice).await,
            _ => sent,
        }
    }
}

impl Slack {
    async fn attempt(
        &self,
        sending: &Sending<'_>,
        notice: &Notice,
    ) -> Result<Receipt, NotifyError> {
        let mut body = message(notice);
        let (token, endpoint) = match &self.0 {
            Way::Webhook => {
                let answer = sending.post_json(sending.to(), &[], &body).await?;
                let outcomes =
                    HttpOutcomes::new().except(404, Outcome::Gone).except(400, Outcome::Rejected);
                let receipt = answer.by_status(&outcomes)?;
                // Whatever else answers 200, a page to log in perhaps, is not Slack.
                if answer.response.body.trim_ascii() != b"ok" {
                    return answer.by_status(&HttpOutcomes::new().except(200, Outcome::Retryable));
                }
                return Ok(receipt);
            }
            Way::Bot { token, endpoint } => (token, endpoint.url()),
        };
        body["channel"] = sending.to().into();
        let thread = sending.message().thread.as_ref();
        let first = thread.and_then(|thread| thread.provider_id.as_deref());
        if let Some(first) = first {
            body["thread_ts"] = first.into();
        }
        let authorization = format!("Bearer {}", token.reveal());
        let url = format!("{endpoint}/api/chat.postMessage");
        let headers = [("authorization", authorization.as_str())];
        let answer = sending.post_json(&url, &headers, &body).await?;
        if !answer.says_ok() {
            let said = answer.json().unwrap_or_default();
            return answer.by_word(WORDS, said["error"].as_str().unwrap_or_default());
        }
        // A thread has the name of its first message: replies to a reply would be lost.
        let receipt = Receipt::with_status(answer.response.status);
        let name = first.map(str::to_owned).or_else(|| answer.field("ts"));
        Ok(named(receipt, name))
    }
}

/// What the words of the Web API mean.
const WORDS: &[(&str, Outcome)] = &[
    ("ratelimited", Outcome::Throttled),
    ("rate_limited", Outcome::Throttled),
    ("message_limit_exceeded", Outcome::Throttled),
    ("channel_not_found", Outcome::Gone),
    ("is_archived", Outcome::Gone),
    ("not_in_channel", Outcome::Auth),
    ("invalid_auth", Outcome::Auth),
    ("not_authed", Outcome::Auth),
    ("account_inactive", Outcome::Auth),
    ("token_revoked", Outcome::Auth),
    ("token_expired", Outcome::Auth),
    ("missing_scope", Outcome::Auth),
    ("no_permission", Outcome::Auth),
    ("access_denied", Outcome::Auth),
    ("ekm_access_denied", Outcome::Auth),
    ("msg_too_long", Outcome::TooLarge),
    ("msg_blocks_too_long", Outcome::TooLarge),
    ("invalid_blocks", Outcome::Rejected),
    ("invalid_blocks_format", Outcome::Rejected),
    ("invalid_arguments", Outcome::Rejected),
    ("no_text", Outcome::Rejected),
];

/// How many characters the paragraphs have together: nobody reads more in a chat.
const CHARACTERS: usize = 6000;

fn message(notice: &Notice) -> Value {
    let title = format!("{} {}", notice.mark(), notice.title);
    let mut blocks = vec![json!({ "type": "header", "text": plain(&title, 150) })];
    let mut left = CHARACTERS;
    for text in &notice.text {
        let text = cut(text, left.min(3000));
        left = left.saturating_sub(text.chars().count());
        if !text.is_empty() {
            blocks.push(json!({ "type": "section", "text": plain(&text, 3000) }));
        }
    }
    if !notice.items.is_empty() {
        let items: Vec<_> = notice.items.iter().map(|item| format!("\u{2022} {item}")).collect();
        blocks.push(json!({ "type": "section", "text": plain(&items.join("\n"), 3000) }));
    }
    for facts in notice.facts.chunks(10) {
        let text = |label: &str, value: &str| plain(&format!("{label}\n{value}"), 500);
        let fields: Vec<_> = facts.iter().map(|fact| text(&fact.label, &fact.value)).collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    if let Some(picture) = notice.picture.as_ref().filter(|picture| picture.url.len() <= 3000) {
        let alt = cut(&picture.alt, 2000);
        blocks.push(json!({ "type": "image", "image_url": picture.url, "alt_text": alt }));
    }
    if let Some(link) = &notice.link {
        let text = format!("<{}|{}>", in_link(&link.url), escaped(&link.label).replace('|', "/"));
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } }));
    }
    blocks.truncate(50);
    json!({ "text": escaped(&cut(&title, 3000)), "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}

fn plain(text: &str, characters: usize) -> Value {
    json!({ "type": "plain_text", "text": cut(text, characters), "emoji": false })
}

/// A URL between `<` and `|`.
fn in_link(url: &str) -> String {
    url.replace('&', "&amp;").replace('<', "%3C").replace('>', "%3E").replace('|', "%7C")
}
