//! Google Chat: cards in a space, one thread for each job, through a webhook of the space.
//!
//! ```
//! use mediaflow_core::EventKind::JobFailed;
//! use mediaflow_notify::GoogleChat;
//!
//! let url = "https://chat.googleapis.com/v1/spaces/S/messages?key=k&token=secret";
//! let space = GoogleChat::webhook(url).on([JobFailed]).build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! # Addresses
//!
//! The URL of a webhook, as Google Chat gives it in the settings of a space. As one line: `gchat://space/key/token`.
//!
//! # Messages
//!
//! A card, in which what would be HTML is escaped, and a text for Google's own notifications. `requestId`, which is added to the
//! URL, is the message's id. Messages of one job have its `threadKey`; where Google can not reply in that thread, it begins a new one.
//!
//! ```json
//! { "fallbackText": "❌ cat.jpg could not be processed",
//!   "cardsV2": [ {
//!     "cardId": "0199c8f0-0000-7000-8000-000000000002",
//!     "card": {
//!       "header": { "title": "❌ cat.jpg could not be processed" },
//!       "sections": [ { "widgets": [
//!         { "textParagraph": { "text": "the image ends too early" } },
//!         { "decoratedText": { "topLabel": "Job", "text": "0199c8f0-0000-7000-8000-000000000001", "wrapText": true } },
//!         { "decoratedText": { "topLabel": "Error", "text": "image.truncated", "wrapText": true } },
//!         { "decoratedText": { "topLabel": "Where", "text": "source = cat.jpg", "wrapText": true } },
//!         { "decoratedText": { "topLabel": "Attempts", "text": "1", "wrapText": true } },
//!         { "decoratedText": { "topLabel": "What to do", "text": "upload the whole file", "wrapText": true } },
//!         { "buttonList": { "buttons": [
//!             { "text": "Show details",
//!               "onClick": { "openLink": { "url": "https://app.example/media/7" } } } ] } } ] } ] } } ] }
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | title | 200 characters |
//! | each paragraph | 1,500 characters; 500, 150 or 50 if the card would be too large |
//! | facts | a label of 100 and a value of 500 characters |
//! | the card | 100 widgets, and 27,000 bytes: Google takes 32,000 for the whole message |
//! | rate | 1 in a second to each address |
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | 200 with the message | arrived, with its `name` |
//! | 400 | `Rejected` |
//! | 404 | `Gone` |
//! | 413 | `TooLarge` |
//! | all others | as on [every channel](crate::channel#answers) |
//!
//! A repetition with the same `requestId` gives the message that is there, and makes no second one.
//!
//! # Secrets
//!
//! The URL is a secret as a whole; `key` and `token` in it are what Google checks.
//!
//! # Documentation
//!
//! Google's own: [webhooks](https://developers.google.com/workspace/chat/quickstart/webhooks),
//! [creating messages](https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create),
//! [cards](https://developers.google.com/workspace/chat/api/reference/rest/v1/cards),
//! [rates](https://developers.google.com/workspace/chat/limits).

use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{
    Address, Credentials, HttpOutcomes, Outcome, RateLimit, Receipt, Scope, Terms,
};
use mediaflow_core::{NotifyError, Result, async_trait};
use serde_json::{Value, json};

use crate::channel::{Channel, ChannelBuilder, Sending, cut, named, url_address};
use crate::payload::{escaped, percent_encoded};
use crate::templates::Notice;

/// Google Chat. See the [module](self).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GoogleChat;

impl GoogleChat {
    /// Through a webhook; its address is a secret.
    pub fn webhook(url: impl Into<String>) -> ChannelBuilder<Self> {
        ChannelBuilder::new(Self, Some(url.into()))
    }
}

#[async_trait]
impl Channel for GoogleChat {
    const NAME: &'static str = "google-chat";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.credentials = Some(Credentials::Address);
        terms.rate = Some(RateLimit::per_second(1));
        terms.scope = Scope::Address;
        terms.threads = true;
        terms
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        url_address(client, text)
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let (message, to) = (sending.message(), sending.to());
        let (id, notice) = (message.id.to_string(), sending.notice());
        let cards = [1500, 500, 150, 50].into_iter().map(|longest| card(&id, &notice, longest));
        let mut cards = cards.filter(|card| card.to_string().len() <= BYTES);
        let Some(mut body) = cards.next() else {
            return Err(NotifyError::too_large("the card has more bytes than Google Chat takes"));
        };
        let mut url = to.to_owned();
        if let Some(thread) = &message.thread {
            body["thread"] = json!({ "threadKey": cut(&thread.key, 4000) });
            let option = "messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD";
            url = format!("{to}{}{option}", if to.contains('?') { '&' } else { '?' });
        }
        // A repetition with the same id gives the message that is there.
        url = format!(
            "{url}{}requestId={}",
            if url.contains('?') { '&' } else { '?' },
            percent_encoded(&message.id.to_string())
        );
        let answer = sending.post_json(&url, &[], &body).await?;
        let outcomes = HttpOutcomes::new()
            .except(400, Outcome::Rejected)
            .except(404, Outcome::Gone)
            .except(413, Outcome::TooLarge);
        let receipt = answer.by_status(&outcomes)?;
        let said = answer.json().unwrap_or_default();
        Ok(named(receipt, said["name"].as_str()))
    }
}

/// How many bytes a message may have: 32,000, less what a thread's key and the rest need.
const BYTES: usize = 27_000;

fn card(id: &str, notice: &Notice, longest: usize) -> Value {
    let title = format!("{} {}", notice.mark(), notice.title);
    let paragraph =
        |text: &str| json!({ "textParagraph": { "text": escaped(&cut(text, longest)) } });
    let mut widgets: Vec<_> = notice.text.iter().map(|text| paragraph(text)).collect();
    widgets.extend(notice.items.iter().map(|item| paragraph(&format!("\u{2022} {item}"))));
    for fact in &notice.facts {
        let (label, value) =
            (escaped(&cut(&fact.label, 100)), escaped(&cut(&fact.value, longest.min(500))));
        widgets.push(
            json!({ "decoratedText": { "topLabel": label, "text": value, "wrapText": true } }),
        );
    }
    if let Some(picture) = &notice.picture {
        widgets.push(
            json!({ "image": { "imageUrl": picture.url, "altText": cut(&picture.alt, 500) } }),
        );
    }
    if let Some(link) = &notice.link {
        let open = json!({ "openLink": { "url": link.url } });
        widgets.push(
            json!({ "buttonList": { "buttons": [{ "text": link.label, "onClick": open }] } }),
        );
    }
    widgets.truncate(100);
    let mut card = json!({ "header": { "title": cut(&title, 200) } });
    if !widgets.is_empty() {
        card["sections"] = json!([{ "widgets": widgets }]);
    }
    json!({ "cardsV2": [{ "cardId": id, "card": card }], "fallbackText": cut(&title, 1000) })
}
