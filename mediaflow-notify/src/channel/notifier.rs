use std::time::Duration;

use mediaflow_core::event::{Audience, EventData};
use mediaflow_core::http::GuardedClient;
use mediaflow_core::media::Scratch;
use mediaflow_core::notify::{Address, DeliveryContext, Message, Outcome, Receipt, Terms};
use mediaflow_core::{Error, Event, EventKind, Notifier, NotifyError, Result, async_trait};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{Answered, Channel, Token};
use crate::answer::not_answered;
use crate::templates::{Notice, Templates};

/// How long a picture is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A part of an address that is as long is no word, but a token.
const TOKEN: usize = 16;

/// Tells through a channel. Made by [`ChannelBuilder::build`](super::ChannelBuilder::build).
#[derive(Debug)]
pub struct ChannelNotifier<C> {
    channel: C,
    own: Option<Address>,
    settings: Settings,
    client: GuardedClient,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) on: Option<Vec<EventKind>>,
    pub(super) audience: Option<Audience>,
    pub(super) locale: String,
    pub(super) timeout: Duration,
    pub(super) templates: Templates,
}

impl<C: Channel> ChannelNotifier<C> {
    pub(super) fn new(
        channel: C,
        own: Option<Address>,
        settings: Settings,
        client: GuardedClient,
    ) -> Self {
        Self { channel, own, settings, client }
    }

    fn tells_of(&self, event: &Event) -> bool {
        let on = self.settings.on.as_ref();
        on.map_or(event.kind.is_terminal(), |kinds| kinds.contains(&event.kind))
    }

    fn sending<'a>(
        &'a self,
        message: &'a Message,
        cx: &'a DeliveryContext,
        to: &'a Address,
    ) -> Sending<'a> {
        let Self { settings, client, .. } = self;
        Sending { message, cx, to, settings, client, tokens: self.channel.tokens() }
    }

    /// What this very channel could not deliver, it can not deliver either.
    fn is_about_itself(&self, event: &Event) -> bool {
        match &event.data {
            EventData::Delivery(failure) => failure.channel == self.settings.name,
            EventData::Disabled { channel, .. } => *channel == self.settings.name,
            _ => false,
        }
    }
}

#[async_trait]
impl<C: Channel> Notifier for ChannelNotifier<C> {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn wants(&self, event: &Event) -> bool {
        let named = |channel: &str| *channel == self.settings.name;
        let addressed =
            || event.notify.iter().any(|target| named(&target.channel) && target.to.is_some());
        !self.is_about_itself(event) && self.tells_of(event) && (self.own.is_some() || addressed())
    }

    fn terms(&self) -> Terms {
        self.channel.terms()
    }

    fn address(&self, text: &str) -> Result<Address> {
        let address = self.channel.address(&self.client, text);
        address.map_err(|error| error.with("channel", &self.settings.name))
    }

    fn own_address(&self) -> Option<Address> {
        self.own.clone()
    }

    async fn notify(
        &self,
        message: &Message,
        cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        let Some(to) = message.address.as_ref().or(self.own.as_ref()) else {
            return Err(NotifyError::rejected(
                "the job names no address, and the channel has none of its own",
            ));
        };
        self.channel.send(&self.sending(message, cx, to)).await
    }

    async fn notify_all(
        &self,
        messages: &[(&Message, &DeliveryContext)],
    ) -> Vec<Result<Receipt, NotifyError>> {
        let own = self.own.as_ref();
        let first = messages.first().and_then(|(message, _)| message.address.as_ref().or(own));
        let same =
            |(message, _): &(&Message, &DeliveryContext)| message.address.as_ref().or(own) == first;
        let Some(to) = first.filter(|_| messages.iter().all(same)) else {
            let error = NotifyError::rejected("messages of one request have one address");
            return vec![Err(error); messages.len()];
        };
        let sendings: Vec<_> =
            messages.iter().map(|(message, cx)| self.sending(message, cx, to)).collect();
        self.channel.send_all(&sendings).await
    }
}

/// One attempt to send one message.
#[derive(Debug)]
pub struct Sending<'a> {
    message: &'a Message,
    cx: &'a DeliveryContext,
    to: &'a Address,
    settings: &'a Settings,
    client: &'a GuardedClient,
    tokens: Vec<&'a Token>,
}

impl Sending<'_> {
    /// What is sent.
    #[must_use]
    pub fn message(&self) -> &Message {
        self.message
    }

    /// What this recipient is told, by a name that is the same in every attempt and no other recipient's: for services that
    /// know repetitions by it among all that they are given.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}-{}", self.message.id, &self.to.digest()[..16])
    }

    /// The attempt.
    #[must_use]
    pub fn context(&self) -> &DeliveryContext {
        self.cx
    }

    /// The address, secrets included.
    #[must_use]
    pub fn to(&self) -> &str {
        self.to.reveal()
    }

    /// What it means that this address is closed to us, although our credentials are good: somebody can open it. Of the host's
    /// own it is told at once; one that a job gave waits by itself, and its message ends with the schedule.
    #[must_use]
    pub fn denied(&self) -> Outcome {
        if self.message.address.is_none() { Outcome::Auth } else { Outcome::Retryable }
    }

    /// What is said, in words for whom the message is for and in their locale, or else in those of the channel.
    #[must_use]
    pub fn notice(&self) -> Notice {
        let Settings { templates, locale, audience, .. } = self.settings;
        let known = self.message.locale.as_ref().filter(|locale| templates.knows(locale).is_ok());
        let audience = self.message.audience.or(*audience);
        templates.notice(self.message, known.unwrap_or(locale), audience)
    }

    /// Time for the attempt.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// A small picture from the host's own place for such, with its media type; none if it can not be had within a few
    /// seconds, is no picture, or is larger than this.
    pub async fn picture(&self, url: &str, most: u64) -> Option<(Vec<u8>, &'static str)> {
        let scratch = Scratch::in_folder(std::env::temp_dir());
        let fetched = timeout(PATIENCE, self.client.fetch(url, most, &scratch)).await.ok()?;
        let log = |error: &Error| tracing::debug!(%error, "a picture is left out of a message");
        let blob = fetched.inspect_err(log).ok()?;
        let bytes = spawn_blocking(move || blob.read(most)).await.ok()?.ok()?;
        let mime = match bytes.get(..4)? {
            [0xff, 0xd8, 0xff, _] => "image/jpeg",
            b"\x89PNG" => "image/png",
            b"GIF8" => "image/gif",
            b"RIFF" => "image/webp",
            _ => return None,
        };
        Some((bytes.to_vec(), mime))
    }

    /// Posts a body, and notes the answer for the delivery log.
    ///
    /// # Errors
    /// Nobody answered, or nobody was asked.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answered, NotifyError> {
        let answer = self.ask(url, headers, body).await?;
        // Receivers repeat what they were asked, and what they were asked with.
        let secrets = headers.iter().filter(|(name, _)| *name == "authorization");
        let secrets = secrets.flat_map(|(_, value)| value.split(' '));
        let words = url.split(['/', ':', '?', '&', '=', '@', '#']).chain(secrets);
        let words = words.chain(self.tokens.iter().map(|token| token.reveal()));
        let said = String::from_utf8_lossy(&answer.response.body).into_owned();
        let said = words.filter(|word| word.len() >= TOKEN).fold(said, |said, word| {
            if said.contains(word) { said.replace(word, "[REDACTED]") } else { said }
        });
        self.cx.answered(answer.response.status, said.as_bytes());
        Ok(answer)
    }

    /// Posts a body whose answer stands in no log: it holds a secret.
    ///
    /// # Errors
    /// Nobody answered, or nobody was asked.
    pub async fn ask(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answered, NotifyError> {
        let response = self.client.post(url, headers, body).await;
        Ok(Answered { response: response.map_err(|error| not_answered(&error))? })
    }

    /// Posts JSON, with further headers.
    ///
    /// # Errors
    /// Nobody answered, or nobody was asked.
    pub async fn post_json(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &serde_json::Value,
    ) -> Result<Answered, NotifyError> {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.post(url, &all, body.to_string().into_bytes()).await
    }
}
