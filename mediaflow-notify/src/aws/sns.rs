use std::time::Duration;

use mediaflow_core::http::GuardedClient;
use mediaflow_core::notify::{Address, Credentials, Outcome, RateLimit, Receipt, Terms};
use mediaflow_core::{Error, NotifyError, Result, async_trait, codes};

use super::{AwsCredentials, WORDS, post, word};
use crate::channel::{Answered, Channel, ChannelBuilder, Endpoint, Sending, named};
use crate::payload::{self, percent_encoded};

/// A topic of Amazon SNS: its subscribers, most often programs, get the event as [webhooks](crate::webhook) have it, with
/// attributes to filter by.
///
/// ```
/// use mediaflow_notify::{AwsCredentials, Sns};
///
/// let credentials = AwsCredentials::new("AKIDEXAMPLE", "secret");
/// let topic = Sns::topic("arn:aws:sns:eu-central-1:123456789012:media", credentials).build()?;
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
///
/// # Addresses
///
/// The ARN of a topic, whose region is the one that is asked; a name that ends with `.fifo` is one that keeps the order. As one line:
/// `sns://key/secret/region/arn:aws:sns:eu-central-1:123456789012:media`.
///
/// # Messages
///
/// A form. `Message` is the body of Standard Webhooks, `Subject` the title as far as it is ASCII. The attributes are `type`, `severity`,
/// `audience`, and `tenant` if there is one. On a FIFO topic, the messages of a job, or of a batch, are one group, and
/// `MessageDeduplicationId` is the message's id. Its fields, here as JSON:
///
/// ```json
/// { "Action": "Publish", "Version": "2010-03-31",
///   "TopicArn": "arn:aws:sns:eu-central-1:123456789012:media.fifo",
///   "Message": "...",
///   "Subject": "cat.jpg could not be processed",
///   "MessageAttributes.entry.1.Name": "type",
///   "MessageAttributes.entry.1.Value.DataType": "String",
///   "MessageAttributes.entry.1.Value.StringValue": "job.failed",
///   "MessageAttributes.entry.2.Name": "severity",
///   "MessageAttributes.entry.2.Value.DataType": "String",
///   "MessageAttributes.entry.2.Value.StringValue": "error",
///   "MessageAttributes.entry.3.Name": "audience",
///   "MessageAttributes.entry.3.Value.DataType": "String",
///   "MessageAttributes.entry.3.Value.StringValue": "admin",
///   "MessageGroupId": "0199c8f0-0000-7000-8000-000000000001",
///   "MessageDeduplicationId": "0199c8f0-0000-7000-8000-000000000002" }
/// ```
///
/// # Limits
///
/// | what | at most |
/// |---|---|
/// | subject | 99 characters |
/// | message | 254 KiB: Amazon takes 256 with the attributes. What is longer is shortened as for [webhooks](crate::webhook#bodies) |
/// | reports of single jobs with a batch | 100 |
/// | rate | 300 in a second to each region |
/// | batch | one message in a request; `PublishBatch` is not used |
///
/// # Answers
///
/// | answer | outcome |
/// |---|---|
/// | 2xx | arrived at the topic, with the `MessageId` |
/// | `NotFound`, `EndpointDisabled` | `Gone` |
/// | `Throttling`, `Throttled`, `ThrottledException`, `RequestLimitExceeded` | `Throttled` |
/// | `InvalidClientTokenId`, `SignatureDoesNotMatch`, `ExpiredToken`, and whatever else refuses the credentials | `Auth` |
/// | `AuthorizationError`: the credentials are good, and not for this topic | `Auth` at the host's own topic, `Retryable` at one that a job gave |
/// | `InvalidParameter` with "too long" | `TooLarge` |
/// | `InvalidParameter`, `InvalidParameterValue`, `ParameterValueInvalid`, `ValidationError` | `Rejected` |
/// | `InternalError`, `InternalFailure`, `ServiceUnavailable` | `Retryable` |
/// | all others | as on [every channel](crate::channel#answers) |
///
/// On a FIFO topic, a message that is published twice within five minutes arrives once; on others, it arrives twice. What becomes of it
/// at the subscribers is Amazon's business: SNS repeats, by the policy of each subscription.
///
/// # Secrets
///
/// The secret of the credentials stays in the process: it signs. The token of a session is sent with each request, to Amazon only.
///
/// # Documentation
///
/// Amazon's own: [Publish](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html),
/// [deduplication](https://docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html),
/// [filters](https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html),
/// [repetitions](https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html).
#[derive(Clone, Debug)]
pub struct Sns {
    credentials: AwsCredentials,
    endpoint: Option<Endpoint>,
}

/// The bytes that the body of a request may have, the attributes among them.
const BYTES: usize = (256 << 10) - 2048;

impl Sns {
    /// To this topic by its ARN, unless a job names another.
    pub fn topic(arn: impl Into<String>, credentials: AwsCredentials) -> ChannelBuilder<Self> {
        ChannelBuilder::new(Self { credentials, endpoint: None }, Some(arn.into()))
    }

    fn url(&self, region: &str) -> String {
        let vendors = || {
            let china = if region.starts_with("cn-") { ".cn" } else { "" };
            format!("https://sns.{region}.amazonaws.com{china}/")
        };
        self.endpoint.as_ref().map_or_else(vendors, |endpoint| format!("{}/", endpoint.url()))
    }
}

impl ChannelBuilder<Sns> {
    /// Where the service is, for another one that speaks its language. Default: Amazon's, by the topic's region.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.channel.endpoint = Some(Endpoint::new(url));
        self
    }
}

#[async_trait]
impl Channel for Sns {
    const NAME: &'static str = "sns";

    fn terms(&self) -> Terms {
        let mut terms = Terms::default();
        terms.rate = Some(RateLimit::new(300, Duration::from_secs(1)));
        terms.reports = 100;
        terms.credentials = Some(Credentials::Host);
        terms
    }

    fn check(&self) -> Result<()> {
        self.endpoint.as_ref().map_or(Ok(()), Endpoint::check)
    }

    fn address(&self, client: &GuardedClient, text: &str) -> Result<Address> {
        let Some(region) = region(text) else {
            return Err(Error::input(codes::CHANNEL_ADDRESS, "this is no topic")
                .help("write `arn:aws:sns:eu-central-1:123456789012:media`"));
        };
        Ok(Address::at(client.origin(&self.url(region))?, text))
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<Receipt, NotifyError> {
        let topic = sending.to();
        let Some(region) = region(topic) else {
            return Err(NotifyError::rejected("the address is no topic"));
        };
        let form = form(topic, sending)?;
        let url = self.url(region);
        let content = "application/x-www-form-urlencoded; charset=utf-8";
        let to = ("sns", region, url.as_str());
        let answer = post(sending, &self.credentials, to, content, form.into_bytes()).await?;
        receipt(&answer, sending.denied())
    }
}

/// The region of a topic's ARN.
fn region(arn: &str) -> Option<&str> {
    let parts: Vec<_> = arn.split(':').collect();
    let ["arn", partition, "sns", region, account, name] = parts[..] else { return None };
    let named = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    (partition.starts_with("aws") && [region, account, name].into_iter().all(named))
        .then_some(region)
}

fn form(topic: &str, sending: &Sending<'_>) -> Result<String, NotifyError> {
    let message = sending.message();
    let event = message.event();
    let body = payload::standard(message, BYTES)?;
    let Ok(body) = String::from_utf8(body) else {
        return Err(NotifyError::rejected("the body is no text"));
    };
    let mut pairs = vec![
        ("Action".to_owned(), "Publish".to_owned()),
        ("Version".to_owned(), "2010-03-31".to_owned()),
        ("TopicArn".to_owned(), topic.to_owned()),
        ("Message".to_owned(), body),
    ];
    // A subject is ASCII, and begins with no blank.
    let title = sending.notice().title;
    let subject: String =
        title.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).take(99).collect();
    if !subject.trim().is_empty() {
        pairs.push(("Subject".to_owned(), subject.trim().to_owned()));
    }
    let kind = if message.events().len() == 1 { event.kind.as_str() } else { "digest" };
    let attributes = [
        ("type", Some(kind)),
        ("severity", Some(event.severity.as_str())),
        ("audience", Some(event.audience.as_str())),
        ("tenant", event.tenant.as_deref()),
    ];
    let attributes = attributes.into_iter().filter_map(|(name, value)| Some((name, value?)));
    for (place, (name, value)) in (1..).zip(attributes) {
        let entry = format!("MessageAttributes.entry.{place}");
        pairs.push((format!("{entry}.Name"), name.to_owned()));
        pairs.push((format!("{entry}.Value.DataType"), "String".to_owned()));
        pairs.push((format!("{entry}.Value.StringValue"), value.to_owned()));
    }
    if topic.ends_with(".fifo") {
        let job = event.job.map(|job| job.to_string());
        let group = job.or_else(|| event.batch.map(|batch| batch.to_string()));
        pairs.push(("MessageGroupId".to_owned(), group.unwrap_or_else(|| "mediaflow".to_owned())));
        pairs.push(("MessageDeduplicationId".to_owned(), message.id.to_string()));
    }
    let pair = |(name, value): (String, String)| format!("{name}={}", percent_encoded(&value));
    Ok(pairs.into_iter().map(pair).collect::<Vec<_>>().join("&"))
}

fn receipt(answer: &Answered, denied: Outcome) -> Result<Receipt, NotifyError> {
    let said = String::from_utf8_lossy(&answer.response.body);
    let within = |tag: &str| {
        let (_, rest) = said.split_once(&format!("<{tag}>"))?;
        Some(rest.split_once('<')?.0.to_owned())
    };
    let status = answer.response.status;
    if (200..300).contains(&status) {
        let receipt = Receipt::with_status(status);
        return Ok(named(receipt, within("MessageId")));
    }
    let code = within("Code").unwrap_or_default();
    // What is too long is told as any other wrong parameter.
    if code == "InvalidParameter" && said.contains("too long") {
        return answer.by_word(&[("InvalidParameter", Outcome::TooLarge)], &code);
    }
    // The credentials are good, and not for this topic.
    let denied = [("AuthorizationError", denied), ("AuthorizationErrorException", denied)];
    answer.by_word(&[&denied[..], WORDS].concat(), word(&code))
}
