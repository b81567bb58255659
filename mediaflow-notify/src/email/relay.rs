use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::transport::smtp::response::Severity;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use mediaflow_core::notify::Receipt;
use mediaflow_core::{Error, NotifyError, Result, codes};
use tokio::time::timeout;

/// The server that takes the mail, with its pool of connections, which begins with the first mail.
#[derive(Clone)]
pub(super) struct Relay {
    /// With credentials.
    url: String,
    transport: Arc<OnceLock<AsyncSmtpTransport<Tokio1Executor>>>,
}

impl Relay {
    pub(super) fn new(relay: String) -> Self {
        let url = if relay.contains("://") { relay } else { format!("smtps://{relay}") };
        Self { url, transport: Arc::default() }
    }

    fn builder(&self) -> Result<AsyncSmtpTransportBuilder> {
        AsyncSmtpTransport::<Tokio1Executor>::from_url(&self.url).map_err(|_| {
            Error::input(codes::EMAIL_RELAY, "this is no relay for e-mail").help(
                "write a host, or `smtps://user:password@host:465`, `smtp://user:password@host:587?tls=required`",
            )
        })
    }

    pub(super) fn check(&self) -> Result<()> {
        self.builder().map(drop)
    }

    /// Without credentials: `smtps://smtp.example`.
    pub(super) fn origin(&self) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("smtps", &self.url));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        format!("{scheme}://{host}")
    }

    pub(super) async fn send(&self, mail: Message, time: Duration) -> Result<Receipt, NotifyError> {
        let transport = match self.transport.get() {
            Some(transport) => transport,
            None => {
                let built = self.builder().map_err(|e| NotifyError::rejected(e.to_string()))?;
                let built = built.timeout(Some(time)).build();
                self.transport.get_or_init(|| built)
            }
        };
        match timeout(time, transport.send(mail)).await {
            Err(_) => Err(NotifyError::ambiguous("the relay did not answer in time")),
            Ok(Err(error)) => Err(failed(&error)),
            Ok(Ok(response)) => Ok(Receipt::with_status(response.code().into())),
        }
    }
}

/// What the relay's answer means. Its words are not repeated: they often have the address in them.
fn failed(error: &lettre::transport::smtp::Error) -> NotifyError {
    let Some(code) = error.status() else {
        return match error {
            error if error.is_timeout() => {
                NotifyError::ambiguous("the relay did not answer in time")
            }
            error if error.is_response() => {
                NotifyError::ambiguous("the relay's answer is not SMTP")
            }
            error if error.is_tls() => NotifyError::retryable("no TLS with the relay"),
            _ => NotifyError::retryable("no connection to the relay"),
        };
    };
    let number = u16::from(code);
    let reason = format!("the relay answered {number}");
    match number {
        421 | 450..=452 => NotifyError::Throttled { after: None, reason: reason.into() },
        550 | 551 | 553 => NotifyError::Gone { reason: reason.into() },
        530 | 534 | 535 | 538 => NotifyError::Auth { reason: reason.into() },
        552 => NotifyError::too_large(reason),
        _ if code.severity == Severity::PermanentNegativeCompletion => {
            NotifyError::rejected(reason)
        }
        _ => NotifyError::retryable(reason),
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relay({})", self.origin())
    }
}
