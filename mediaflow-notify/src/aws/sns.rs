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
/// Several messages are the entries of one `PublishBatch`: the same fields, below `PublishBatchRequestEntries.member.1`, with the
/// number of the message as `Id`.
///
/// # Limits
///
/// | what | at most |
/// |---|---|
/// | subject | 99 characters |
/// | message | 254 KiB: Amazon takes 256 with the attributes. What is longer is shortened as for [webhooks](crate::webhook#bodies) |
/// | reports of single jobs with a batch | 100 |
/// | rate | 300 in a second to each region |
/// | batch | what waits for the same topic: 10 messages in a request, of 256 KiB together, by `PublishBatch`. Each has its own answer |
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
/// Of several messages in one request, Amazon tells of each that it has failed, by the same names. One whose result is missing is
/// sent again.
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

/// The bytes that the body of a message may have, without its attributes.
const BYTES: usize = (256 << 10) - 2048;

/// The bytes that all messages of a request may have, the attributes among them.
const TOGETHER: usize = 256 << 10;

/// How many messages a request may have.
const ENTRIES: usize = 10;

/// How forms are written.
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

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
        terms.batch = ENTRIES;
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
        let mut pairs = action("Publish", topic);
        pairs.extend(fields(topic, sending)?);
        let url = self.url(region);
        let to = ("sns", region, url.as_str());
        let answer = post(sending, &self.credentials, to, FORM, encoded(pairs)).await?;
        receipt(&answer, sending.denied())
    }

    async fn send_all(&self, sendings: &[Sending<'_>]) -> Vec<Result<Receipt, NotifyError>> {
        let unsent = || Err(NotifyError::retryable("an earlier request has failed"));
        let mut results = vec![unsent(); sendings.len()];
        let mut entries = Vec::with_capacity(sendings.len());
        for (place, sending) in sendings.iter().enumerate() {
            match fields(sending.to(), sending) {
                Ok(fields) => entries.push(Entry { place, sending, fields }),
                Err(error) => set(&mut results, place, Err(error)),
            }
        }
        for entries in fitting(&entries) {
            let failed = match entries {
                // As any other message.
                [Entry { place, sending, .. }] => {
                    let result = self.send(sending).await;
                    let failed = result.is_err();
                    set(&mut results, *place, result);
                    failed
                }
                _ => self.publish(entries, &mut results).await,
            };
            // There is time for one attempt: who does not answer is not asked again within it.
            if failed {
                break;
            }
        }
        results
    }
}

/// A message of a request that has several.
struct Entry<'a> {
    place: usize,
    sending: &'a Sending<'a>,
    fields: Fields,
}

/// Names with their values.
type Fields = Vec<(String, String)>;

impl Entry<'_> {
    /// What Amazon counts, and no less: names and values as they are.
    fn bytes(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

fn set(
    results: &mut [Result<Receipt, NotifyError>],
    place: usize,
    result: Result<Receipt, NotifyError>,
) {
    if let Some(slot) = results.get_mut(place) {
        *slot = result;
    }
}

/// As many entries in each request as it may have, and bytes.
fn fitting<'e, 's>(mut entries: &'e [Entry<'s>]) -> Vec<&'e [Entry<'s>]> {
    let mut requests = Vec::new();
    while !entries.is_empty() {
        let mut bytes = 0;
        let fits = entries.iter().take(ENTRIES).take_while(|entry| {
            bytes += entry.bytes();
            bytes <= TOGETHER
        });
        let (request, rest) = entries.split_at(fits.count().max(1));
        requests.push(request);
        entries = rest;
    }
    requests
}

impl Sns {
    /// Publishes several messages at once. Says whether the request has failed as a whole.
    async fn publish(
        &self,
        entries: &[Entry<'_>],
        results: &mut [Result<Receipt, NotifyError>],
    ) -> bool {
        let Some(Entry { sending, .. }) = entries.first() else { return false };
        let topic = sending.to();
        let asked = async {
            let Some(region) = region(topic) else {
                return Err(NotifyError::rejected("the address is no topic"));
            };
            let mut pairs = action("PublishBatch", topic);
            for (number, entry) in (1..).zip(entries) {
                let member = format!("PublishBatchRequestEntries.member.{number}");
                pairs.push((format!("{member}.Id"), number.to_string()));
                let fields = entry.fields.iter();
                pairs.extend(
                    fields.map(|(name, value)| (format!("{member}.{name}"), value.clone())),
                );
            }
            let url = self.url(region);
            let to = ("sns", region, url.as_str());
            let answer = post(sending, &self.credentials, to, FORM, encoded(pairs)).await?;
            receipt(&answer, sending.denied()).map(|_| answer)
        };
        let answer = match asked.await {
            Ok(answer) => answer,
            Err(error) => {
                for entry in entries {
                    set(results, entry.place, Err(error.clone()));
                }
                return true;
            }
        };
        let said = String::from_utf8_lossy(&answer.response.body);
        let members: Vec<_> = said.split("<member>").skip(1).collect();
        for (number, entry) in (1..).zip(entries) {
            let id = number.to_string();
            let of = members.iter().find(|member| within(member, "Id") == Some(id.as_str()));
            let member = of.map_or("", |member| {
                member.split_once("</member>").map_or(*member, |(member, _)| member)
            });
            let result = one(&answer, member, entry.sending.denied());
            // What Amazon is to blame for it answers a single message with 500.
            let status = match within(member, "SenderFault") {
                Some("false") => 500,
                Some(_) => 400,
                None => answer.response.status,
            };
            entry.sending.context().answered(status, member.as_bytes());
            set(results, entry.place, result);
        }
        false
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

/// What is asked of which topic.
fn action(action: &str, topic: &str) -> Fields {
    let pairs = [("Action", action), ("Version", "2010-03-31"), ("TopicArn", topic)];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn encoded(pairs: Fields) -> Vec<u8> {
    let pair = |(name, value): (String, String)| format!("{name}={}", percent_encoded(&value));
    pairs.into_iter().map(pair).collect::<Vec<_>>().join("&").into_bytes()
}

/// A message as the fields of a form.
fn fields(topic: &str, sending: &Sending<'_>) -> Result<Fields, NotifyError> {
    let message = sending.message();
    let event = message.event();
    let body = payload::standard(message, BYTES)?;
    let Ok(body) = String::from_utf8(body) else {
        return Err(NotifyError::rejected("the body is no text"));
    };
    let mut pairs = vec![("Message".to_owned(), body)];
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
    Ok(pairs)
}

/// What stands in a field of an answer.
fn within<'t>(said: &'t str, tag: &str) -> Option<&'t str> {
    let (_, rest) = said.split_once(&format!("<{tag}>"))?;
    Some(rest.split_once('<')?.0)
}

/// What became of one message of several.
fn one(answer: &Answered, member: &str, denied: Outcome) -> Result<Receipt, NotifyError> {
    if let Some(id) = within(member, "MessageId") {
        return Ok(Receipt::with_status(answer.response.status).named(id));
    }
    match within(member, "Code") {
        Some(code) => failed(answer, code, member, denied),
        None => Err(NotifyError::ambiguous("the receiver does not say what became of it")),
    }
}

fn receipt(answer: &Answered, denied: Outcome) -> Result<Receipt, NotifyError> {
    let said = String::from_utf8_lossy(&answer.response.body);
    let status = answer.response.status;
    if (200..300).contains(&status) {
        let receipt = Receipt::with_status(status);
        return Ok(named(receipt, within(&said, "MessageId")));
    }
    failed(answer, within(&said, "Code").unwrap_or_default(), &said, denied)
}

/// What it means that something has failed for this reason.
fn failed(
    answer: &Answered,
    code: &str,
    said: &str,
    denied: Outcome,
) -> Result<Receipt, NotifyError> {
    // What is too long is told as any other wrong parameter.
    if code == "InvalidParameter" && said.contains("too long") {
        return answer.by_word(&[("InvalidParameter", Outcome::TooLarge)], code);
    }
    // The credentials are good, and not for this topic.
    let denied = [("AuthorizationError", denied), ("AuthorizationErrorException", denied)];
    answer.by_word(&[&denied[..], WORDS].concat(), word(code))
}
