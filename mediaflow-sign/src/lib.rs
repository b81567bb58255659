//! What proves where a request comes from: the same code for those who send one (mediaflow-notify) and those who take one
//! (mediaflow-remote). Bytes and a clock go in; nothing here does input or output.
//!
//! | module | feature | is |
//! |---|---|---|
//! | [`standard`] | `standard` | Standard Webhooks, versions 1 and 1a |
//! | [`cloudinary`] | `cloudinary` | a hash of the body, the moment and the secret |
//! | [`tencent`] | `tencent` | a hash of the key and a moment; it says nothing of the body |
//! | [`header`] | | a secret in a header, as Zencoder and many others have it |

#[cfg(feature = "cloudinary")]
pub mod cloudinary;
mod compare;
pub mod header;
#[cfg(feature = "standard")]
pub mod standard;
#[cfg(feature = "tencent")]
pub mod tencent;

pub use compare::{equal, hex};
