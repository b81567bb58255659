use lettre::Message;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use mediaflow_core::{Error, NotifyError, Result, codes};
use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use super::html;
use crate::channel::{Sending, cut};
use crate::templates::Notice;

/// The largest picture that is put into a mail.
const PICTURE: u64 = 256 << 10;

/// Whoever mails are from.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    mailbox: Mailbox,
}

impl Sender {
    /// # Errors
    /// `email.from`: it is no mailbox.
    pub(crate) fn new(from: &str) -> Result<Self> {
        let mailbox = from.parse().map_err(|_| {
            Error::input(codes::EMAIL_FROM, "the sender is no e-mail address")
                .help("write `Media <media@app.example>`")
        })?;
        Ok(Self { mailbox })
    }

    /// The address alone, without the name.
    #[cfg(feature = "ses")]
    pub(crate) fn address(&self) -> String {
        self.mailbox.email.to_string()
    }

    /// The whole mail.
    pub(crate) async fn mail(
        &self,
        to: Mailbox,
        sending: &Sending<'_>,
    ) -> Result<Message, NotifyError> {
        let notice = sending.notice();
        // Without the picture it is a mail all the same.
        let picture = match &notice.picture {
            Some(picture) => sending.picture(&picture.url, PICTURE).await,
            None => None,
        };
        let message = sending.message();
        let domain = self.mailbox.email.domain();
        let mut mail = Message::builder()
            .from(self.mailbox.clone())
            .to(to)
            .subject(cut(&notice.title, 200))
            .message_id(Some(format!("<{}@{domain}>", message.id)))
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(sending.context().now.millis()))
            .header(AutoSubmitted);
        let of_job = message.event().job.map(|job| job.to_string());
        if let Some(thread) = message.thread.as_ref().map(|thread| thread.key.clone()).or(of_job) {
            let thread: String =
                thread.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            mail = mail.references(format!("<thread.{thread}@{domain}>"));
        }
        let not_made = |_| NotifyError::rejected("the mail can not be written");
        mail.multipart(parts(&notice, picture)).map_err(not_made)
    }
}

fn parts(notice: &Notice, picture: Option<(Vec<u8>, &'static str)>) -> MultiPart {
    let text = std::iter::once(notice.title.clone()).chain(notice.lines()).collect::<Vec<_>>();
    let text = SinglePart::plain(format!("{}\r\n", text.join("\r\n\r\n")));
    let alternative = MultiPart::alternative().singlepart(text);
    let html = SinglePart::html(html::page(notice, picture.is_some()));
    match picture.and_then(|(bytes, mime)| Some((bytes, ContentType::parse(mime).ok()?))) {
        Some((bytes, mime)) => {
            let inline = Attachment::new_inline(html::PICTURE.to_owned()).body(bytes, mime);
            alternative.multipart(MultiPart::related().singlepart(html).singlepart(inline))
        }
        None => alternative.singlepart(html),
    }
}

/// Says that no person wrote it, [RFC 3834](https://www.rfc-editor.org/rfc/rfc3834).
#[derive(Clone, Copy, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
