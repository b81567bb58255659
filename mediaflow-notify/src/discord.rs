//! Discord, through a webhook of a channel.
//!
//! ```
//! use mediaflow_notify::Discord;
//!
//! let channel = Discord::webhook("https://discord.com/api/webhooks/1/secret").build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! Nobody is mentioned (`allowed_mentions`), and what would be markup in a text is escaped. Format and limits:
//! [execute webhook](https://discord.com/developers/docs/resources/webhook#execute-webhook),
//! [embeds](https://discord.com/developers/docs/resources/message#embed-object-embed-limits).

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
