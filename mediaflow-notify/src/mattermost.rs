//! Mattermost and Rocket.Chat, through an incoming webhook.
//!
//! ```
//! use mediaflow_notify::Mattermost;
//!
//! let channel = Mattermost::webhook("https://chat.example/hooks/secret").build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! What would be markup in a text is escaped, and an `@` that could mention somebody is followed by a space of no width.
//! Format and limits: [incoming webhooks](https://developers.mattermost.com/integrate/webhooks/incoming/).

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
