use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mediaflow_core::{Error, Result, Timestamp, codes};
use serde::Deserialize;

use super::address;
use super::certificate::{Certificate, Version, rfc3339};
use crate::json::not_of;

/// A message as Amazon SNS posts it, before anything of it is believed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Envelope {
    #[serde(rename = "Type")]
    kind: String,
    pub(super) message_id: String,
    pub(super) topic_arn: String,
    #[serde(default)]
    pub(super) subject: Option<String>,
    pub(super) message: String,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL", alias = "SigningCertUrl")]
    pub(super) certificate_url: String,
    #[serde(default)]
    token: Option<String>,
    #[serde(default, rename = "SubscribeURL", alias = "SubscribeUrl")]
    subscribe_url: Option<String>,
}

/// What kind of message it is, with what only that kind has.
pub(super) enum Kind {
    Notification,
    Subscription { url: String },
    Unsubscription,
}

pub(super) const VENDOR: &str = "Amazon SNS";

impl Envelope {
    pub(super) fn parse(body: &[u8]) -> Result<Self> {
        let envelope: Self = serde_json::from_slice(body)
            .map_err(|e| not_of(VENDOR, "the body is no message of Amazon SNS").because(e))?;
        envelope.check_forms()?;
        Ok(envelope)
    }

    /// What is signed is lines without a sign of where each ends. So no text but the message itself may have lines, or another
    /// message would have the same signature.
    fn check_forms(&self) -> Result<()> {
        let lines = [
            Some(&self.message_id),
            Some(&self.topic_arn),
            Some(&self.timestamp),
            self.subject.as_ref(),
            self.token.as_ref(),
            self.subscribe_url.as_ref(),
        ];
        let broken = |text: &&String| text.chars().any(char::is_control);
        if lines.into_iter().flatten().any(|text| broken(&text)) {
            return Err(not_of(VENDOR, "a text has lines that can have none"));
        }
        let id = &self.message_id;
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        if id.is_empty() || id.len() > 100 || !id.bytes().all(plain) {
            return Err(not_of(VENDOR, "the message has no id"));
        }
        Ok(())
    }

    pub(super) fn time(&self) -> Result<Timestamp> {
        rfc3339(&self.timestamp).ok_or_else(|| {
            Error::input(codes::WEBHOOK_TIMESTAMP, "the moment of the message is none")
        })
    }

    pub(super) fn kind(&self) -> Result<Kind> {
        Ok(match self.kind.as_str() {
            "Notification" => Kind::Notification,
            "SubscriptionConfirmation" => {
                let (token, url) = self.confirmation()?;
                // Only what will be fetched has to be Amazon's.
                address::subscription(url, &self.topic_arn, token)?;
                Kind::Subscription { url: url.to_owned() }
            }
            "UnsubscribeConfirmation" => {
                self.confirmation()?;
                Kind::Unsubscription
            }
            _ => return Err(not_of(VENDOR, "the message is of no known type")),
        })
    }

    fn confirmation(&self) -> Result<(&str, &str)> {
        self.token
            .as_deref()
            .zip(self.subscribe_url.as_deref())
            .ok_or_else(|| not_of(VENDOR, "a confirmation has a token and a URL"))
    }

    /// Checks the signature. Those of version 1 only if they are still taken.
    pub(super) fn verify(&self, certificate: &Certificate, version_1: bool) -> Result<()> {
        let version = match self.signature_version.as_str() {
            "1" if version_1 => Version::Sha1,
            "1" => return Err(unsigned("signatures of version 1 are not taken")),
            "2" => Version::Sha256,
            _ => return Err(unsigned("the signature is of no known version")),
        };
        let signature =
            STANDARD.decode(&self.signature).map_err(|_| unsigned("it is no base64"))?;
        if certificate.fits(version, self.signed()?.as_bytes(), &signature) {
            return Ok(());
        }
        Err(unsigned("the signature does not fit"))
    }

    /// What is signed: names and values, a line each.
    pub(super) fn signed(&self) -> Result<String> {
        let mut lines = vec![("Message", self.message.as_str()), ("MessageId", &self.message_id)];
        if self.kind == "Notification" {
            lines.extend(self.subject.as_deref().map(|subject| ("Subject", subject)));
            lines.push(("Timestamp", &self.timestamp));
        } else {
            let (token, url) = self.confirmation()?;
            lines.extend([("SubscribeURL", url), ("Timestamp", &self.timestamp), ("Token", token)]);
        }
        lines.extend([("TopicArn", self.topic_arn.as_str()), ("Type", &self.kind)]);
        Ok(lines.iter().map(|(name, value)| format!("{name}\n{value}\n")).collect())
    }
}

fn unsigned(why: &str) -> Error {
    Error::input(codes::WEBHOOK_SIGNATURE, why)
        .help("check that the body is verified as it came; raw delivery is not signed")
}
