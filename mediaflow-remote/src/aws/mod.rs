//! Amazon's call-backs: what MediaConvert and Elastic Transcoder say, through SNS ([`Sns`]) or EventBridge ([`EventBridge`]).
//!
//! # SNS
//!
//! ```
//! use mediaflow_core::Timestamp;
//! use mediaflow_remote::{Call, Receiver as _, Sns};
//!
//! let sns = Sns::topic("arn:aws:sns:eu-central-1:123456789012:media")?;
//! let body = br#"{"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
//!     "TopicArn": "arn:aws:sns:eu-central-1:123456789012:media", "Message": "{\"jobId\": \"1-a\", \"state\": \"COMPLETED\"}",
//!     "Timestamp": "2026-05-04T10:20:30.000Z", "SignatureVersion": "2", "Signature": "EXAMPLE",
//!     "SigningCertURL":
//!         "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"}"#;
//! let call = Call::new([], body, Timestamp::from_millis(1_777_890_031_000));
//!
//! // All but the signature, without asking anybody. `sns.receive(&call)` goes on to fetch the certificate, once, and verifies.
//! let message = sns.check(&call)?;
//! assert!(message.certificate_url().ends_with("ec1136.pem"));
//! # Ok::<_, mediaflow_core::Error>(())
//! ```
//!
//! A message is refused, in this order: if it is longer than 512 KiB; delivered raw, which has no signature; not of the form of
//! one; published more than 65 minutes ago, after which Amazon has given up, or in the future; of a topic that is not listened
//! to; with a URL that is not one of Amazon SNS's own; with a certificate that can not be had, is not valid now, or not that of
//! SNS; not signed by it. Nothing is fetched before all but the last of these is known.
//!
//! | message | what follows |
//! |---|---|
//! | `Notification` | the job that it is about is told, if it is one of an encoder below |
//! | `SubscriptionConfirmation` | its URL is fetched by [`answer`](crate::answer) and by routes, which agrees to the subscription; whoever takes the message otherwise calls [`Sns::confirm`] |
//! | `UnsubscribeConfirmation` | a warning in the log; nothing is renewed |
//!
//! Certificates are fetched by the [guarded client](mediaflow_core::http), each once, however many messages come meanwhile, and are
//! kept while they are valid. One that could not be had is asked for again after 10 seconds; meanwhile messages are answered with
//! 503, and Amazon sends them again. URLs that no signature covers (`UnsubscribeURL`) and Amazon's own headers are not looked at.
//! The replay key is the `MessageId`.
//!
//! # Encoders
//!
//! | field | MediaConvert (event of EventBridge) | Elastic Transcoder |
//! |---|---|---|
//! | provider | [`mediaconvert`](MEDIA_CONVERT) | [`elastictranscoder`](ELASTIC_TRANSCODER) |
//! | job | `detail.jobId` | `jobId` |
//! | finished | `COMPLETE` | `COMPLETED` |
//! | failed | `ERROR`, with `errorCode`, `errorMessage` | `ERROR`, with `errorCode`, `messageDetails` |
//! | cancelled | `CANCELED` | |
//! | progress | `jobProgress.jobPercentComplete` | |
//! | outputs | `outputGroupDetails`, each called `group/place`, and playlists | `outputs`, with `outputKeyPrefix` before their keys |
//! | `pass_through` | `userMetadata` | `userMetadata` |
//!
//! Sizes and checksums are said by neither. Amazon has ended Elastic Transcoder; what it has sent is still read.
//!
//! Uses: call, json, moment, receiver, replay, update.

mod address;
mod bodies;
mod certificate;
mod certificates;
mod der;
mod elastic_transcoder;
mod envelope;
mod event_bridge;
mod media_convert;
mod sns;

pub use certificate::Certificate;
pub use certificates::Fetch;
pub use elastic_transcoder::ELASTIC_TRANSCODER;
pub use event_bridge::{BridgeEvent, EventBridge};
pub use media_convert::MEDIA_CONVERT;
pub use sns::{Sns, SnsKind, SnsMessage, Unverified};
