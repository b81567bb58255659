//! Microsoft Teams, through a workflow that posts what it is sent ("Post to a channel when a webhook request is received").
//!
//! ```
//! use mediaflow_notify::Teams;
//!
//! let channel = Teams::workflow("https://prod-00.westeurope.logic.azure.com/workflows/id/triggers/manual/paths/invoke?sig=secret").build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! A message is an adaptive card. Texts are `RichTextBlock`s, which know no Markdown: nothing in them is a link or a mention.
//! Formats and limits: [webhooks of workflows](https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using),
//! [adaptive cards](https://adaptivecards.io/explorer/RichTextBlock.html).

use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{
    Address, Credentials, HttpOutcomes, Outcome, RateLimit, Receipt, Scope, Terms,
};
use mediaflow_core::{NotifyError, Result, async_trait};
use serde_json::{Value, json};

use crate::channel::{Channel, ChannelBuilder, Sending, cut, url_address};
use crate::templates::Notice;

/// Microsoft Teams. See the [module](self).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Teams;

impl Teams {
    /// Through a workflow; its address is a secret.
    pub fn workflow(url: impl Into<String>) -> ChannelBuilder<Self> {
        ChannelBuilder::new(Self, Some(url.into()))
    }
}

/// How many bytes a card may have: 28 KB by the documentation, less by what users have measured.
const BYTES: usize = 20_000;

#[async_trait]
impl Channel for Teams {
    const NAME: &'static str = "teams";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.credentials = Some(Credentials::Address);
        terms.rate = Some(RateLimit::per_second(4));
        terms.scope = Scope::Address;
        terms
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        url_address(client, text)
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let notice = sending.notice();
        // What is long is cut shorter and shorter until it fits.
        let bodies = [4000, 1000, 250, 60].map(|longest| message(&notice, longest));
        let fits = |body: &&Value| body.to_string().len() <= BYTES;
        let Some(body) = bodies.iter().find(fits) else {
            return Err(NotifyError::too_large("the card has more bytes than Teams takes"));
        };
        let answer = sending.post_json(sending.to(), &[], body).await?;
        answer.by_status(&HttpOutcomes::new().except(413, Outcome::TooLarge))
    }
}

fn message(notice: &Notice, longest: usize) -> Value {
    let run = |text: &str| json!({ "type": "TextRun", "text": cut(text, longest) });
    let block = |runs: Vec<Value>| json!({ "type": "RichTextBlock", "inlines": runs });
    let title = format!("{} {}", notice.mark(), notice.title);
    let mut head = run(&title);
    (head["weight"], head["size"]) = ("Bolder".into(), "Medium".into());
    let mut body = vec![block(vec![head])];
    body.extend(notice.text.iter().map(|text| block(vec![run(text)])));
    body.extend(notice.items.iter().map(|item| block(vec![run(&format!("\u{2022} {item}"))])));
    for fact in &notice.facts {
        let mut label = run(&format!("{}: ", fact.label));
        label["weight"] = "Bolder".into();
        body.push(block(vec![label, run(&fact.value)]));
    }
    if let Some(picture) = &notice.picture {
        let alt = cut(&picture.alt, longest);
        body.push(json!({ "type": "Image", "url": picture.url, "altText": alt, "size": "Medium" }));
    }
    let open = |link: &crate::templates::Link| json!({ "type": "Action.OpenUrl", "title": link.label, "url": link.url });
    let actions: Vec<_> = notice.link.iter().map(open).collect();
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard", "version": "1.4", "fallbackText": cut(&title, longest), "body": body, "actions": actions,
    });
    let attachment = json!({
        "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card,
    });
    json!({ "type": "message", "attachments": [attachment] })
}
