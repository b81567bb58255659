use std::fmt;

use mediaflow_core::event::EventData;
use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{Address, Credentials, DeliveryContext, Message, Receipt, Terms};
use mediaflow_core::{Event, EventKind, Notifier, NotifyError, Result, Timestamp, async_trait};
use mediaflow_sign::standard;

use super::outcome;
use super::vendor::{Request, Vendor};
use crate::payload::{self, Envelope, PublicUrls};

/// Posts events to one address, or to those that jobs name. Made by [`Webhook::build`](super::Webhook::build).
pub struct WebhookNotifier {
    pub(super) name: String,
    pub(super) address: Option<Address>,
    pub(super) on: Option<Vec<EventKind>>,
    pub(super) dialect: Dialect,
    pub(super) max_body: usize,
    pub(super) client: GuardedClient,
}

#[derive(Debug)]
pub(super) enum Dialect {
    Standard(standard::Signer, Form),
    Vendor(Vendor, PublicUrls),
}

/// What a body of Standard Webhooks looks like.
#[derive(Clone, Debug)]
pub(super) enum Form {
    Standard,
    /// `CloudEvents` from this source, all of it in the body.
    Structured(String),
    /// `CloudEvents` from this source, with the attributes as headers.
    Binary(String),
}

/// How many reports of single jobs come with an event of a batch.
const REPORTS: usize = 100;

#[async_trait]
impl Notifier for WebhookNotifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn wants(&self, event: &Event) -> bool {
        let addressed =
            || event.notify.iter().any(|target| target.channel == self.name && target.to.is_some());
        !self.is_about_itself(event)
            && self.tells_of(event)
            && (self.address.is_some() || addressed())
    }

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.reports = REPORTS;
        if let Dialect::Vendor(vendor, _) = &self.dialect {
            let kinds = EventKind::ALL.into_iter().filter(|kind| vendor.has_word_for(*kind));
            (terms.digests, terms.kinds) = (false, Some(kinds.collect()));
        }
        // Who is there compares with the secret that it has, which may be another one.
        terms.credentials = Some(Credentials::Address);
        terms
    }

    fn address(&self, text: &str) -> Result<Address> {
        address(&self.client, text).map_err(|error| error.with("channel", &self.name))
    }

    fn own_address(&self) -> Option<Address> {
        self.address.clone()
    }

    async fn notify(
        &self,
        message: &Message,
        cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        let Some(address) = message.address.as_ref().or(self.address.as_ref()) else {
            return Err(NotifyError::rejected(
                "the job names no address, and the webhook has none of its own",
            ));
        };
        let Request { headers, body, proof } =
            self.dialect.request(message, cx.now, self.max_body)?;
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (&**name, value.as_str())).collect();
        let answer = self.client.post(address.reveal(), &headers, body).await;
        match (&answer, proof) {
            // Receivers repeat what they were asked with.
            (Ok(response), Some(proof)) => {
                let said = String::from_utf8_lossy(&response.body).replace(&proof, "[REDACTED]");
                cx.answered(response.status, said.as_bytes());
            }
            (Ok(response), None) => cx.answered(response.status, &response.body),
            (Err(_), _) => {}
        }
        outcome::of(answer)
    }
}

/// A URL that the guard lets through as far as can be seen from it, and its origin.
pub(super) fn address(client: &GuardedClient, url: &str) -> Result<Address> {
    Ok(Address::at(client.origin(url)?, url))
}

impl WebhookNotifier {
    fn tells_of(&self, event: &Event) -> bool {
        match (&self.on, &self.dialect) {
            (Some(kinds), _) => kinds.contains(&event.kind),
            (None, Dialect::Standard(..)) => event.kind.is_terminal(),
            (None, Dialect::Vendor(vendor, _)) => vendor.tells_of(event),
        }
    }

    /// What this very channel could not deliver, it can not deliver either.
    fn is_about_itself(&self, event: &Event) -> bool {
        match &event.data {
            EventData::Delivery(failure) => failure.channel == self.name,
            EventData::Disabled { channel, .. } => *channel == self.name,
            _ => false,
        }
    }
}

impl Dialect {
    fn request(
        &self,
        message: &Message,
        now: Timestamp,
        limit: usize,
    ) -> Result<Request, NotifyError> {
        let (id, seconds) = (message.id.to_string(), now.seconds());
        let content = |kind: &str| ("content-type".into(), kind.to_owned());
        let json = "application/json";
        Ok(match self {
            Self::Standard(signer, form) => {
                let (envelope, kind) = match form {
                    Form::Standard => (Envelope::Standard, json),
                    Form::Structured(source) => {
                        (Envelope::CloudEvents(source), "application/cloudevents+json")
                    }
                    Form::Binary(_) => (Envelope::Bare, json),
                };
                let body = payload::within(message, envelope, limit)?;
                let signature = signer.sign(&id, seconds, &body);
                let mut headers = vec![
                    content(kind),
                    (standard::ID.into(), id),
                    (standard::TIMESTAMP.into(), seconds.to_string()),
                    (standard::SIGNATURE.into(), signature),
                ];
                if let Form::Binary(source) = form {
                    let attributes = payload::attributes(message, source);
                    let header = |(name, value): (_, String)| {
                        (format!("ce-{name}").into(), in_header(&value))
                    };
                    headers.extend(attributes.into_iter().map(header));
                }
                Request { headers, body, proof: None }
            }
            Self::Vendor(vendor, urls) => {
                let mut request = vendor.request(message, urls, now, limit)?;
                request.headers.push(content(json));
                request.headers.push(("idempotency-key".into(), id));
                request
            }
        })
    }
}

/// A value in a header, as the [binding to HTTP](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3132-http-header-values)
/// has it.
fn in_header(value: &str) -> String {
    let mut header = String::with_capacity(value.len());
    let mut buffer = [0; 4];
    for c in value.chars() {
        if matches!(c, '!'..='~') && !matches!(c, '"' | '%') {
            header.push(c);
        } else {
            let bytes = c.encode_utf8(&mut buffer).bytes();
            header.extend(bytes.map(|byte| format!("%{byte:02X}")));
        }
    }
    header
}

impl fmt::Debug for WebhookNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address shows its origin only, and the dialect hides its secrets itself.
        f.debug_struct("WebhookNotifier")
            .field("name", &self.name)
            .field("address", &self.address)
            .field("on", &self.on)
            .field("dialect", &self.dialect)
            .field("max_body", &self.max_body)
            .finish_non_exhaustive()
    }
}
