//! What all channels have in common: one shape of settings, addresses and attempts. A channel says how its addresses read,
//! what it can take, and how one message is sent; the rest stands here once.
//!
//! ```
//! use mediaflow_core::EventKind::JobFailed;
//! use mediaflow_core::Mediaflow;
//! use mediaflow_core::event::Audience;
//! use mediaflow_notify::{Email, Slack};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mediaflow_core::Result<()> {
//! let chat = Slack::webhook("https://hooks.slack.com/services/T0/B0/secret").name("team").on([JobFailed]);
//! let mail = Email::relay("smtps://user:secret@smtp.example", "Media <media@app.example>")
//!     .to("ada@example.com")
//!     .audience(Audience::Owner)
//!     .locale("de");
//! let media = Mediaflow::builder().notify(chat).notify(mail).start().await?;
//! # media.shutdown(std::time::Duration::from_secs(1)).await?;
//! # Ok(()) }
//! ```
//!
//! The page of each channel has the sections that stand here, and says in each what is its own. The
//! [table of channels](https://github.com/mediaflow-rs/mediaflow/blob/main/mediaflow-notify/CHANNELS.md) has all of them side by
//! side.
//!
//! # Addresses
//!
//! A channel has an address of its own, from its constructor or from [`to`](ChannelBuilder::to), and a job can name another one for
//! it ([`JobOptions::notify`](mediaflow_core::spec::JobOptions::notify)), by the channel's [`name`](ChannelBuilder::name). Without an
//! address of its own, a channel tells only of jobs that name one. An address is read when the channel is built, or when the job is
//! submitted; what is wrong with it is an error there. Services in private networks are refused unless the host allows them
//! ([`allow_private`](ChannelBuilder::allow_private)).
//!
//! # Messages
//!
//! A message tells of an event that ends a job or batch, unless [`on`](ChannelBuilder::on) says otherwise. Its words are
//! [templates](crate::templates), in plain text, for whom the message is for and in their locale if a rule knows it, else as the channel's
//! builder says; the channel gives them its service's form and escapes them. The example on each page
//! is what a failed job looks like to administrators, in the shipped English words, with a link that the host gave
//! ([`TemplatesBuilder::link`](crate::templates::TemplatesBuilder::link)).
//!
//! # Limits
//!
//! What is too long is cut, and ends with `…`; what does not fit then is left out. A message that is too large without all that can be
//! left out is `TooLarge`, and is not tried again. Rates count attempts, from all processes together; the
//! outbox keeps them, as well as places and times ([`Terms`]). Each message is one request, but where the page of a channel says how
//! many go in one ([`Terms::batch`]); several events in one message are a list of their titles.
//!
//! # Answers
//!
//! What the service answers decides what follows: see [`NotifyError`]. On every channel that speaks HTTP, unless its page says
//! otherwise:
//!
//! | answer | outcome |
//! |---|---|
//! | 2xx | arrived |
//! | 401, 403 | `Auth`: our credentials are refused. Where they are the host's ([`Terms::credentials`]), as with the token of a bot, everything for the destination waits, and a probe now and then finds out whether it works again; an address that a job gave, and that has its own, waits by itself |
//! | 410 | `Gone`: nobody is there any more |
//! | 429, 502, 504 | `Throttled`, not before what `Retry-After` asks for, 24 hours at most |
//! | all others, redirects among them | `Retryable`, not before what `Retry-After` asks for |
//! | no name, no connection | `Retryable` |
//! | no answer after the request was sent | `Ambiguous`: it may have arrived, and is sent again with the same id |
//! | none, because the address is forbidden | `Rejected` |
//!
//! # Secrets
//!
//! Tokens, keys and credentials are in no error, no log and no `Debug` form, and addresses are shown as their origin only
//! (`https://hooks.slack.com:443`). An address of the host's is not stored; one that a job names is stored with the job and its
//! messages, and leaves with them. An answer is kept in the delivery log without what it repeats of the address or, if it has 16
//! characters or more, of a token. Errors hold nothing
//! of an answer but its status, and words of the service that the channel knows.
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

/// One kind of channel, such as Slack: what tells it from others. A host's own is built as the shipped ones are; name, words, locale,
/// audience, addresses of jobs, pictures and the log of deliveries come with the builder. Any channel's feature brings this module,
/// and [`File`](crate::File) (`file`) the least with it.
///
/// ```
/// use mediaflow_core::http::GuardedClient;
/// use mediaflow_core::notify::{Address, Credentials, HttpOutcomes, Outcome, RateLimit, Receipt, Scope, Terms};
/// use mediaflow_core::{EventKind, NotifyError, Result, async_trait};
/// use mediaflow_notify::channel::{Channel, ChannelBuilder, Endpoint, Sending, Token, cut, name_address};
/// use serde_json::json;
///
/// /// Zulip: messages in a stream, which is the address.
/// #[derive(Clone, Debug)]
/// struct Zulip {
///     server: Endpoint,
///     credentials: Token, // shows itself to nobody
/// }
///
/// impl Zulip {
///     fn stream(server: &str, credentials: &str, stream: &str) -> ChannelBuilder<Self> {
///         let channel = Self { server: Endpoint::new(server), credentials: Token::new(credentials) };
///         ChannelBuilder::new(channel, Some(stream.to_owned()))
///     }
/// }
///
/// #[async_trait]
/// impl Channel for Zulip {
///     const NAME: &'static str = "zulip";
///
///     fn terms(&self) -> Terms {
///         let mut terms = Terms::default();
///         terms.rate = Some(RateLimit::per_second(3)); // the outbox keeps to it
///         terms.scope = Scope::Channel;
///         terms.credentials = Some(Credentials::Host);
///         terms
///     }
///
///     fn check(&self) -> Result<()> {
///         self.server.check()
///     }
///
///     fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
///         name_address(client, self.server.url(), text)
///     }
///
///     async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
///         let notice = sending.notice(); // plain text: the form, and what has to be escaped in it, are the channel's
///         let text = notice.lines().join("\n").replace('`', "'");
///         let body = json!({ "type": "stream", "to": sending.to(), "topic": cut(&notice.title, 60),
///                            "content": format!("```text\n{}\n```", cut(&text, 9_000)) });
///         let url = format!("{}/api/v1/messages", self.server.url());
///         let authorization = format!("Basic {}", self.credentials.reveal());
///         let answer = sending.post_json(&url, &[("authorization", &authorization)], &body).await?;
///         answer.by_status(&HttpOutcomes::new().except(400, Outcome::Rejected))
///     }
/// }
///
/// let chat = Zulip::stream("https://zulip.example", "Ym90OnNlY3JldA==", "media").on([EventKind::JobFailed]);
/// assert!(!format!("{:?}", chat.build()?).contains("Ym90"));
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
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

    /// Makes one attempt at several messages to one address, as many as [`Terms::batch`] says at most. Gives what came of
    /// each, in their order. Default: one after the other.
    async fn send_all(&self, sendings: &[Sending<'_>]) -> Vec<Result<Receipt, NotifyError>> {
        let mut results = Vec::with_capacity(sendings.len());
        for sending in sendings {
            results.push(self.send(sending).await);
        }
        results
    }
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
