use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::event::Audience;
use mediaflow_core::http::{GuardedClient, GuardedClientBuilder};
use mediaflow_core::notify::IntoNotifier;
use mediaflow_core::{EventKind, Notifier, Result};

use super::notifier::Settings;
use super::{Channel, ChannelNotifier};
use crate::templates::Templates;

/// Time for one attempt, unless the host says otherwise.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Configures a channel. Mistakes are reported by [`build`](ChannelBuilder::build), which the engine's builder calls.
#[must_use]
pub struct ChannelBuilder<C> {
    pub(crate) channel: C,
    to: Option<String>,
    settings: Settings,
    pub(crate) client: GuardedClientBuilder,
}

impl<C: Channel> ChannelBuilder<C> {
    /// This channel, to this address of its own, or only to addresses that jobs name.
    pub fn new(channel: C, to: Option<String>) -> Self {
        let settings = Settings {
            name: C::NAME.to_owned(),
            on: None,
            audience: None,
            locale: "en".to_owned(),
            timeout: TIMEOUT,
            templates: Templates::default(),
        };
        Self { channel, to, settings, client: GuardedClient::builder() }
    }

    /// The name of the channel, which jobs use. Default: what the channel is called, `slack`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Only these kinds of events. Default: all that end a job or batch.
    pub fn on(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.settings.on = Some(kinds.into_iter().collect());
        self
    }

    /// Whom it speaks to, which decides the words: a failed job is told to its owner in plain words, to others with
    /// the code, the facts and advice. Default: whom the event concerns.
    pub fn audience(mut self, audience: Audience) -> Self {
        self.settings.audience = Some(audience);
        self
    }

    /// The locale of the words: `de`. Default `en`.
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.settings.locale = locale.into();
        self
    }

    /// The words. Default: those that are shipped.
    pub fn templates(mut self, templates: &Templates) -> Self {
        self.settings.templates = templates.clone();
        self
    }

    /// To this address, unless a job names another.
    pub fn to(mut self, address: impl Into<String>) -> Self {
        self.to = Some(address.into());
        self
    }

    /// Time for one attempt. Default 15 s.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.settings.timeout = time;
        self.client = self.client.timeout(time);
        self
    }

    /// Allows one private `host:port` to be asked over HTTP: `127.0.0.1:9000`.
    pub fn allow_private(mut self, host_and_port: &str) -> Self {
        self.client = self.client.allow_private(host_and_port);
        self
    }

    /// Allows a private network to be asked over HTTP: `10.0.0.0/8`.
    pub fn allow_private_net(mut self, net: &str) -> Self {
        self.client = self.client.allow_private_net(net);
        self
    }

    /// Makes the notifier.
    ///
    /// # Errors
    /// The first mistake, with the channel's name: what the channel says of its settings or its address, `http.allow`,
    /// `templates.locale`.
    pub fn build(self) -> Result<ChannelNotifier<C>> {
        let name = self.settings.name.clone();
        self.finish().map_err(|mistake| mistake.with("channel", name))
    }

    fn finish(self) -> Result<ChannelNotifier<C>> {
        self.channel.check()?;
        self.settings.templates.knows(&self.settings.locale)?;
        let client = self.client.build()?;
        let own = self.to.as_deref().map(|to| self.channel.address(&client, to)).transpose()?;
        Ok(ChannelNotifier::new(self.channel, own, self.settings, client))
    }
}

impl<C: Channel> IntoNotifier for ChannelBuilder<C> {
    fn into_notifier(self) -> Result<Arc<dyn Notifier>> {
        Ok(Arc::new(self.build()?))
    }
}

impl<C: fmt::Debug> fmt::Debug for ChannelBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may be a secret.
        f.debug_struct("ChannelBuilder")
            .field("channel", &self.channel)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
