//! What other people's encoders send back: call-backs, verified, read, and told to the job that waits.
//!
//! A backend hands work over and waits ([`mediaflow_core::wait`]); the vendor calls when it is done. A [`Receiver`] knows how
//! that vendor proves who calls, and reads what is said into one [`RemoteUpdate`], whoever it is. It is a function of headers,
//! raw body and a clock ([`Call`]), for whatever server a host has:
//!
//! | receiver | feature | what proves where it comes from |
//! |---|---|---|
//! | [`Standard`](standard) | `standard` | Standard Webhooks: HMAC-SHA256 or Ed25519 over id, moment and body |
//! | [`Cloudinary`](cloudinary) | `cloudinary` | a hash of body, moment and API secret |
//! | [`Sns`](aws) | `aws` | RSA over the message, by a certificate of Amazon's |
//! | [`EventBridge`](aws) | `aws` | a secret in a header |
//! | [`Tencent`](tencent) | `tencent` | a hash of key and moment; the content is a hint |
//! | [`Zencoder`](zencoder) | `zencoder` | a secret in a header |
//!
//! [`answer`] does all there is to do, and says what to answer:
//!
//! ```
//! # #[cfg(feature = "zencoder")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mediaflow_core::Result<()> {
//! use mediaflow_core::{Mediaflow, Timestamp};
//! use mediaflow_remote::{Call, Zencoder, answer};
//!
//! let media = Mediaflow::builder().start().await?;
//! let zencoder = Zencoder::new("koro")?;
//! let body = br#"{"job": {"id": 17, "state": "finished"}, "outputs": []}"#;
//! let call = Call::new([("x-zencoder-notification-secret", "koro")], body, Timestamp::from_millis(0));
//!
//! assert_eq!(answer(&zencoder, &media, &call).await.status, 404); // nobody waits for it, yet: it is kept
//! assert_eq!(answer(&zencoder, &media, &call).await.status, 200); // known already
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "zencoder"))]
//! # fn main() {}
//! ```
//!
//! # Order and answers
//!
//! Size, headers, the moment, the signature over the raw body with every secret in constant time, and only then what the body
//! says; then the replay key. That is stored by the engine in the transaction that wakes the job, so a call-back has its effect
//! once, and one whose effect was not stored is not taken for known when it comes again. A repetition is answered with 200.
//! [`status_of`] has the other answers. None says more than a status.
//!
//! # With axum
//!
//! With the feature `axum`, `routes(&media).on("/hooks/zencoder", zencoder)` is merged into a router, and `Verified<Zencoder>` is
//! an extractor.
//!
//! # With hyper, or any other server
//!
//! ```
//! # #[cfg(feature = "zencoder")] mod example {
//! use std::time::SystemTime;
//!
//! use http_body_util::{BodyExt as _, Empty, Limited};
//! use hyper::body::{Bytes, Incoming};
//! use hyper::{Request, Response, StatusCode};
//! use mediaflow_core::Mediaflow;
//! use mediaflow_remote::{Call, Receiver, Zencoder, answer};
//!
//! async fn hook(
//!     zencoder: &Zencoder,
//!     media: &Mediaflow,
//!     request: Request<Incoming>,
//! ) -> Response<Empty<Bytes>> {
//!     let (head, body) = request.into_parts();
//!     let mut response = Response::new(Empty::new());
//!     let Ok(body) = Limited::new(body, Zencoder::MAX_BODY).collect().await else {
//!         *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
//!         return response;
//!     };
//!     let body = body.to_bytes(); // as it came: before anything parses it
//!     let headers = head.headers.iter();
//!     let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
//!     let call = Call::new(headers, &body, SystemTime::now().into());
//!     let answer = answer(zencoder, media, &call).await;
//!     if let Some(error) = &answer.error {
//!         eprintln!("refused: {error}");
//!     }
//!     *response.status_mut() =
//!         StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
//!     response
//! }
//! # }
//! ```
//!
//! # A receiver of your own
//!
//! [`Receiver`] is two types and a function: what proves the sender, and what a message says. Routes, extractors and [`answer`]
//! take it as they take these.

#[cfg(feature = "aws")]
pub mod aws;
mod call;
#[cfg(feature = "cloudinary")]
pub mod cloudinary;
#[cfg_attr(
    not(all(feature = "aws", feature = "standard", feature = "tencent", feature = "zencoder")),
    allow(dead_code, reason = "each vendor alone uses a part of it")
)]
mod json;
#[cfg(any(feature = "aws", feature = "cloudinary"))]
mod moment;
mod receiver;
#[cfg_attr(
    not(any(feature = "aws", feature = "standard", feature = "tencent", feature = "zencoder")),
    allow(dead_code, reason = "Cloudinary has a key of its own")
)]
mod replay;
#[cfg(feature = "axum")]
mod routes;
#[cfg(feature = "standard")]
pub mod standard;
#[cfg(feature = "tencent")]
pub mod tencent;
mod update;
#[cfg(feature = "zencoder")]
pub mod zencoder;

#[cfg(feature = "aws")]
pub use aws::{EventBridge, Sns};
pub use call::Call;
#[cfg(feature = "cloudinary")]
pub use cloudinary::Cloudinary;
pub use receiver::{Answer, Notification, Receiver, Verified, answer, status_of};
#[cfg(feature = "axum")]
pub use routes::{Refused, Routes, routes};
#[cfg(feature = "standard")]
pub use standard::Standard;
#[cfg(feature = "tencent")]
pub use tencent::Tencent;
pub use update::{RemoteError, RemoteOutput, RemoteState, RemoteUpdate};
#[cfg(feature = "zencoder")]
pub use zencoder::Zencoder;
