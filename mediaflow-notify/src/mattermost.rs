//! Mattermost and Rocket.Chat: messages in a channel, through an incoming webhook.
//!
//! ```
//! use mediaflow_core::EventKind::JobFailed;
//! use mediaflow_notify::Mattermost;
//!
//! let public = Mattermost::webhook("https://chat.example/hooks/secret").on([JobFailed]).build()?;
//! let private = Mattermost::webhook("http://10.0.0.7:8065/hooks/secret").allow_private("10.0.0.7:8065").build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! # Addresses
//!
//! The URL of a webhook, as the server gives it under its integrations. As one line: `mmosts://host/key` by HTTPS, and
//! `mmost://host/key` by HTTP. A server in a private network has to be allowed:
//! `mmost://10.0.0.7:8065/key?allow_private=10.0.0.7:8065`.
//!
//! # Messages
//!
//! Markdown, in which what would be markup of somebody else's is escaped, and an `@` is followed by a space of no width, so that
//! nobody is mentioned.
//!
//! ```json
//! { "text": "❌ **cat.jpg could not be processed**\n\nthe image ends too early\n\n**Job:** 0199c8f0\\-0000\\-7000\\-8000\\-000000000001\n\n**Error:** image.truncated\n\n**Where:** source \\= cat.jpg\n\n**Attempts:** 1\n\n**What to do:** upload the whole file\n\n[Show details](https://app.example/media/7)" }
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | title | 300 characters |
//! | each paragraph | 1,000 characters |
//! | each fact | 500 characters, and the titles in a list of events 200 |
//! | the text | 4,000 characters, which servers of every age take; whole parts only |
//! | rate | 10 in a second to each server |
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | 200 and `ok`, or `"success": true` from Rocket.Chat | arrived |
//! | 200 and anything else, the page of a login perhaps | `Retryable` |
//! | 400 | `Rejected` |
//! | 404 | `Gone` |
//! | 413 | `TooLarge` |
//! | all others | as on [every channel](crate::channel#answers) |
//!
//! A webhook has no key by which it knows a message again: one whose answer was lost may be there twice.
//!
//! # Secrets
//!
//! The URL is a secret as a whole.
//!
//! # Documentation
//!
//! Mattermost's own: [incoming webhooks](https://developers.mattermost.com/integrate/webhooks/incoming/). Rocket.Chat's own:
//! [integrations](https://docs.rocket.chat/docs/rocketchat-marketplace-integrations).

use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{
    Address, Credentials, HttpOutcomes, Outcome, RateLimit, Receipt, Terms,
};
use mediaflow_core::{NotifyError, Result, async_trait};
use serde_json::json;

use crate::channel::{Channel, ChannelBuilder, Sending, cut, url_address};
use crate::templates::Notice;

/// Mattermost. See the [module](self).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mattermost;

impl Mattermost {
    /// Through an incoming webhook; its address is a secret.
    pub fn webhook(url: impl Into<String>) -> ChannelBuilder<Self> {
        ChannelBuilder::new(Self, Some(url.into()))
    }
}

#[async_trait]
impl Channel for Mattermost {
    const NAME: &'static str = "mattermost";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.credentials = Some(Credentials::Address);
        terms.rate = Some(RateLimit::per_second(10));
        terms
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        url_address(client, text)
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let body = json!({ "text": text(&sending.notice()) });
        let answer = sending.post_json(sending.to(), &[], &body).await?;
        let outcomes = HttpOutcomes::new()
            .except(400, Outcome::Rejected)
            .except(404, Outcome::Gone)
            .except(413, Outcome::TooLarge);
        let receipt = answer.by_status(&outcomes)?;
        // Whatever else answers 200, a page to log in perhaps, is neither of both.
        let body = answer.response.body.trim_ascii();
        if body != b"ok" && answer.json().is_none_or(|said| said["success"] != true) {
            return answer.by_status(&HttpOutcomes::new().except(200, Outcome::Retryable));
        }
        Ok(receipt)
    }
}

/// What servers of every age take.
const CHARACTERS: usize = 4000;

fn text(notice: &Notice) -> String {
    let mut parts = vec![format!("{} **{}**", notice.mark(), escaped(&cut(&notice.title, 300)))];
    parts.extend(notice.text.iter().map(|text| escaped(&cut(text, 1000))));
    parts.extend(notice.items.iter().map(|item| format!("- {}", escaped(&cut(item, 200)))));
    let fact = |fact: &crate::templates::Fact| {
        format!("**{}:** {}", escaped(&fact.label), escaped(&cut(&fact.value, 500)))
    };
    parts.extend(notice.facts.iter().map(fact));
    if let Some(link) = &notice.link {
        let url = link.url.replace('(', "%28").replace(')', "%29");
        parts.push(format!("[{}]({url})", escaped(&link.label)));
    }
    if let Some(picture) = &notice.picture {
        parts.push(format!("![]({})", picture.url.replace('(', "%28").replace(')', "%29")));
    }
    // Whole parts only: half an escape would be markup.
    let mut text = String::new();
    for part in parts {
        if text.chars().count() + part.chars().count() + 2 > CHARACTERS {
            break;
        }
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&part);
    }
    text
}

/// What stands for markup, with a backslash before it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation()
            && !matches!(c, '.' | ',' | '\'' | '"' | '?' | '%' | ';' | '/' | '@')
        {
            escaped.push('\\');
        }
        escaped.push(c);
        if c == '@' {
            escaped.push('\u{200b}');
        }
    }
    escaped
}
