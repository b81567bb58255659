//! Amazon's services: Simple Notification Service and Simple Email Service.
//!
//! Requests are signed here, by [Signature Version 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html):
//! two requests need a hundred lines, where the vendor's SDK brings several hundred thousand and an HTTP client without our guard.
//!
//! Uses: channel, digest, email, payload.

mod credentials;
#[cfg(feature = "ses")]
mod ses;
mod sign;
#[cfg(feature = "sns")]
mod sns;

pub use credentials::AwsCredentials;
#[cfg(feature = "ses")]
pub use ses::Ses;
#[cfg(feature = "sns")]
pub use sns::Sns;

use mediaflow_core::NotifyError;
use mediaflow_core::notify::Outcome;

use crate::channel::{Answered, Sending};
use sign::Signed;

/// Posts a signed request: the service's name, its region and its URL.
async fn post(
    sending: &Sending<'_>,
    credentials: &AwsCredentials,
    (service, region, url): (&str, &str, &str),
    content_type: &str,
    body: Vec<u8>,
) -> Result<Answered, NotifyError> {
    let now = sending.context().now;
    let request = sign::Request { url, service, region, content_type, body: &body };
    let Signed { authorization, date, hash, token } = sign::sign(&request, &credentials.now(), now);
    let mut headers = vec![
        ("content-type", content_type),
        ("x-amz-date", date.as_str()),
        ("x-amz-content-sha256", hash.as_str()),
        ("authorization", authorization.as_str()),
    ];
    headers.extend(token.as_deref().map(|token| ("x-amz-security-token", token)));
    sending.post(url, &headers, body).await
}

/// What the services' own names for errors mean.
const WORDS: &[(&str, Outcome)] = &[
    ("Throttling", Outcome::Throttled),
    ("Throttled", Outcome::Throttled),
    ("ThrottledException", Outcome::Throttled),
    ("ThrottlingException", Outcome::Throttled),
    ("TooManyRequestsException", Outcome::Throttled),
    ("LimitExceededException", Outcome::Throttled),
    ("SlowDown", Outcome::Throttled),
    ("RequestLimitExceeded", Outcome::Throttled),
    ("AccessDenied", Outcome::Auth),
    ("AccessDeniedException", Outcome::Auth),
    ("InvalidClientTokenId", Outcome::Auth),
    ("SignatureDoesNotMatch", Outcome::Auth),
    ("ExpiredToken", Outcome::Auth),
    ("ExpiredTokenException", Outcome::Auth),
    ("UnrecognizedClientException", Outcome::Auth),
    ("InvalidSignatureException", Outcome::Auth),
    ("IncompleteSignature", Outcome::Auth),
    ("MissingAuthenticationToken", Outcome::Auth),
    ("AccountSuspendedException", Outcome::Auth),
    ("SendingPausedException", Outcome::Auth),
    ("MailFromDomainNotVerifiedException", Outcome::Auth),
    ("NotFound", Outcome::Gone),
    ("NotFoundException", Outcome::Auth),
    ("EndpointDisabled", Outcome::Gone),
    ("InvalidParameter", Outcome::Rejected),
    ("InvalidParameterValue", Outcome::Rejected),
    ("ParameterValueInvalid", Outcome::Rejected),
    ("MessageRejected", Outcome::Rejected),
    ("BadRequestException", Outcome::Rejected),
    ("ValidationError", Outcome::Rejected),
    ("InternalError", Outcome::Retryable),
    ("InternalErrorException", Outcome::Retryable),
    ("InternalFailure", Outcome::Retryable),
    ("ServiceUnavailable", Outcome::Retryable),
];

/// The name of an error without what may stand around it: `com.amazonaws.sns#NotFound:http://..`.
fn word(code: &str) -> &str {
    let code = code.rsplit('#').next().unwrap_or_default();
    code.split(':').next().unwrap_or_default()
}
