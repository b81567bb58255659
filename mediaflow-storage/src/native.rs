#![cfg_attr(
    not(feature = "s3"),
    allow(dead_code, reason = "only S3 can more than the common interface")
)]

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use mediaflow_core::Result;
use mediaflow_core::storage::{SignPut, SignedRequest};
use object_store::Error as StoreError;
use object_store::path::Path;

/// What a provider can do beyond [`object_store::ObjectStore`].
#[async_trait]
pub(crate) trait Native: fmt::Debug + Send + Sync {
    /// Copies an object inside the store, in one act, however large it is: this version of it, and only if this is what
    /// is at its new place.
    async fn copy(&self, copy: &Copy<'_>) -> Result<Copied, StoreError>;

    /// The multipart uploads to keys with this prefix that are neither completed nor aborted. `None` if the store does not
    /// tell.
    async fn uploads(&self, prefix: &Path) -> Result<Option<Vec<Upload>>, StoreError>;

    /// Gives up a multipart upload: it can not be completed any more. One that is gone is as good as given up.
    async fn abort(&self, upload: &Upload) -> Result<(), StoreError>;

    /// The longest time for which a request can be signed.
    fn longest(&self) -> Duration;

    /// A request that reads an object.
    async fn sign_get(&self, place: &Path, expires_in: Duration) -> Result<SignedRequest>;

    /// A request that writes an object.
    async fn sign_put(
        &self,
        place: &Path,
        put: &SignPut,
        expires_in: Duration,
    ) -> Result<SignedRequest>;
}

/// A copy inside a store.
#[derive(Debug)]
pub(crate) struct Copy<'a> {
    pub(crate) from: &'a Path,
    /// The `ETag` of what is copied.
    pub(crate) version: Option<&'a str>,
    pub(crate) len: u64,
    pub(crate) to: &'a Path,
    /// What has to be there.
    pub(crate) there: There<'a>,
    /// Whether somebody asked for that, so that a store which can not look must not copy.
    pub(crate) required: bool,
    /// Where a copy in several requests notes that it is under way, so that it can be revoked.
    pub(crate) note: &'a Path,
}

/// What is at the place of a copy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum There<'a> {
    Nothing,
    /// A version with this `ETag`.
    Version(&'a str),
    /// A version that the store does not name.
    Something,
}

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Copied {
    /// It is at its place.
    Done,
    /// Something else was there, or has been put there meanwhile.
    Conflict,
    /// What was to be copied is gone, or is another version.
    Gone,
}

/// A multipart upload that has begun.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Upload {
    pub(crate) place: Path,
    pub(crate) id: String,
}
