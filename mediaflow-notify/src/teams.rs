//! Microsoft Teams: cards in a channel or chat, through a workflow that posts what it is sent ("Post to a channel when a webhook
//! request is received"). The older connectors of Office 365 are another form, and are not spoken here.
//!
//! ```
//! use mediaflow_core::EventKind::JobFailed;
//! use mediaflow_notify::Teams;
//!
//! let url = "https://prod-00.westeurope.logic.azure.com/workflows/id/triggers/manual/paths/invoke?sig=secret";
//! let channel = Teams::workflow(url).on([JobFailed]).build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! # Addresses
//!
//! The URL of a workflow, as its editor shows it. As one line: `workflows://host/workflow/signature`.
//!
//! # Messages
//!
//! An adaptive card. Texts are `RichTextBlock`s, which know no Markdown: nothing in them is a link or a mention. The link is a button.
//!
//! ```json
//! { "type": "message",
//!   "attachments": [ {
//!     "contentType": "application/vnd.microsoft.card.adaptive",
//!     "contentUrl": null,
//!     "content": {
//!       "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
//!       "type": "AdaptiveCard", "version": "1.4",
//!       "fallbackText": "❌ cat.jpg could not be processed",
//!       "body": [
//!         { "type": "RichTextBlock", "inlines": [
//!             { "type": "TextRun", "text": "❌ cat.jpg could not be processed", "weight": "Bolder", "size": "Medium" } ] },
//!         { "type": "RichTextBlock", "inlines": [ { "type": "TextRun", "text": "the image ends too early" } ] },
//!         { "type": "RichTextBlock", "inlines": [
//!             { "type": "TextRun", "text": "Job: ", "weight": "Bolder" },
//!             { "type": "TextRun", "text": "0199c8f0-0000-7000-8000-000000000001" } ] },
//!         { "type": "RichTextBlock", "inlines": [
//!             { "type": "TextRun", "text": "Error: ", "weight": "Bolder" },
//!             { "type": "TextRun", "text": "image.truncated" } ] },
//!         { "type": "RichTextBlock", "inlines": [
//!             { "type": "TextRun", "text": "Where: ", "weight": "Bolder" },
//!             { "type": "TextRun", "text": "source = cat.jpg" } ] },
//!         { "type": "RichTextBlock", "inlines": [
//!             { "type": "TextRun", "text": "Attempts: ", "weight": "Bolder" },
//!             { "type": "TextRun", "text": "1" } ] },
//!         { "type": "RichTextBlock", "inlines": [
//!             { "type": "TextRun", "text": "What to do: ", "weight": "Bolder" },
//!             { "type": "TextRun", "text": "upload the whole file" } ] } ],
//!       "actions": [
//!         { "type": "Action.OpenUrl", "title": "Show details", "url": "https://app.example/media/7" } ] } } ] }
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | each text | 4,000 characters; 1,000, 250 or 60 if the card would be too large |
//! | the whole request | 20,000 bytes: 28 KB by the documentation, less by what users have measured |
//! | rate | 4 in a second to each address |
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | 202, any 2xx | arrived: the workflow has begun. Whether it posts the card, it does not say |
//! | 413 | `TooLarge` |
//! | all others | as on [every channel](crate::channel#answers) |
//!
//! A workflow knows no message again: one whose answer was lost may be there twice.
//!
//! # Secrets
//!
//! The URL is a secret as a whole; `sig` in it is what the workflow checks.
//!
//! # Documentation
//!
//! Microsoft's own: [webhooks of workflows](https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using),
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
