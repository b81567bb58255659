//! Storages in the cloud: S3 and what speaks its protocol, and any other store of the crate [`object_store`].
//!
//! ```no_run
//! use mediaflow_storage::ObjectStorage;
//!
//! // AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL say how to get there.
//! let public = ObjectStorage::from_url("s3://media/public")?;
//! # Ok::<_, mediaflow_core::Error>(())
//! ```
//!
//! # How it keeps a result invisible until it is whole
//!
//! What is staged lies under `<prefix>/.mediaflow/<job>/<ticket>`. Publishing is a copy inside the store, which readers
//! see in one act, and then the removal of the staged object. Large files are uploaded in parts, a few at a time; an
//! upload that fails or is given up is aborted. Only a process that is killed can leave parts behind, which no listing
//! shows but the bill does: give the bucket a lifecycle rule `AbortIncompleteMultipartUpload` of some days.
//!
//! An attempt that is paused in the middle of publishing can still finish after it was revoked, for as long as that one
//! copy takes: stores have no rename.

mod failure;
#[cfg(feature = "s3")]
mod s3;
mod staged;
mod storage;
#[cfg(test)]
mod tests;
mod transfer;
mod url;

#[doc(no_inline)]
pub use object_store;

#[cfg(feature = "s3")]
pub use s3::S3;
pub use storage::ObjectStorage;
