//! Courier: it tells people through what they and their host have chosen there (e-mail, push, chat, SMS), in the words given here or
//! in those of its own templates.
//!
//! ```
//! use mediaflow_core::event::Audience;
//! use mediaflow_notify::Courier;
//!
//! let content = Courier::api("pk_secret").to("user:ada").audience(Audience::Owner).build()?;
//! let template = Courier::api("pk_secret").template("media-failed").name("courier-template").build()?;
//! let older = Courier::api("pk_secret").event("MEDIA_FAILED").name("courier-events").build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! # Addresses
//!
//! Who is told: `email:ada@example.com`, `phone:+4930123`, `list:uploads`, `tenant:acme`, or a user by `user:ada`; without a word
//! before it, an e-mail address is one, and anything else a user. As one line: `courier://key/email:ada@example.com`.
//!
//! # Messages
//!
//! Of three forms: the notice as content; or, for a template of Courier's own ([`template`](ChannelBuilder::template)), the
//! event as data, as [webhooks](crate::webhook) have it, with `title`, `text` and `link` beside it; or the same data
//! in the older form, by an event and a recipient ([`event`](ChannelBuilder::event)). What somebody has called a file is a
//! value there, and no template. As content:
//!
//! ```json
//! { "message": {
//!     "to": { "user_id": "ada" },
//!     "content": { "title": "{{title}}", "body": "{{body}}" },
//!     "data": { "id": "0199c8f0-0000-7000-8000-000000000002", "title": "cat.jpg could not be processed",
//!               "body": "the image ends too early\nJob: 0199c8f0-0000-7000-8000-000000000001\nError: image.truncated\nWhere: source = cat.jpg\nAttempts: 1\nWhat to do: upload the whole file\nShow details: https://app.example/media/7" },
//!     "metadata": { "trace_id": "0199c8f0-0000-7000-8000-000000000002" } } }
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | the message | no limit of its own: the words are as long as templates make them, and the event is whole |
//! | rate | none of its own; 429 is waited for |
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | 202, any 2xx | arrived at Courier, with the `requestId`, in the older form `messageId`. Whether it reaches people stands in Courier's own log |
//! | 400, 422 | `Rejected` |
//! | 413 | `TooLarge` |
//! | all others | as on [every channel](crate::channel#answers) |
//!
//! `Idempotency-Key` is the message's id and a digest of whom it is for: one event is told to several. Courier keeps a key for 24 hours, and answers a repetition as it answered the first time, also
//! where that was an error: there is no second message, and a failure may last until the key is forgotten.
//!
//! # Secrets
//!
//! The API key is sent in `Authorization`, to Courier only: `https://api.courier.com`, or what `endpoint` names, such as
//! `https://api.eu.courier.com`.
//!
//! # Documentation
//!
//! Courier's own: [send](https://www.courier.com/docs/reference/send/message),
//! [keys of repetitions](https://www.courier.com/docs/reference/get-started).

use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{Address, Credentials, HttpOutcomes, Outcome, Receipt, Terms};
use mediaflow_core::{Error, NotifyError, Result, async_trait, codes};
use serde_json::{Value, json};

use crate::channel::{Channel, ChannelBuilder, Endpoint, Sending, Token, name_address, named};
use crate::payload;
use crate::templates::Notice;

/// Courier. What somebody has called a file is a value there, and no template. See the [module](self).
#[derive(Clone, Debug)]
pub struct Courier {
    token: Token,
    endpoint: Endpoint,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Content,
    Template(String),
    Event(String),
}

impl Courier {
    /// With this API key, to whom jobs name, or to [`to`](ChannelBuilder::to).
    pub fn api(key: impl Into<String>) -> ChannelBuilder<Self> {
        let endpoint = Endpoint::new("https://api.courier.com");
        ChannelBuilder::new(Self { token: Token::new(key), endpoint, form: Form::Content }, None)
    }
}

impl ChannelBuilder<Courier> {
    /// By a template of Courier's, which gets the event as data.
    pub fn template(mut self, id: impl Into<String>) -> Self {
        self.channel.form = Form::Template(id.into());
        self
    }

    /// In the older form of the API, by an event that is mapped to a notification in Courier.
    pub fn event(mut self, id: impl Into<String>) -> Self {
        self.channel.form = Form::Event(id.into());
        self
    }

    /// Where the API is: `https://api.eu.courier.com`. Default `https://api.courier.com`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.channel.endpoint = Endpoint::new(url);
        self
    }
}

#[async_trait]
impl Channel for Courier {
    const NAME: &'static str = "courier";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.credentials = Some(Credentials::Host);
        terms
    }

    fn check(&self) -> Result<()> {
        self.endpoint.check()
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        let address = name_address(client, self.endpoint.url(), text)?;
        recipient(text).map(|_| address)
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let to = recipient(sending.to()).map_err(|e| NotifyError::rejected(e.to_string()))?;
        let message = sending.message();
        let data = || match message.events() {
            [event] => payload::data(event, &message.reports),
            events => json!({
                "type": "digest",
                "events": events.iter().map(|event| payload::data(event, &[])).collect::<Vec<_>>(),
            }),
        };
        let notice = sending.notice();
        let id = message.id.to_string();
        let body = match &self.form {
            Form::Content => json!({ "message": {
                "to": to, "content": { "title": "{{title}}", "body": "{{body}}" },
                "data": { "id": id, "title": notice.title, "body": notice.lines().join("\n") },
                "metadata": { "trace_id": id },
            } }),
            Form::Template(template) => json!({ "message": {
                "to": to, "template": template, "data": with_notice(data(), &notice),
                "metadata": { "trace_id": id },
            } }),
            Form::Event(event) => {
                let recipient = to.as_object().and_then(|to| to.values().next()).cloned();
                json!({ "event": event, "recipient": recipient, "profile": to, "data": with_notice(data(), &notice) })
            }
        };
        let authorization = format!("Bearer {}", self.token.reveal());
        let key = sending.key();
        let headers =
            [("authorization", authorization.as_str()), ("idempotency-key", key.as_str())];
        let url = format!("{}/send", self.endpoint.url());
        let answer = sending.post_json(&url, &headers, &body).await?;
        let outcomes = HttpOutcomes::new()
            .except(400, Outcome::Rejected)
            .except(413, Outcome::TooLarge)
            .except(422, Outcome::Rejected);
        let receipt = answer.by_status(&outcomes)?;
        let said = answer.json().unwrap_or_default();
        Ok(named(receipt, said["requestId"].as_str().or_else(|| said["messageId"].as_str())))
    }
}

/// Who is told, in Courier's words.
fn recipient(text: &str) -> Result<Value> {
    let (kind, name) = match text.split_once(':') {
        Some((kind, name)) => (kind, name),
        None if text.contains('@') => ("email", text),
        None => ("user", text),
    };
    let word = match kind {
        "email" => "email",
        "phone" => "phone_number",
        "user" => "user_id",
        "list" => "list_id",
        "tenant" => "tenant_id",
        _ => {
            return Err(Error::input(
                codes::CHANNEL_ADDRESS,
                "Courier has no such kind of recipient",
            )
            .help("write `user:`, `email:`, `phone:`, `list:` or `tenant:` before the name"));
        }
    };
    if name.is_empty() {
        return Err(Error::input(codes::CHANNEL_ADDRESS, "a recipient of Courier has a name"));
    }
    Ok(json!({ word: name }))
}

/// The event, with its words beside it.
fn with_notice(mut data: Value, notice: &Notice) -> Value {
    data["title"] = notice.title.as_str().into();
    data["text"] = notice.text.join("\n\n").into();
    if let Some(link) = &notice.link {
        data["link"] = link.url.as_str().into();
    }
    data
}
