//! E-mail, through a relay that speaks SMTP.
//!
//! ```
//! use mediaflow_notify::Email;
//!
//! let mail = Email::relay("smtps://user:secret@smtp.example", "Media <media@app.example>")
//!     .to("ops@app.example")
//!     .build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! A mail has a text and an HTML part, of which each says everything, and a small picture inside if the templates know where
//! it can be had ([`public_url`](crate::templates::TemplatesBuilder::public_url)). The relay is the host's own choice: the guard of
//! HTTP does not apply to it, and connections to it are kept.
//!
//! `Message-ID` is made from the message's id, so that one that arrives twice can be recognised; `Auto-Submitted` keeps
//! holiday replies away; what belongs to one job has the same `References`. What the relay answers decides what follows: 4xx
//! is tried again, mailboxes that are not there (5.1.1, 5.1.2, 5.1.3, 5.1.6, 5.1.10, 5.2.1) are gone, 530 to 538 are credentials,
//! 552 is too large, others are refused for good.
//!
//! Uses: channel, payload, templates.

mod html;
mod mime;
mod relay;

use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{Address, Credentials, Receipt, Terms};
use mediaflow_core::{Error, NotifyError, Result, async_trait, codes};

use crate::channel::{Channel, ChannelBuilder, Sending};
use lettre::message::Mailbox;
pub(crate) use mime::Sender;
use relay::Relay;

/// E-mail. See the [module](self).
#[derive(Clone, Debug)]
pub struct Email {
    relay: Relay,
    from: String,
}

impl Email {
    /// Through this relay, as this sender; to whom jobs name, or to [`to`](ChannelBuilder::to).
    ///
    /// The relay is a host, `smtp.example`, which is spoken to by TLS on port 465, or a URL: `smtps://user:password@host:465`
    /// for TLS, `smtp://user:password@host:587?tls=required` for STARTTLS, `smtp://127.0.0.1:25` without TLS.
    pub fn relay(relay: impl Into<String>, from: impl Into<String>) -> ChannelBuilder<Self> {
        let channel = Self { relay: Relay::new(relay.into()), from: from.into() };
        ChannelBuilder::new(channel, None)
    }
}

#[async_trait]
impl Channel for Email {
    const NAME: &'static str = "email";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.credentials = Some(Credentials::Host);
        terms
    }

    fn check(&self) -> Result<()> {
        Sender::new(&self.from)?;
        self.relay.check()
    }

    fn address(&self, _client: &GuardedClient, text: &str) -> Result<Address> {
        mailbox(text)?;
        Ok(Address::at(self.relay.origin(), text))
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let refused = |error: Error| NotifyError::rejected(error.to_string());
        let to = mailbox(sending.to()).map_err(refused)?;
        let sender = Sender::new(&self.from).map_err(refused)?;
        let mail = sender.mail(to, sending).await?;
        self.relay.send(mail, sending.timeout(), sending.context()).await
    }
}

/// A mailbox: `ada@example.com`, `Ada <ada@example.com>`.
pub(crate) fn mailbox(text: &str) -> Result<Mailbox> {
    let wrong = || {
        // What it is like is not repeated: people's addresses are nobody else's business.
        Error::input(codes::CHANNEL_ADDRESS, "this is no e-mail address")
            .help("write `ada@example.com` or `Ada <ada@example.com>`")
    };
    let mailbox: Mailbox = text.parse().map_err(|_| wrong())?;
    // Relays know domains of other letters in their ASCII form only.
    let domain = idna::domain_to_ascii(mailbox.email.domain()).map_err(|_| wrong())?;
    let email = lettre::Address::new(mailbox.email.user(), domain).map_err(|_| wrong())?;
    Ok(Mailbox::new(mailbox.name, email))
}
