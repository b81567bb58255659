//! Slack: messages in a channel, through an incoming webhook, or through the Web API with one thread for each job.
//!
//! ```
//! use mediaflow_core::EventKind::{BatchCompleted, JobFailed};
//! use mediaflow_notify::Slack;
//!
//! let hook = Slack::webhook("https://hooks.slack.com/services/T0/B0/secret").on([JobFailed]).build()?;
//! let bot = Slack::bot("xoxb-token", "C0123456789")
//!     .name("slack-threads")
//!     .on([JobFailed, BatchCompleted])
//!     .build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! # Addresses
//!
//! Of a webhook, its URL, as Slack gives it when an app is installed in a channel. Of a bot, the id of a channel, `C0123456789`,
//! that the bot is a member of. As one line: `slack://T0/B0/secret`, `slack://xoxb-token/C0123456789`.
//!
//! # Messages
//!
//! Blocks, and a summary for Slack's own notifications. Texts are `plain_text` objects, in which Slack sees no mention and no link;
//! the summary and the label of the link are escaped. The picture is loaded by Slack: a message that is refused with a picture is
//! sent once more without, in the same attempt. A bot's messages have their `channel` as well, and those of one job, after the first
//! one, its `thread_ts`.
//!
//! ```json
//! { "text": "❌ cat.jpg could not be processed",
//!   "blocks": [
//!     { "type": "header",
//!       "text": { "type": "plain_text", "text": "❌ cat.jpg could not be processed", "emoji": false } },
//!     { "type": "section", "text": { "type": "plain_text", "text": "the image ends too early", "emoji": false } },
//!     { "type": "section", "fields": [
//!         { "type": "plain_text", "text": "Job\n0199c8f0-0000-7000-8000-000000000001", "emoji": false },
//!         { "type": "plain_text", "text": "Error\nimage.truncated", "emoji": false },
//!         { "type": "plain_text", "text": "Where\nsource = cat.jpg", "emoji": false },
//!         { "type": "plain_text", "text": "Attempts\n1", "emoji": false },
//!         { "type": "plain_text", "text": "What to do\nupload the whole file", "emoji": false } ] },
//!     { "type": "section",
//!       "text": { "type": "mrkdwn", "text": "<https://app.example/media/7|Show details>", "verbatim": true } } ],
//!   "unfurl_links": false, "unfurl_media": false }
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | title | 150 characters |
//! | paragraphs | 3,000 characters each, 6,000 together |
//! | list of events | 3,000 characters |
//! | facts | 500 characters each, label and value; 10 in a block |
//! | picture | a URL of 3,000 characters, with 2,000 characters that describe it |
//! | blocks | 50 |
//! | rate | 1 in a second to each address |
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | webhook: 200 and `ok` | arrived |
//! | webhook: 200 and anything else, the page of a proxy perhaps | `Retryable` |
//! | webhook: 400, as `invalid_payload` | `Rejected` |
//! | webhook: 404, as `no_service` | `Gone` |
//! | bot: `"ok": true` | arrived, with the `ts` of the thread's first message |
//! | bot: `ratelimited`, `rate_limited`, `message_limit_exceeded` | `Throttled` |
//! | bot: `channel_not_found`, `is_archived` | `Gone` |
//! | bot: `not_in_channel`, `invalid_auth`, `not_authed`, `account_inactive`, `token_revoked`, `token_expired`, `missing_scope`, `no_permission`, `access_denied`, `ekm_access_denied` | `Auth` |
//! | bot: `msg_too_long`, `msg_blocks_too_long` | `TooLarge` |
//! | bot: `invalid_blocks`, `invalid_blocks_format`, `invalid_arguments`, `no_text` | `Rejected` |
//! | bot: 200 with any other word, or with none | `Retryable` |
//! | all others | as on [every channel](crate::channel#answers) |
//!
//! Slack has no key by which it knows a message again: one whose answer was lost may be there twice.
//!
//! # Secrets
//!
//! The URL of a webhook is a secret as a whole. The token of a bot is sent in `Authorization`, to the Web API only.
//!
//! # Documentation
//!
//! Slack's own: [incoming webhooks](https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks),
//! [chat.postMessage](https://docs.slack.dev/reference/methods/chat.postMessage),
//! [blocks](https://docs.slack.dev/reference/block-kit/blocks),
//! [rates](https://docs.slack.dev/apis/web-api/rate-limits).

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
