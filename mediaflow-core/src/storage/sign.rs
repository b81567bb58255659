use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Ticket;
use crate::Result;
use crate::spec::{Key, Precondition, PutOptions};
use crate::time::Timestamp;

/// Makes requests that somebody without credentials can send to a storage: whoever has one may do this one thing, until
/// it expires.
#[async_trait]
pub trait Sign: fmt::Debug + Send + Sync {
    /// The longest time for which a request can be signed. Of S3 it is 7 days.
    fn longest(&self) -> Duration;

    /// A request that reads a key.
    ///
    /// # Errors
    /// `storage.key`, `storage.expiry` for a time of less than a second or above [`Sign::longest`], `storage.denied` if
    /// there are no credentials to sign with.
    async fn sign_get(&self, key: &Key, expires_in: Duration) -> Result<SignedRequest>;

    /// A request that writes a key at once, over what is there unless `put` says otherwise. It can be sent again until it
    /// expires. For uploads from strangers see [`Sign::sign_stage`].
    ///
    /// # Errors
    /// As [`Sign::sign_get`]; `storage.unsupported` for a constraint that the storage can not enforce.
    async fn sign_put(
        &self,
        key: &Key,
        put: &SignPut,
        expires_in: Duration,
    ) -> Result<SignedRequest>;

    /// A request that stages bytes for a key under a ticket: nothing is visible before it is taken up by
    /// [`Storage::staged`](super::Storage::staged) and published, and what is sent afterwards changes nothing.
    ///
    /// # Errors
    /// As [`Sign::sign_put`].
    async fn sign_stage(
        &self,
        key: &Key,
        ticket: &Ticket,
        put: &SignPut,
        expires_in: Duration,
    ) -> Result<SignedRequest>;
}

/// What a signed request may write. All of it is enforced by the storage: a request that differs is refused there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignPut {
    /// How many bytes.
    pub size: PutSize,
    /// What is stored with them. The sender has to send it as headers.
    pub options: PutOptions,
    /// What has to be under the key.
    pub precondition: Option<Precondition>,
}

/// How many bytes a signed request may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PutSize {
    /// Exactly so many.
    Exactly(u64),
    /// No more than these. S3 can not enforce it for a request of this kind, and refuses to sign it.
    AtMost(u64),
}

impl SignPut {
    /// Exactly so many bytes.
    #[must_use]
    pub fn exactly(bytes: u64) -> Self {
        Self::new(PutSize::Exactly(bytes))
    }

    /// No more than these.
    #[must_use]
    pub fn at_most(bytes: u64) -> Self {
        Self::new(PutSize::AtMost(bytes))
    }

    /// With this stored beside them.
    #[must_use]
    pub fn options(self, options: PutOptions) -> Self {
        Self { options, ..self }
    }

    /// Only on this condition.
    #[must_use]
    pub fn precondition(self, precondition: Precondition) -> Self {
        Self { precondition: Some(precondition), ..self }
    }

    fn new(size: PutSize) -> Self {
        Self { size, options: PutOptions::new(), precondition: None }
    }
}

/// A request that can be sent without credentials: it is a secret until it expires. `Debug` shows no more of the URL than
/// its place; `Serialize` gives it whole, for whoever is to send it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SignedRequest {
    /// `GET` or `PUT`.
    pub method: String,
    /// The URL, with its signature.
    pub url: String,
    /// What has to be sent with it, names in lower case. `content-length` among them is what clients send by themselves.
    pub headers: BTreeMap<String, String>,
    /// Until when it can be sent.
    pub expires_at: Timestamp,
}

impl SignedRequest {
    /// A request without headers.
    #[must_use]
    pub fn new(method: impl Into<String>, url: impl Into<String>, expires_at: Timestamp) -> Self {
        Self { method: method.into(), url: url.into(), headers: BTreeMap::new(), expires_at }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.url.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("SignedRequest")
            .field("method", &self.method)
            .field("url", &format_args!("{place}?[REDACTED]"))
            .field("headers", &self.headers.keys())
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_not_shown_but_handed_out() {
        let request = SignedRequest::new("PUT", "https://s3/b/k?sig=hunter2", Timestamp::default())
            .header("x-amz-meta-token", "hunter3");
        assert!(!format!("{request:?}").contains("hunter"), "{request:?}");
        assert!(format!("{request:?}").contains("https://s3/b/k"));
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<SignedRequest>(&json).unwrap(), request);
    }
}
