use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::transport::smtp::response::Severity;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use mediaflow_core::notify::{DeliveryContext, Receipt};
use mediaflow_core::{Error, NotifyError, Result, codes};
use tokio::time::timeout;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// How long a mail is waited for that nobody waits for any more: as long as RFC 5321 gives a server for the end of the data.
const LONGEST: Duration = Duration::from_secs(600);

/// The server that takes the mail, with its pool of connections, which begins with the first mail.
#[derive(Clone)]
pub(super) struct Relay {
    /// With credentials.
    url: String,
    transport: Arc<Mutex<Option<Transport>>>,
}

impl Relay {
    pub(super) fn new(relay: String) -> Self {
        let url = if relay.contains("://") { relay } else { format!("smtps://{relay}") };
        Self { url, transport: Arc::default() }
    }

    fn builder(&self) -> Result<AsyncSmtpTransportBuilder> {
        Transport::from_url(&self.url).map_err(|_| {
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

    /// Sends a mail, and notes the answer. What is begun is not broken off: on a connection that is kept, the next mail would
    /// read this one's answer.
    pub(super) async fn send(
        &self,
        mail: Message,
        time: Duration,
        cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        let transport = self.transport(time).map_err(|e| NotifyError::rejected(e.to_string()))?;
        let held = Arc::clone(&self.transport);
        let sending = tokio::spawn(async move {
            let sent = timeout(LONGEST, transport.send(mail)).await;
            if sent.is_err() {
                *held.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            sent
        });
        match timeout(time, sending).await {
            Ok(Ok(Ok(Ok(response)))) => {
                let code = response.code().into();
                cx.answered(code, b"");
                Ok(Receipt::with_status(code))
            }
            Ok(Ok(Ok(Err(error)))) => Err(failed(&error, cx)),
            Err(_) | Ok(Err(_) | Ok(Err(_))) => {
                Err(NotifyError::ambiguous("the relay did not answer in time"))
            }
        }
    }

    fn transport(&self, time: Duration) -> Result<Transport> {
        let mut held = self.transport.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(transport) = &*held {
            return Ok(transport.clone());
        }
        let built: Transport = self.builder()?.timeout(Some(time)).build();
        Ok(held.insert(built).clone())
    }
}

/// What the relay's answer means. Its words are not repeated: they often have the address in them.
fn failed(error: &lettre::transport::smtp::Error, cx: &DeliveryContext) -> NotifyError {
    let Some(code) = error.status() else {
        return match error {
            error if error.is_timeout() => {
                NotifyError::ambiguous("the relay did not answer in time")
            }
            error if error.is_response() => {
                NotifyError::ambiguous("the relay's answer is not SMTP")
            }
            error if error.is_tls() => NotifyError::retryable("no TLS with the relay"),
            error if error.is_client() => {
                NotifyError::rejected("the relay can not do what the mail needs")
            }
            _ => NotifyError::retryable("no connection to the relay"),
        };
    };
    let number = u16::from(code);
    let enhanced = error.source().map(ToString::to_string).and_then(|text| enhanced(&text));
    let reason = match &enhanced {
        Some(enhanced) => format!("the relay answered {number} {enhanced}"),
        None => format!("the relay answered {number}"),
    };
    // 421 is the relay's own word, and not about this mail.
    if number == 421 {
        return NotifyError::Throttled { after: None, reason: reason.into() };
    }
    cx.answered(number, enhanced.as_deref().unwrap_or_default().as_bytes());
    match (number, enhanced.as_deref()) {
        // There is no such mailbox. Other refusals are of this mail, or of whoever sends it, and others may pass.
        (_, Some("5.1.1" | "5.1.2" | "5.1.3" | "5.1.6" | "5.1.10" | "5.2.1")) => {
            NotifyError::Gone { reason: reason.into() }
        }
        (530 | 534 | 535 | 538, _) => NotifyError::Auth { reason: reason.into() },
        (552, _) => NotifyError::too_large(reason),
        _ if code.severity == Severity::PermanentNegativeCompletion => {
            NotifyError::rejected(reason)
        }
        _ => NotifyError::retryable(reason),
    }
}

/// The code at the beginning of an answer's text, as [RFC 3463](https://www.rfc-editor.org/rfc/rfc3463) has it: `5.1.1`.
fn enhanced(text: &str) -> Option<String> {
    let is_code = |word: &&str| {
        let parts: Vec<_> = word.split('.').collect();
        let digits =
            |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        parts.len() == 3 && matches!(parts[0], "2" | "4" | "5") && parts.iter().all(digits)
    };
    text.split_whitespace().take(2).find(is_code).map(str::to_owned)
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relay({})", self.origin())
    }
}
