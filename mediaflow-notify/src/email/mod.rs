//! E-mail, through a relay that speaks SMTP.
//!
//! ```
//! use mediaflow_core::EventKind::{BatchCompleted, JobFailed};
//! use mediaflow_core::event::Audience;
//! use mediaflow_notify::Email;
//!
//! let mail = Email::relay("smtps://user:secret@smtp.example", "Media <media@app.example>")
//!     .to("Ada <ada@example.com>")
//!     .on([JobFailed, BatchCompleted])
//!     .audience(Audience::Owner)
//!     .locale("de")
//!     .build()?;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! The relay is the host's own choice: the guard of HTTP does not apply to it. Its connections are kept and used again.
//!
//! # Addresses
//!
//! A mailbox: `ada@example.com`, `Ada <ada@example.com>`. A domain of other letters is sent in its ASCII form. As one line:
//! `mailtos://user:password@host?from=media@app.example&to=ada@example.com` by TLS, and with `mailto://` by STARTTLS, which is
//! required then. Without `from` or `to`, it is the account's own address, `user@host`.
//!
//! # Messages
//!
//! A text and an HTML part, of which each says everything, and a small picture inside if the templates know where it can be had
//! ([`public_url`](crate::templates::TemplatesBuilder::public_url)); if it can not, there is none. `Message-ID` is made from the
//! message's id, so that one that arrives twice can be recognised; `Auto-Submitted` keeps holiday replies away; what belongs to one job
//! has the same `References`.
//!
//! ```text
//! Subject: cat.jpg could not be processed
//! Message-ID: <0199c8f0-0000-7000-8000-000000000002@app.example>
//! Auto-Submitted: auto-generated
//! References: <thread.0199c8f0-0000-7000-8000-000000000001@app.example>
//! Content-Type: multipart/alternative;
//! Content-Type: text/plain; charset=utf-8
//! cat.jpg could not be processed
//! the image ends too early
//! Job: 0199c8f0-0000-7000-8000-000000000001
//! Error: image.truncated
//! Where: source = cat.jpg
//! Attempts: 1
//! What to do: upload the whole file
//! Show details: https://app.example/media/7
//! Content-Type: text/html; charset=utf-8
//! ```
//!
//! # Limits
//!
//! | what | at most |
//! |---|---|
//! | subject | 200 characters |
//! | HTML | 100,000 bytes, where Gmail cuts a mail: paragraphs have 3,000 characters, or 1,000, 300 or 100 if it would be larger |
//! | picture | 256 KiB, and 5 seconds to fetch it |
//! | rate | none of its own |
//!
//! # Answers
//!
//! | answer | outcome |
//! |---|---|
//! | 2xx | arrived at the relay, which sends it on. Mails that come back go to the sender, and are not read |
//! | 421 | `Throttled` |
//! | 5.1.1, 5.1.2, 5.1.3, 5.1.6, 5.1.10, 5.2.1 | `Gone`: there is no such mailbox |
//! | 530, 534, 535, 538 | `Auth` |
//! | 552 | `TooLarge` |
//! | 5xx, any other | `Rejected` |
//! | 4xx, any other | `Retryable` |
//! | no connection, no TLS | `Retryable` |
//! | no answer in time, or one that is not SMTP | `Ambiguous` |
//! | none, because the relay can not do what the mail needs | `Rejected` |
//!
//! Codes such as 5.1.1 are those of [RFC 3463](https://www.rfc-editor.org/rfc/rfc3463), at the beginning of an answer's text. A mail that
//! is sent twice has the same `Message-ID`, by which some programs show it once; relays do not look.
//!
//! # Secrets
//!
//! The user and the password in the relay's URL are sent to the relay only, by TLS unless the URL says `smtp://` without
//! `tls=required`. The relay is shown as `smtps://smtp.example`. What it says of a mailbox is not repeated: people's addresses are
//! nobody else's business.
//!
//! # Documentation
//!
//! The standards: [RFC 5321](https://www.rfc-editor.org/rfc/rfc5321) (SMTP), [RFC 3463](https://www.rfc-editor.org/rfc/rfc3463) (codes),
//! [RFC 3834](https://www.rfc-editor.org/rfc/rfc3834) (`Auto-Submitted`).
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
