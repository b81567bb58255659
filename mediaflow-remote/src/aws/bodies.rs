//! What Amazon's encoders say, wherever it stands.

use serde_json::{Map, Value};

use super::{elastic_transcoder, media_convert};
use crate::update::RemoteUpdate;

/// What a text says of a job, if it is of an encoder that is known here.
pub(super) fn read(text: &str) -> Option<RemoteUpdate> {
    match serde_json::from_str(text).ok()? {
        Value::Object(body) => read_body(&body),
        _ => None,
    }
}

/// The same of what is parsed already.
pub(super) fn read_body(body: &Map<String, Value>) -> Option<RemoteUpdate> {
    media_convert::read(body).or_else(|| elastic_transcoder::read(body))
}
