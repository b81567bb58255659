use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::{Error, Result, Timestamp, async_trait, codes};

use super::certificate::Certificate;
use super::certificates::{Certificates, Fetch, client};
use super::envelope::{Envelope, Kind};
use super::{address, bodies};
use crate::call::Call;
use crate::moment;
use crate::receiver::{Notification, Receiver, Verified};
use crate::replay::replay_key;
use crate::update::RemoteUpdate;

/// The header of a message that is delivered raw.
const RAW: &str = "x-amz-sns-rawdelivery";

/// Amazon tries for an hour at most.
const VALID: Duration = Duration::from_secs(65 * 60);

/// Receives what Amazon SNS posts: notifications, and the confirmation of a subscription, which it confirms. The
/// [module](super) says more.
///
/// Clones share certificates.
#[derive(Clone)]
#[must_use]
pub struct Sns {
    topics: BTreeSet<String>,
    version_1: bool,
    fetch: Arc<dyn Fetch>,
    certificates: Arc<Certificates>,
}

/// What a message says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SnsMessage {
    /// What kind it is of.
    pub kind: SnsKind,
    /// Its id, the same in every attempt.
    pub id: String,
    /// Its topic, one of those that are listened to.
    pub topic: String,
    /// When it was published.
    pub time: Timestamp,
    /// Its subject, if it has one.
    pub subject: Option<String>,
    /// Its text, as it was published.
    pub message: String,
    /// What it says of a job, if it is of an encoder that is known here.
    pub update: Option<RemoteUpdate>,
}

/// The kinds of messages.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnsKind {
    /// Something that was published.
    Notification,
    /// Somebody wants this endpoint to be subscribed: fetching the URL says that it agrees.
    Subscription {
        /// The URL, which is one of Amazon's. It is a secret.
        url: String,
    },
    /// The subscription has ended. It is not renewed.
    Unsubscription,
}

/// A message of which all is checked but its signature.
#[derive(Debug)]
#[must_use]
pub struct Unverified {
    envelope: Envelope,
    message: SnsMessage,
    version_1: bool,
    now: Timestamp,
}

impl Sns {
    /// Listens to this topic: `arn:aws:sns:eu-central-1:123456789012:media`.
    ///
    /// # Errors
    /// `remote.topic`: it is no name of a topic; `http.client`.
    pub fn topic(arn: impl Into<String>) -> Result<Self> {
        Self::fetching_with(arn, client()?)
    }

    /// The same, with what fetches from Amazon: for tests, and for hosts that reach it by a way of their own.
    ///
    /// # Errors
    /// As [`Sns::topic`].
    pub fn fetching_with(arn: impl Into<String>, fetch: impl Fetch) -> Result<Self> {
        Self {
            topics: BTreeSet::new(),
            version_1: true,
            fetch: Arc::new(fetch),
            certificates: Arc::default(),
        }
        .also(arn)
    }

    /// And to this one.
    ///
    /// # Errors
    /// `remote.topic`.
    pub fn also(mut self, arn: impl Into<String>) -> Result<Self> {
        let arn = arn.into();
        let parts: Vec<_> = arn.split(':').collect();
        let is_topic = matches!(parts.as_slice(), ["arn", _, "sns", region, account, name]
            if ![region, account, name].iter().any(|part| part.is_empty()));
        if !is_topic {
            return Err(Error::input(codes::REMOTE_TOPIC, "this is no name of a topic")
                .with("topic", arn.escape_debug())
                .help("give its ARN, such as `arn:aws:sns:eu-central-1:123456789012:media`"));
        }
        self.topics.insert(arn);
        Ok(self)
    }

    /// Takes no signatures of version 1, with SHA-1. A topic has them unless its `SignatureVersion` is 2.
    pub fn only_version_2(mut self) -> Self {
        self.version_1 = false;
        self
    }

    /// Checks all of a message but its signature, without asking anybody: size, forms, its moment, its topic, and that the
    /// URLs in it are Amazon's.
    ///
    /// # Errors
    /// `limit.call_bytes`, `webhook.header`, `webhook.timestamp`, `remote.body`, `remote.topic`, `remote.address`.
    pub fn check(&self, call: &Call<'_>) -> Result<Unverified> {
        call.at_most(<Self as Receiver>::MAX_BODY)?;
        if call.header(RAW).is_some_and(|raw| raw.eq_ignore_ascii_case("true")) {
            return Err(Error::input(codes::WEBHOOK_HEADER, "the message is not signed")
                .with("header", RAW)
                .help("switch raw message delivery off for this subscription"));
        }
        let envelope = Envelope::parse(call.body())?;
        let time = envelope.time()?;
        moment::within(time, call.now(), VALID)?;
        if !self.topics.contains(&envelope.topic_arn) {
            return Err(Error::input(
                codes::REMOTE_TOPIC,
                "the message is of a topic that is not listened to",
            )
            .with("topic", envelope.topic_arn.escape_debug())
            .help("name it with `Sns::also`, if it is yours"));
        }
        address::certificate(&envelope.certificate_url)?;
        let kind = match envelope.kind()? {
            Kind::Notification => SnsKind::Notification,
            Kind::Subscription { url } => SnsKind::Subscription { url },
            Kind::Unsubscription => SnsKind::Unsubscription,
        };
        let message = SnsMessage {
            kind,
            id: envelope.message_id.clone(),
            topic: envelope.topic_arn.clone(),
            time,
            subject: envelope.subject.clone(),
            message: envelope.message.clone(),
            update: None,
        };
        Ok(Unverified { envelope, message, version_1: self.version_1, now: call.now() })
    }

    /// Agrees to a subscription: fetches the URL of a message that was verified.
    ///
    /// # Errors
    /// `remote.subscription`: Amazon does not take it; if it may work later, a transient one.
    pub async fn confirm(&self, url: &str) -> Result<()> {
        let (code, refused) = (codes::REMOTE_SUBSCRIPTION, "the subscription was not confirmed");
        match self.fetch.fetch(url).await {
            Ok((200..=299, _)) => Ok(()),
            Ok((status @ (400..=428 | 430..=499), _)) => Err(Error::input(code, refused)
                .with("status", status)
                .help("ask for the subscription anew: a token is good for two days")),
            Ok((status, _)) => Err(Error::transient(code, refused).with("status", status)),
            Err(error) => Err(Error::transient(code, refused).because(error)),
        }
    }
}

impl Unverified {
    /// Where its certificate is. It is one of Amazon's addresses.
    #[must_use]
    pub fn certificate_url(&self) -> &str {
        &self.envelope.certificate_url
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// `remote.certificate`: it is not valid now; `webhook.signature`.
    pub fn verify(self, certificate: &Certificate) -> Result<Verified<Sns>> {
        certificate.check(self.now)?;
        self.envelope.verify(certificate, self.version_1)?;
        let mut message = self.message;
        if message.kind == SnsKind::Notification {
            message.update = bodies::read(&message.message);
        }
        let replay_key = replay_key("sns", &[&message.id]);
        Ok(Verified::new(message, replay_key))
    }
}

#[async_trait]
impl Receiver for Sns {
    type Message = SnsMessage;

    const MAX_BODY: usize = 512 << 10;

    async fn receive(&self, call: &Call<'_>) -> Result<Verified<Self>> {
        let message = self.check(call)?;
        let url = message.certificate_url();
        let certificate = self.certificates.get(url, &*self.fetch, call.now()).await?;
        message.verify(&certificate)
    }

    async fn settle(&self, message: &SnsMessage) -> Result<()> {
        match &message.kind {
            SnsKind::Notification => Ok(()),
            SnsKind::Subscription { url } => {
                self.confirm(url).await?;
                tracing::info!(topic = message.topic, "a subscription was confirmed");
                Ok(())
            }
            SnsKind::Unsubscription => {
                tracing::warn!(topic = message.topic, "a subscription has ended");
                Ok(())
            }
        }
    }
}

impl Notification for SnsMessage {
    fn update(&self) -> Option<&RemoteUpdate> {
        self.update.as_ref()
    }
}

impl fmt::Debug for SnsKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Notification => "Notification",
            Self::Subscription { .. } => "Subscription",
            Self::Unsubscription => "Unsubscription",
        })
    }
}

impl fmt::Debug for Sns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sns").field("topics", &self.topics).finish_non_exhaustive()
    }
}
