use std::borrow::Cow;

use mediaflow_core::notify::Message;
use mediaflow_core::{Event, EventKind, NotifyError, Timestamp};

use super::dialect::is_of_job;
use super::{cloudinary, tencent, zencoder};
use crate::payload::PublicUrls;

/// Whose notifications are sent.
#[derive(Clone, Debug)]
pub(super) enum Vendor {
    Cloudinary(cloudinary::Signer),
    Zencoder(zencoder::Secret),
    Tencent(tencent::Signer),
}

/// A request in a vendor's form.
pub(super) struct Request {
    /// Beside those that every request has.
    pub(super) headers: Vec<(Cow<'static, str>, String)>,
    pub(super) body: Vec<u8>,
    /// What proves where it comes from, if that would do for another request as well.
    pub(super) proof: Option<String>,
}

impl Vendor {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Cloudinary(_) => "Cloudinary",
            Self::Zencoder(_) => "Zencoder",
            Self::Tencent(_) => "Tencent",
        }
    }

    /// Whether the vendor tells of such things at all.
    pub(super) fn has_word_for(&self, kind: EventKind) -> bool {
        match self {
            Self::Cloudinary(_) => cloudinary::has_word_for(kind),
            Self::Zencoder(_) | Self::Tencent(_) => is_of_job(kind),
        }
    }

    /// Whether it is told of unless the host says otherwise.
    pub(super) fn tells_of(&self, event: &Event) -> bool {
        let told_by_batch = matches!(self, Self::Cloudinary(_))
            && event.batch.is_some()
            && event.kind != EventKind::BatchCompleted;
        event.kind.is_terminal() && self.has_word_for(event.kind) && !told_by_batch
    }

    pub(super) fn request(
        &self,
        message: &Message,
        urls: &PublicUrls,
        now: Timestamp,
        limit: usize,
    ) -> Result<Request, NotifyError> {
        let seconds = now.seconds();
        Ok(match self {
            Self::Cloudinary(signer) => {
                let body = cloudinary::payload(message, urls, limit)?;
                let headers = vec![
                    (cloudinary::TIMESTAMP.into(), seconds.to_string()),
                    (cloudinary::SIGNATURE.into(), signer.sign(&body, seconds)),
                ];
                Request { headers, body, proof: None }
            }
            Self::Zencoder(secret) => {
                let body = zencoder::payload(message, urls, limit)?;
                let (header, value) = secret.header();
                let headers = vec![(header.to_owned().into(), value.to_owned())];
                Request { headers, body, proof: Some(value.to_owned()) }
            }
            Self::Tencent(signer) => {
                let (body, sign) = tencent::payload(message, signer, urls, now, limit)?;
                Request { headers: Vec::new(), body, proof: Some(sign) }
            }
        })
    }
}
