use serde_json::{Map, Value};

use crate::json::{job_id, list, millis, pixels, text, whole};
use crate::update::{RemoteError, RemoteOutput, RemoteState, RemoteUpdate};

/// The provider of updates of Elastic Transcoder.
pub const ELASTIC_TRANSCODER: &str = "elastictranscoder";

/// A notification of Elastic Transcoder, if it is one: its `jobId`, its `state`, and its pipeline.
pub(super) fn read(body: &Map<String, Value>) -> Option<RemoteUpdate> {
    let said = body.get("state").and_then(Value::as_str)?;
    body.get("pipelineId").or_else(|| body.get("outputs"))?;
    let mut update = RemoteUpdate::new(ELASTIC_TRANSCODER, job_id(body.get("jobId"))?, state(said));
    let prefix = text(body.get("outputKeyPrefix")).unwrap_or_default();
    let outputs = list(body.get("outputs")).iter().filter_map(Value::as_object);
    update.outputs = outputs.map(|said| output(said, &prefix)).collect();
    if update.state == RemoteState::Failed {
        let of = |name| text(body.get(name)).unwrap_or_default();
        let first = update.outputs.iter().find_map(|output| output.error.clone());
        update.error = RemoteError::new(of("errorCode"), of("messageDetails")).or(first);
    }
    update.pass_through = body.get("userMetadata").cloned().unwrap_or_default();
    Some(update)
}

/// Of a job in capitals, of an output with one: `COMPLETED`, `Complete`.
fn state(said: &str) -> RemoteState {
    match said.to_ascii_lowercase().as_str() {
        "complete" | "completed" => RemoteState::Finished,
        "error" => RemoteState::Failed,
        "canceled" | "cancelled" => RemoteState::Cancelled,
        _ => RemoteState::Processing,
    }
}

fn output(said: &Map<String, Value>, prefix: &str) -> RemoteOutput {
    let state = state(said.get("status").and_then(Value::as_str).unwrap_or_default());
    let mut output = RemoteOutput::new(state);
    output.id = text(said.get("id"));
    output.label = text(said.get("presetId"));
    let key = text(said.get("key")).map(|key| format!("{prefix}{key}"));
    output.format = key.as_deref().and_then(extension);
    output.url = key;
    output.width = pixels(said.get("width"));
    output.height = pixels(said.get("height"));
    output.bytes = whole(said.get("fileSize"));
    output.duration_ms = millis(said.get("duration"));
    if state == RemoteState::Failed {
        let of = |name| text(said.get(name)).unwrap_or_default();
        output.error = RemoteError::new(of("errorCode"), of("statusDetail"));
    }
    output
}

/// The extension of a key, in lower case.
pub(super) fn extension(key: &str) -> Option<String> {
    let (stem, extension) = key.rsplit('/').next()?.rsplit_once('.')?;
    let short = !stem.is_empty() && (1..=8).contains(&extension.len());
    let plain = extension.bytes().all(|c| c.is_ascii_alphanumeric());
    (short && plain).then(|| extension.to_ascii_lowercase())
}
