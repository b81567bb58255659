//! What a store's error means to whoever can do something about it.
//!
//! Stores put whole answers and URLs into their messages; of these only the status and the error code come through.

use std::error::Error as StdError;

use mediaflow_core::{Error, codes};
use object_store::Error as StoreError;
use tokio::task::JoinError;

/// Whether the object is missing, and not the bucket around it.
pub(crate) fn is_missing(error: &StoreError) -> bool {
    matches!(error, StoreError::NotFound { .. })
        && tag(&error.to_string(), "Code") != Some("NoSuchBucket")
}

/// `what` failed because of `error`.
pub(crate) fn failed(what: &'static str, error: &StoreError) -> Error {
    let text = error.to_string();
    let code = tag(&text, "Code");
    let status = status(&text);
    let found = match code {
        Some(code) => of_code(what, code, &text),
        None => None,
    };
    let found = found
        .or_else(|| of_kind(what, error))
        .or_else(|| of_status(what, status))
        .unwrap_or_else(|| of_transport(what, &text));
    let found = match status {
        Some(status) => found.with("status", status),
        None => found.because(root_cause(error)),
    };
    match code {
        Some(code) => found.with("code", code),
        None => found,
    }
}

/// A task ended without its result: the runtime shuts down, or it panicked.
pub(crate) fn interrupted(error: JoinError) -> Error {
    Error::internal(codes::STORAGE_IO, "the work on an object was interrupted").because(error)
}

fn of_code(what: &str, code: &str, text: &str) -> Option<Error> {
    Some(match code {
        "NoSuchBucket" => Error::unsupported(codes::STORAGE_BUCKET, format!("{what}: there is no such bucket"))
            .help("create the bucket, or correct its name"),
        "InvalidAccessKeyId" => denied(what, "this access key is not known there")
            .help("check AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL"),
        "SignatureDoesNotMatch" => denied(what, "the secret access key is wrong")
            .help("check AWS_SECRET_ACCESS_KEY"),
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
            denied(what, "the session token is no longer valid").help("renew AWS_SESSION_TOKEN")
        }
        "RequestTimeTooSkewed" => denied(what, "the clock of this machine is wrong")
            .help("set it, for instance by NTP"),
        "AccessDenied" | "AllAccessDisabled" => denied(what, "the credentials do not allow it").help(
            "allow s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload, s3:ListBucket and s3:ListBucketMultipartUploads",
        ),
        "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
            let error = elsewhere(what);
            match tag(text, "Region") {
                Some(region) => error.with("region", region),
                None => error,
            }
        }
        _ => return None,
    })
}

fn of_kind(what: &str, error: &StoreError) -> Option<Error> {
    match error {
        StoreError::NotSupported { .. }
        | StoreError::NotImplemented { .. }
        | StoreError::InvalidPath { .. }
        | StoreError::UnknownConfigurationKey { .. } => Some(Error::unsupported(
            codes::STORAGE_REFUSED,
            format!("{what}: the store can not do it"),
        )),
        _ => None,
    }
}

fn of_status(what: &str, status: Option<u16>) -> Option<Error> {
    match status? {
        301 | 302 | 307 | 308 => Some(elsewhere(what)),
        401 | 403 => Some(
            denied(what, "the credentials are wrong, or do not allow it")
                .help("check the credentials (AWS_ACCESS_KEY_ID, AZURE_STORAGE_ACCOUNT_KEY, GOOGLE_APPLICATION_CREDENTIALS and so on) and their rights"),
        ),
        // Timeouts, collisions with others and throttling pass; the rest of its kind does not.
        404 | 408 | 409 | 412 | 425 | 429 => None,
        400..=499 => Some(
            Error::unsupported(codes::STORAGE_REFUSED, format!("{what}: the store refuses it"))
                .help("the code is explained in the manual of the store"),
        ),
        _ => None,
    }
}

fn of_transport(what: &str, text: &str) -> Error {
    let error = Error::transient(codes::STORAGE_IO, what);
    if text.contains("without LOCATION") {
        elsewhere(what)
    } else if text.contains("/latest/api/token") || text.contains("/latest/meta-data") {
        error.help("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: this machine has no role to ask for credentials")
    } else {
        error.help("check that the store can be reached and that its endpoint is right (AWS_ENDPOINT_URL and so on); it is tried again")
    }
}

fn denied(what: &str, why: &str) -> Error {
    Error::unsupported(codes::STORAGE_DENIED, format!("{what}: {why}"))
}

fn elsewhere(what: &str) -> Error {
    Error::unsupported(codes::STORAGE_REGION, format!("{what}: the bucket is in another region"))
        .help("set AWS_REGION to the region of the bucket")
}

/// The deepest message: `Connection refused`. It has neither the URL nor the answer.
fn root_cause(error: &StoreError) -> String {
    let mut cause: &dyn StdError = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    if text.contains("://") { "the request failed".to_owned() } else { text }
}

/// The status in the message of an answer that was no success.
fn status(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// The text of the first element of this name in an XML answer.
fn tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once("</")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (value.len() <= 64 && value.chars().all(plain)).then_some(value)
}
