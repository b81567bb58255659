use serde_json::{Map, Value};

use super::elastic_transcoder::extension;
use crate::json::{job_id, list, pixels, text, whole};
use crate::update::{RemoteError, RemoteOutput, RemoteState, RemoteUpdate};

/// The provider of updates of MediaConvert.
pub const MEDIA_CONVERT: &str = "mediaconvert";

/// An event of MediaConvert, if it is one. `detail` may stand alone, as rules of EventBridge can have it.
pub(super) fn read(body: &Map<String, Value>) -> Option<RemoteUpdate> {
    let detail = match body.get("source") {
        Some(source) if source == "aws.mediaconvert" => body.get("detail")?.as_object()?,
        Some(_) => return None,
        None => body,
    };
    let said = detail.get("status").and_then(Value::as_str)?;
    let mut update = RemoteUpdate::new(MEDIA_CONVERT, job_id(detail.get("jobId"))?, state(said));
    update.progress = progress(detail);
    let groups = list(detail.get("outputGroupDetails")).iter().enumerate();
    update.outputs =
        groups.flat_map(|(place, group)| outputs(place, group, update.state)).collect();
    if update.state == RemoteState::Failed {
        let of = |name| text(detail.get(name)).unwrap_or_default();
        update.error = RemoteError::new(of("errorCode"), of("errorMessage"));
    }
    update.pass_through = detail.get("userMetadata").cloned().unwrap_or_default();
    Some(update)
}

fn state(said: &str) -> RemoteState {
    match said {
        "COMPLETE" => RemoteState::Finished,
        "ERROR" => RemoteState::Failed,
        "CANCELED" => RemoteState::Cancelled,
        // Its warnings, its queue, and what it knows of the input are nothing that has become of it.
        _ => RemoteState::Processing,
    }
}

/// Of `STATUS_UPDATE`: per cent.
#[expect(clippy::cast_precision_loss, reason = "it is between 0 and 100")]
fn progress(detail: &Map<String, Value>) -> Option<f32> {
    let done = whole(detail.get("jobProgress")?.get("jobPercentComplete"))?;
    Some(done.min(100) as f32 / 100.0)
}

/// The files of a group: of each output its main one, and the group's playlists.
fn outputs(place: usize, group: &Value, state: RemoteState) -> Vec<RemoteOutput> {
    let details = list(group.get("outputDetails")).iter().enumerate();
    let mut outputs: Vec<_> = details
        .map(|(at, said)| {
            let mut output = RemoteOutput::new(state);
            output.id = Some(format!("{place}/{at}"));
            output.label = text(group.get("type"));
            output.url = list(said.get("outputFilePaths")).iter().find_map(|path| text(Some(path)));
            output.format = output.url.as_deref().and_then(extension);
            let video = said.get("videoDetails");
            output.width = pixels(video.and_then(|video| video.get("widthInPx")));
            output.height = pixels(video.and_then(|video| video.get("heightInPx")));
            output.duration_ms = whole(said.get("durationInMs"));
            output
        })
        .collect();
    let playlists = list(group.get("playlistFilePaths")).iter().enumerate();
    outputs.extend(playlists.filter_map(|(at, path)| {
        let mut output = RemoteOutput::new(state);
        output.url = Some(text(Some(path))?);
        output.id = Some(format!("{place}/playlist/{at}"));
        output.label = text(group.get("type"));
        output.format = output.url.as_deref().and_then(extension);
        Some(output)
    }));
    outputs
}
