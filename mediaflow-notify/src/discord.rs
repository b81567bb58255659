//! Discord: messages in a channel, or in one of its threads, through a webhook of the channel.
//!
//! ```
//! use mediaflow_core::EventKind::JobFailed;
//! use mediaflow_notify::Discord;
//!
//! let channel = Discord::webhook("https://discord.com/api/webhooks/1/secret").on([JobFailed]).build()?;
//! let thread = Discord::webhook("https://discord.com/api/webhooks/1/secret?thread_id=2").name("thread").build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! # Addresses
//!
//! The URL of a webhook, as Discord gives it in the settings of a channel; `?thread_id=` in it names a thread. As one line:
//! `discord://id/token`.
//!
//! # Messages
//!
//! An embed, whose colour says how bad it is. Nobody is mentioned (`allowed_mentions`), and what would be markup in a text is
//! escaped. A URL without a version means an old one, so that version 10 is asked; with `wait=true`, Discord answers when the
//! message is there.
//!
//! ```json
//! { "embeds": [ {
//!     "title": "❌ cat.jpg could not be processed",
//!     "description": "the image ends too early",
//!     "color": 13642539,
//!     "url": "https://app.example/media/7",
//!     "fields": [
//!       { "name": "Job", "value": "0199c8f0\\-0000\\-7000\\-8000\\-000000000001" },
//!       { "name": "Error", "value": "image.truncated" },
//!       { "name": "Where", "value": "source = cat.jpg" },
//!       { "name": "Attempts", "value": "1" },
//!       { "name": "What to do", "value": "upload the whole file" } ] } ],
//!   "allowed_mentions": { "parse": [] } }
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | title | 200 characters, 256 when escaped |
//! | paragraphs and list of events | 3,000 characters together |
//! | facts | 25, each with a label of 200 and a value of 500 characters; 256 and 1,024 when escaped |
//! | all of it | 6,000 characters |
//! | rate | 5 in 2 seconds to each address |
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | 200 with the message | arrived, with its `id` |
//! | 400 | `Rejected` |
//! | 404, as `Unknown Webhook` | `Gone` |
//! | 429 | `Throttled`, for the seconds of `X-RateLimit-Reset-After`, from 1 second to 1 hour; without it, for what `Retry-After` asks |
//! | all others | as on [every channel](crate::channel#answers) |
//!
//! A webhook of Discord has no key by which it knows a message again: one whose answer was lost may be there twice.
//!
//! # Secrets
//!
//! The URL is a secret as a whole.
//!
//! # Documentation
//!
//! Discord's own: [execute webhook](https://discord.com/developers/docs/resources/webhook#execute-webhook),
//! [limits of embeds](https://discord.com/developers/docs/resources/message#embed-object-embed-limits),
//! [rates](https://discord.com/developers/docs/topics/rate-limits).

use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{
    Address, Credentials, HttpOutcomes, Outcome, RateLimit, Receipt, Scope, Terms,
};
use mediaflow_core::{NotifyError, Result, async_trait};
use serde_json::{Value, json};
use std::time::Duration;

use crate::channel::{Channel, ChannelBuilder, Sending, cut, named, url_address};
use crate::templates::Notice;

/// Discord. See the [module](self).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Discord;

impl Discord {
    /// Through a webhook; its address is a secret. `?thread_id=` in it names a thread.
    pub fn webhook(url: impl Into<String>) -> ChannelBuilder<Self> {
        ChannelBuilder::new(Self, Some(url.into()))
    }
}

#[async_trait]
impl Channel for Discord {
    const NAME: &'static str = "discord";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.credentials = Some(Credentials::Address);
        terms.rate = Some(RateLimit::new(5, Duration::from_secs(2)));
        terms.scope = Scope::Address;
        terms
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        url_address(client, text)
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        // With `wait`, the answer says whether the message is there, and how it is called.
        // Addresses without a version mean an old one, which counts waits in milliseconds.
        let to = sending.to().replace("/api/webhooks/", "/api/v10/webhooks/");
        let url = format!("{to}{}wait=true", if to.contains('?') { '&' } else { '?' });
        let answer = sending.post_json(&url, &[], &message(&sending.notice())).await?;
        let outcomes =
            HttpOutcomes::new().except(404, Outcome::Gone).except(400, Outcome::Rejected);
        let asked = answer.response.header("x-ratelimit-reset-after");
        let asked =
            asked.and_then(|seconds| Duration::try_from_secs_f64(seconds.parse().ok()?).ok());
        if let (429, Some(asked)) = (answer.response.status, asked) {
            let after = Some(asked.min(LONGEST).max(Duration::from_secs(1)));
            return Err(NotifyError::Throttled {
                after,
                reason: "the receiver answered 429".into(),
            });
        }
        let receipt = answer.by_status(&outcomes)?;
        let said = answer.json().unwrap_or_default();
        Ok(named(receipt, said["id"].as_str()))
    }
}

/// No service makes us wait longer.
const LONGEST: Duration = Duration::from_secs(3600);

/// The characters that all embeds of a message may have together.
const ALL: usize = 6000;

fn message(notice: &Notice) -> Value {
    let title = escaped(&cut(&format!("{} {}", notice.mark(), notice.title), 200));
    let mut lines: Vec<_> = notice.text.iter().map(|text| escaped(text)).collect();
    lines.extend(notice.items.iter().map(|item| format!("- {}", escaped(item))));
    let description = cut(&lines.join("\n"), 3000).into_owned();
    let mut left = ALL.saturating_sub(title.chars().count() + description.chars().count());
    let mut fields = Vec::new();
    for fact in notice.facts.iter().take(25) {
        let (name, value) = (escaped(&cut(&fact.label, 200)), escaped(&cut(&fact.value, 500)));
        let (name, value) = (cut(&name, 256), cut(&value, 1024));
        let Some(rest) = left.checked_sub(name.chars().count() + value.chars().count()) else {
            break;
        };
        left = rest;
        fields.push(json!({ "name": name, "value": value }));
    }
    let mut embed = json!({
        "title": cut(&title, 256), "description": description, "color": notice.color(), "fields": fields,
    });
    if let Some(link) = &notice.link {
        embed["url"] = link.url.as_str().into();
    }
    if let Some(picture) = &notice.picture {
        embed["thumbnail"] = json!({ "url": picture.url });
    }
    json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

/// What stands for markup in Discord's texts, with a backslash before it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(
            c,
            '\\' | '*'
                | '_'
                | '~'
                | '`'
                | '|'
                | '>'
                | '<'
                | '['
                | ']'
                | '('
                | ')'
                | '#'
                | '-'
                | '@'
                | ':'
        ) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
