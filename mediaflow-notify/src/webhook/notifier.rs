use std::fmt;

use mediaflow_core::event::EventData;
use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{Address, DeliveryContext, Message, Receipt, Terms};
use mediaflow_core::{Event, EventKind, Notifier, NotifyError, Result, Timestamp, async_trait};

use super::cloudinary::{self, PublicUrls};
use super::{body, outcome, standard};

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
    Standard(standard::Signer),
    Cloudinary(cloudinary::Signer, PublicUrls),
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
        let (headers, body) = self.dialect.request(message, cx.now, self.max_body)?;
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = self.client.post(address.reveal(), &headers, body).await;
        if let Ok(response) = &answer {
            cx.answered(response.status, &response.body);
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
            (None, Dialect::Standard(_)) => event.kind.is_terminal(),
            (None, Dialect::Cloudinary(..)) => {
                event.kind.is_terminal()
                    && (event.batch.is_none() || event.kind == EventKind::BatchCompleted)
            }
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

type Headers = [(&'static str, String); 4];

impl Dialect {
    fn request(
        &self,
        message: &Message,
        now: Timestamp,
        limit: usize,
    ) -> Result<(Headers, Vec<u8>), NotifyError> {
        let (id, seconds) = (message.id.to_string(), now.seconds());
        let json = ("content-type", "application/json".to_owned());
        Ok(match self {
            Self::Standard(signer) => {
                let body = body::standard(message, limit)?;
                let signature = signer.sign(&id, seconds, &body);
                let headers = [
                    json,
                    (standard::ID, id),
                    (standard::TIMESTAMP, seconds.to_string()),
                    (standard::SIGNATURE, signature),
                ];
                (headers, body)
            }
            Self::Cloudinary(signer, urls) => {
                let body = cloudinary::payload(message, urls, limit)?;
                let signature = signer.sign(&body, seconds);
                let headers = [
                    json,
                    ("idempotency-key", id),
                    (cloudinary::TIMESTAMP, seconds.to_string()),
                    (cloudinary::SIGNATURE, signature),
                ];
                (headers, body)
            }
        })
    }
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
