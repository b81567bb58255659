//! Telegram: messages in a chat, a group or a channel, through a bot.
//!
//! ```
//! use mediaflow_core::EventKind::JobFailed;
//! use mediaflow_notify::Telegram;
//!
//! let group = Telegram::bot("123456:secret", "-1001234567890").on([JobFailed]).build()?;
//! let channel = Telegram::bot("123456:secret", "@uploads").name("telegram-channel").build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! # Addresses
//!
//! The id of a chat, `-1001234567890`, or `@name` of a public channel; the bot has to be in it, and people have to write to a bot
//! before it may write to them. As one line: `tgram://123456:secret/-1001234567890`.
//!
//! # Messages
//!
//! HTML as Telegram knows it, with all escaped that somebody else wrote. No page is previewed, and no picture is sent. Messages of
//! one job, after the first one, answer that (`reply_parameters`).
//!
//! ```json
//! { "chat_id": "-100",
//!   "text": "<b>❌ cat.jpg could not be processed</b>\nthe image ends too early\n<b>Job:</b> 0199c8f0-0000-7000-8000-000000000001\n<b>Error:</b> image.truncated\n<b>Where:</b> source = cat.jpg\n<b>Attempts:</b> 1\n<b>What to do:</b> upload the whole file\n<a href=\"https://app.example/media/7\">Show details</a>",
//!   "parse_mode": "HTML",
//!   "link_preview_options": { "is_disabled": true } }
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | title | 500 characters |
//! | each line | 1,500 characters |
//! | the text, as it is read | 4,096 characters |
//! | rate | 1 in a second to each chat |
//!
//! Telegram has further rates, of groups and of a bot as a whole: who goes beyond them is told how long to wait, and waits.
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | `"ok": true` | arrived, with the `message_id` of the thread's first message |
//! | 200 without | `Retryable` |
//! | 400, 403: the chat is not found, the bot was blocked or kicked, the account is deactivated, the group has moved or is gone | `Gone` |
//! | 400, the bot lacks rights | `Auth` |
//! | 400, any other | `Rejected` |
//! | 403, any other; 404, as of a token that is not known | `Auth` |
//! | 429 | `Throttled`, for the seconds of `parameters.retry_after` |
//! | all others | as on [every channel](crate::channel#answers) |
//!
//! Telegram has no key by which it knows a message again: one whose answer was lost may be there twice.
//!
//! # Secrets
//!
//! The token is a part of the URL that is asked, and is sent to the Bot API only: `https://api.telegram.org`, or the server that
//! `endpoint` names.
//!
//! # Documentation
//!
//! Telegram's own: [sendMessage](https://core.telegram.org/bots/api#sendmessage),
//! [answers](https://core.telegram.org/bots/api#making-requests),
//! [rates](https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this).

use std::time::Duration;

use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{
    Address, Credentials, HttpOutcomes, Outcome, RateLimit, Receipt, Scope, Terms,
};
use mediaflow_core::{NotifyError, Result, async_trait};
use serde_json::{Value, json};

use crate::channel::{Channel, ChannelBuilder, Endpoint, Sending, Token, cut, name_address, named};
use crate::payload::escaped;
use crate::templates::Notice;

/// Telegram. See the [module](self).
#[derive(Clone, Debug)]
pub struct Telegram {
    token: Token,
    endpoint: Endpoint,
}

impl Telegram {
    /// Through the bot with this token, to a chat by its id, or to a channel by `@name`. Jobs may name other chats.
    pub fn bot(token: impl Into<String>, chat: impl Into<String>) -> ChannelBuilder<Self> {
        let endpoint = Endpoint::new("https://api.telegram.org");
        ChannelBuilder::new(Self { token: Token::new(token), endpoint }, Some(chat.into()))
    }
}

impl ChannelBuilder<Telegram> {
    /// A Bot API server of the host's own. Default `https://api.telegram.org`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.channel.endpoint = Endpoint::new(url);
        self
    }
}

#[async_trait]
impl Channel for Telegram {
    const NAME: &'static str = "telegram";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.credentials = Some(Credentials::Host);
        terms.rate = Some(RateLimit::per_second(1));
        terms.scope = Scope::Address;
        terms.threads = true;
        terms
    }

    fn check(&self) -> Result<()> {
        self.endpoint.check()
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        name_address(client, self.endpoint.url(), text)
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let mut body = json!({
            "chat_id": sending.to(), "text": text(&sending.notice()), "parse_mode": "HTML",
            "link_preview_options": { "is_disabled": true },
        });
        let thread = sending.message().thread.as_ref();
        let first = thread.and_then(|thread| thread.provider_id.as_deref());
        if let Some(first) = first.and_then(|id| id.parse::<i64>().ok()) {
            body["reply_parameters"] =
                json!({ "message_id": first, "allow_sending_without_reply": true });
        }
        let url = format!("{}/bot{}/sendMessage", self.endpoint.url(), self.token.reveal());
        let answer = sending.post_json(&url, &[], &body).await?;
        if answer.says_ok() {
            let receipt = Receipt::with_status(answer.response.status);
            let name = first.map(str::to_owned).or_else(|| answer.field("message_id"));
            return Ok(named(receipt, name));
        }
        let said = answer.json().unwrap_or_default();
        let asked = said["parameters"]["retry_after"].as_u64().map(Duration::from_secs);
        if answer.response.status == 429 {
            let after = asked.or(answer.response.retry_after);
            return Err(NotifyError::Throttled {
                after,
                reason: "the receiver answered 429".into(),
            });
        }
        answer.by_status(&outcomes(&said))
    }
}

/// A bot that was blocked, and a chat that is not there, are told in words only.
fn outcomes(said: &Value) -> HttpOutcomes {
    let word = said["description"].as_str().unwrap_or_default();
    let gone = [
        "chat not found",
        "bot was blocked",
        "bot was kicked",
        "user is deactivated",
        "group chat was",
    ];
    let refused = match word {
        word if gone.iter().any(|gone| word.contains(gone)) => Outcome::Gone,
        // Somebody can put that right, and then it passes.
        word if word.contains("rights") => Outcome::Auth,
        _ => Outcome::Rejected,
    };
    let forbidden = if refused == Outcome::Gone { Outcome::Gone } else { Outcome::Auth };
    HttpOutcomes::new()
        .except(200, Outcome::Retryable)
        .except(400, refused)
        .except(403, forbidden)
        .except(404, Outcome::Auth)
}

/// The characters that a text may have once it is read.
const CHARACTERS: usize = 4096;

fn text(notice: &Notice) -> String {
    let mut left = CHARACTERS - 100;
    let mut text = String::new();
    let title = format!("{} {}", notice.mark(), notice.title);
    let title = cut(&title, 500);
    left = left.saturating_sub(title.chars().count());
    text.push_str(&format!("<b>{}</b>", escaped(&title)));
    let facts = notice.facts.iter().map(|fact| (Some(&fact.label), &fact.value));
    let lines = notice.text.iter().chain(&notice.items).map(|line| (None, line));
    for (label, line) in lines.chain(facts) {
        let line = cut(line, left.min(1500));
        let label_len = label.map_or(0, |label| label.chars().count() + 2);
        let Some(rest) = left.checked_sub(line.chars().count() + label_len + 1) else { break };
        left = rest;
        text.push('\n');
        if let Some(label) = label {
            text.push_str(&format!("<b>{}:</b> ", escaped(label)));
        }
        text.push_str(&escaped(&line));
    }
    if let Some(link) = &notice.link {
        let url = escaped(&link.url).replace('"', "&quot;");
        text.push_str(&format!("\n<a href=\"{url}\">{}</a>", escaped(&cut(&link.label, 60))));
    }
    text
}
