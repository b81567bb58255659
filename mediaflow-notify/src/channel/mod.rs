//! What all channels have in common: one shape of settings, addresses and attempts. A channel says how its addresses read,
//! what it can take, and how one message is sent; the rest stands here once.
//!
//! ```
//! use mediaflow_core::EventKind::JobFailed;
//! use mediaflow_notify::Slack;
//!
//! let chat = Slack::webhook("https://hooks.slack.com/services/T0/B0/secret").name("team").on([JobFailed]).build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! Uses: answer, payload, templates.

mod answer;
mod builder;
mod notifier;

use std::fmt;

use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{Address, Receipt, Terms};
use mediaflow_core::{Error, NotifyError, Result, async_trait, codes};

pub use crate::payload::cut;
pub use answer::{Answered, named};
pub use builder::ChannelBuilder;
pub use notifier::{ChannelNotifier, Sending};

/// One kind of channel, such as Slack: what tells it from others.
#[async_trait]
pub trait Channel: fmt::Debug + Send + Sync + 'static {
    /// What a notifier is called unless its host says otherwise: `slack`.
    const NAME: &'static str;

    /// What it can take.
    fn terms(&self) -> Terms;

    /// Whether its own settings are right.
    ///
    /// # Errors
    /// The first mistake.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Tokens of its own that stand in bodies: what a receiver repeats of them is in no log.
    fn tokens(&self) -> Vec<&Token> {
        Vec::new()
    }

    /// Reads an address, as far as that goes without asking anybody.
    ///
    /// # Errors
    /// What is wrong with it.
    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address>;

    /// Makes one attempt.
    ///
    /// # Errors
    /// What to do next.
    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError>;
}

/// A URL to post to, and its origin, as far as the guard can see from it.
///
/// # Errors
/// `http.url`, `http.scheme`, `http.forbidden_address`.
pub fn url_address(client: &GuardedClient, url: &str) -> Result<Address> {
    Ok(Address::at(client.origin(url)?, url))
}

/// An address that is no URL, at a service of this URL.
///
/// # Errors
/// `channel.address`: it is empty, or has blanks or control characters. What is wrong with the service's URL.
pub fn name_address(client: &GuardedClient, service: &str, name: &str) -> Result<Address> {
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::input(codes::CHANNEL_ADDRESS, "an address of this channel is one word"));
    }
    Ok(Address::at(client.origin(service)?, name))
}

/// Where a service is: its URL without credentials, which the channel has in its own form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// This one; a slash at its end is dropped, and [`check`](Self::check) says whether it is one.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        let url = url.into();
        // What must not be there is not kept: it may be a password.
        let (scheme, rest) = url.split_once("://").unwrap_or(("", &url));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            Self(format!("{scheme}://"))
        } else {
            Self(url.trim_end_matches('/').to_owned())
        }
    }

    /// The URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0
    }

    /// Whether it is an address without credentials.
    ///
    /// # Errors
    /// `channel.endpoint`.
    pub fn check(&self) -> Result<()> {
        if self.0.ends_with("://") || !self.0.contains("://") {
            return Err(Error::input(codes::CHANNEL_ENDPOINT, "this is no address of a service")
                .help("write `https://host`, without a user and a password"));
        }
        Ok(())
    }
}

/// A secret of a channel's own: a token. It shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// This one.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token itself, for sending.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}
