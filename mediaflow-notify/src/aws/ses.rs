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
/// use mediaflow_notify::{AwsCredentials, Ses};
///
/// let credentials = AwsCredentials::new("AKIDEXAMPLE", "secret");
/// let mail = Ses::region("eu-central-1", credentials, "Media <media@app.example>").to("ops@app.example").build()?;
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
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
