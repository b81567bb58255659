use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{Address, Credentials, HttpOutcomes, Outcome, Receipt, Terms};
use mediaflow_core::{Error, NotifyError, Result, async_trait};
use serde_json::json;

use super::{AwsCredentials, WORDS, post, word};
use crate::channel::{Channel, ChannelBuilder, Endpoint, Sending, named};
use crate::email::{Sender, mailbox};

/// E-mail through Amazon SES: the same mails as by [SMTP](crate::email), through the API of the second version.
///
/// ```
/// use mediaflow_core::EventKind::JobFailed;
/// use mediaflow_notify::{AwsCredentials, Ses};
///
/// let credentials = AwsCredentials::new("AKIDEXAMPLE", "secret");
/// let mail = Ses::region("eu-central-1", credentials, "Media <media@app.example>")
///     .to("ops@app.example")
///     .on([JobFailed])
///     .build()?;
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
///
/// # Addresses
///
/// A mailbox, as of [e-mail](crate::email#addresses). As one line: `ses://media@app.example/key/secret/region/ada@example.com`.
///
/// # Messages
///
/// The mail as `Raw`, in base64; what is in it stands with [e-mail](crate::email#messages). The sender has to be verified with Amazon.
///
/// ```json
/// { "FromEmailAddress": "media@app.example",
///   "Destination": { "ToAddresses": ["ada@example.com"] },
///   "Content": { "Raw": { "Data": "..." } } }
/// ```
///
/// # Limits
///
/// | what | at most |
/// |---|---|
/// | the mail | as of [e-mail](crate::email#limits) |
/// | rate | none of its own; what an account may send in a second, Amazon says with an error, which is waited for |
///
/// # Answers
///
/// | answer | outcome |
/// |---|---|
/// | 2xx | arrived at Amazon, with the `MessageId` |
/// | `MailFromDomainNotVerifiedException`, and a text that says "not verified" | `Auth`: somebody verifies the sender, and then it passes. Where it is a recipient that a job gave, `Retryable` |
/// | `TooManyRequestsException`, `LimitExceededException`, `ThrottlingException` | `Throttled` |
/// | `AccountSuspendedException`, `SendingPausedException`, and whatever refuses the credentials | `Auth` |
/// | `NotFoundException`, as of a configuration set | `Auth` |
/// | `MessageRejected`, `BadRequestException` | `Rejected` |
/// | `InternalFailure`, `ServiceUnavailable` | `Retryable` |
/// | all others | as on [every channel](crate::channel#answers) |
///
/// Amazon has no key by which it knows a mail again, and gives each a `Message-ID` of its own: one whose answer was lost may arrive
/// twice.
///
/// # Secrets
///
/// The secret of the credentials stays in the process: it signs. The token of a session is sent with each request, to Amazon only.
///
/// # Documentation
///
/// Amazon's own: [SendEmail](https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html),
/// [headers](https://docs.aws.amazon.com/ses/latest/dg/header-fields.html),
/// [quotas](https://docs.aws.amazon.com/ses/latest/dg/quotas.html).
#[derive(Clone, Debug)]
pub struct Ses {
    credentials: AwsCredentials,
    region: String,
    endpoint: Endpoint,
    from: String,
}

impl Ses {
    /// In this region, as this sender; to whom jobs name, or to [`to`](ChannelBuilder::to).
    pub fn region(
        region: impl Into<String>,
        credentials: AwsCredentials,
        from: impl Into<String>,
    ) -> ChannelBuilder<Self> {
        let region = region.into();
        let endpoint = Endpoint::new(format!("https://email.{region}.amazonaws.com"));
        ChannelBuilder::new(Self { credentials, region, endpoint, from: from.into() }, None)
    }
}

impl ChannelBuilder<Ses> {
    /// Where the service is, for another one that speaks its language. Default: Amazon's, by the region.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.channel.endpoint = Endpoint::new(url);
        self
    }
}

#[async_trait]
impl Channel for Ses {
    const NAME: &'static str = "ses";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.credentials = Some(Credentials::Host);
        terms
    }

    fn check(&self) -> Result<()> {
        self.endpoint.check()?;
        Sender::new(&self.from).map(drop)
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        mailbox(text)?;
        Ok(Address::at(client.origin(self.endpoint.url())?, text))
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let refused = |error: Error| NotifyError::rejected(error.to_string());
        let to = mailbox(sending.to()).map_err(refused)?;
        let sender = Sender::new(&self.from).map_err(refused)?;
        let mail = sender.mail(to.clone(), sending).await?;
        let body = json!({
            "Content": { "Raw": { "Data": STANDARD.encode(mail.formatted()) } },
            "FromEmailAddress": sender.address(),
            "Destination": { "ToAddresses": [to.email.to_string()] },
        });
        let recipient = to.email.to_string();
        let url = format!("{}/v2/email/outbound-emails", self.endpoint.url());
        let to = ("ses", self.region.as_str(), url.as_str());
        let body = body.to_string().into_bytes();
        let answer = post(sending, &self.credentials, to, "application/json", body).await?;
        let status = answer.response.status;
        let said = answer.json().unwrap_or_default();
        if (200..300).contains(&status) {
            let receipt = Receipt::with_status(status);
            return Ok(named(receipt, said["MessageId"].as_str()));
        }
        let code = answer.response.header("x-amzn-errortype").unwrap_or_default();
        // The sender is not verified yet: somebody can put that right, and then it passes. A new account may only write to
        // recipients that are verified as well, and one that is not concerns no other.
        if let Some(text) = said["message"].as_str().filter(|text| text.contains("not verified")) {
            let of_recipient = text.contains(&recipient) && !text.contains(&sender.address());
            let outcome = if of_recipient { sending.denied() } else { Outcome::Auth };
            return answer.by_status(&HttpOutcomes::new().except(status, outcome));
        }
        answer.by_word(WORDS, word(code))
    }
}
