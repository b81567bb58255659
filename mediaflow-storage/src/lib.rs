//! Storages in the cloud: S3 and what speaks its protocol, Azure Blob Storage, Google Cloud Storage, and any other store of
//! the crate [`object_store`].
//!
//! ```no_run
//! use mediaflow_storage::ObjectStorage;
//!
//! // AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL say how to get there.
//! let public = ObjectStorage::from_url("s3://media/public")?;
//! # Ok::<_, mediaflow_core::Error>(())
//! ```
//!
//! | | S3 | Azure | Google | another store |
//! |---|---|---|---|---|
//! | headers and metadata | yes | yes, metadata without `-` | yes | as it can |
//! | publish only if nothing is there | yes | yes | yes | if it copies so |
//! | publish over one version only | yes | up to 64 MiB | up to 64 MiB | up to 64 MiB |
//! | signed requests, direct uploads | yes | no | no | no |
//! | a copy under way is fenced | yes | new keys | new keys | new keys, if it copies so |
//! | uploads of killed workers are collected | yes | by Azure, after 7 days | lifecycle rule | as it can |
//!
//! # How it keeps a result invisible until it is whole
//!
//! What is staged lies under `<prefix>/.mediaflow/<job>/<ticket>`. Publishing is a copy inside the store, which readers
//! see in one act, and then the removal of the staged object. No object travels through this process for it, however
//! large: above 5 GiB, S3 copies in parts of 1 GiB. Large files are uploaded in parts, a few at a time; an upload that fails
//! or is given up is aborted. Do not serve `<prefix>/.mediaflow/`: it holds what is not published (yet).
//!
//! # How an attempt that was revoked can not publish
//!
//! Stores have no rename, and a copy that was asked for can be made while its process is paused. So S3 is asked to copy only
//! over what was at the place before (`If-Match`, or `If-None-Match: *`), and only the very object that was staged. The later
//! attempt revokes, which removes the staged object, and then publishes, which changes what is at the place: a copy of
//! the earlier attempt that begins after the first finds no source, and one that ends after the second fails. A copy in
//! parts is noted beside its object, and revoking gives it up.
//!
//! Amazon evaluates these conditions. A server that ignores them on copies, as older ones do, and the other providers where
//! something is at the place already, keep an older rule: an attempt that was paused in the middle of the copy can
//! still finish after it was revoked, for as long as that one copy takes. One that answers them with 501 is asked
//! without.
//!
//! # What killed workers leave
//!
//! Revoking and discarding remove the staged objects of earlier attempts and of ended jobs, and give up the multipart uploads
//! to the folder of staged objects, if the store lists them (S3 does; `s3:ListBucketMultipartUploads`). What is left
//! then are parts of a copy above 5 GiB whose worker was killed in the moment between its beginning and its note. A lifecycle
//! rule `AbortIncompleteMultipartUpload` of some days removes those too, and all of them on servers that list none.

mod attributes;
#[cfg(feature = "azure")]
mod azure;
#[cfg(any(feature = "s3", feature = "azure", feature = "gcs"))]
mod client;
mod discards;
mod failure;
#[cfg(feature = "gcs")]
mod gcs;
mod native;
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

#[cfg(feature = "azure")]
pub use azure::Azure;
#[cfg(feature = "gcs")]
pub use gcs::Gcs;
#[cfg(feature = "s3")]
pub use s3::S3;
pub use storage::ObjectStorage;
