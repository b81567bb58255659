//! Zencoder's notifications of its second API, so that a receiver written for them needs no change.
//!
//! A job that has ended is told with `job`, `input` and `outputs`; an output that is ready with `job` and `output`. Jobs of
//! a batch are told one by one. What is not known is `null`, as with Zencoder.
//!
//! | field | is |
//! |---|---|
//! | `job.id` | the job's id, a text |
//! | `job.state` | `finished`, `failed` or `cancelled`; `processing` beside an `output`. A job that went on without some outputs has finished: those have failed |
//! | `job.pass_through` | what the job's metadata has under `pass_through` |
//! | `id` of an output | its place, `storage/key` |
//! | `label` | what the job's metadata has under `labels` for its place, `{"public/cat.mp4": "web"}`; else its place |
//! | `url` | where the storage's files [can be had](super::Webhook::public_url) |
//! | `format` | `mpeg4` for MP4 and QuickTime, else the usual extension |
//! | `md5_checksum`, `file_size_in_bytes`, `duration_in_ms`, `width`, `height`, `total_bitrate_in_kbps` | as the report has them |
//! | `error_class`, `error_message` | the failure's code and message, where something failed |
//!
//! Nothing is signed: who asks Zencoder for a notification says what header it comes with, and the receiver compares. The
//! header shows to whoever sees a request, so receive by `https` only.

use mediaflow_core::event::EventData;
use mediaflow_core::media::{Format, MediaInfo, StreamInfo, StreamKind};
use mediaflow_core::notify::Message;
use mediaflow_core::report::{OutputReport, OutputState, Report};
use mediaflow_core::{ErrorKind, Event, EventKind, Failure, NotifyError};
use serde_json::{Map, Value, json};

use super::dialect::{
    Cut, bits_per_second, fitted, is_of_job, millis, only, place, said_of, whole_seconds,
};
use crate::payload::PublicUrls;

pub use mediaflow_sign::header::{SECRET, Secret};

/// The body of the notification. What does not fit is left out, and a field of ours says so: `mediaflow`, with
/// `truncated`, and in `more` the id of the job to ask about.
pub(super) fn payload(
    message: &Message,
    urls: &PublicUrls,
    limit: usize,
) -> Result<Vec<u8>, NotifyError> {
    let event = only(message, "Zencoder", is_of_job)?;
    let state = match event.kind {
        EventKind::OutputReady => "processing",
        EventKind::JobFailed => "failed",
        EventKind::JobCancelled => "cancelled",
        _ => "finished",
    };
    fitted(limit, |cut| match &event.data {
        EventData::Job(report) => of_job(event, report, state, urls, cut),
        EventData::Output(output) => Map::from_iter([
            ("job".into(), job(event, None, state)),
            ("output".into(), of_output(event, output, None, urls, cut)),
        ]),
        _ => Map::from_iter([("job".into(), job(event, None, state))]),
    })
}

fn of_job(
    event: &Event,
    report: &Report,
    state: &str,
    urls: &PublicUrls,
    cut: Cut,
) -> Map<String, Value> {
    let mut body = Map::from_iter([
        ("job".into(), job(event, Some(report), state)),
        ("input".into(), input(report, cut)),
    ]);
    let told = cut.list(&mut body, &report.outputs, || json!({ "job": report.job }));
    let output = |output| of_output(event, output, Some((report, state)), urls, cut);
    body.insert("outputs".into(), told.iter().map(output).collect());
    body
}

fn job(event: &Event, report: Option<&Report>, state: &str) -> Value {
    let pass_through = event.metadata.get("pass_through").map(|given| match given {
        Value::String(_) | Value::Null => given.clone(),
        other => other.to_string().into(),
    });
    let submitted = report.map(|report| whole_seconds(report.queued_at));
    json!({
        "id": event.job.or(report.map(|report| report.job)), "state": state, "test": false,
        "pass_through": pass_through, "created_at": submitted, "submitted_at": submitted,
        "updated_at": whole_seconds(event.time),
    })
}

/// What the job was made from. Its length is always a number: receivers count with it.
fn input(report: &Report, cut: Cut) -> Value {
    let info = report.source.as_ref().map(|source| &source.info);
    let stream = |kind| info?.streams.iter().find(|stream: &&StreamInfo| stream.kind == kind);
    let (video, audio) = (stream(StreamKind::Video), stream(StreamKind::Audio));
    let length = info.and_then(|info| info.duration).unwrap_or_default();
    let kbps = |stream: &StreamInfo| stream.bitrate.map(|bits| bits / 1000);
    let codec = |stream: &StreamInfo| stream.codec.clone();
    let total = info.and_then(|info| bits_per_second(info.bytes, length));
    let mut input = Map::from_iter([
        ("state".into(), "finished".into()),
        ("format".into(), info.map(|info| format(&info.format)).into()),
        ("file_size_in_bytes".into(), known(info, |info| info.bytes).into()),
        ("width".into(), known(info, |info| info.width.into()).into()),
        ("height".into(), known(info, |info| info.height.into()).into()),
        ("duration_in_ms".into(), millis(length).into()),
        ("frame_rate".into(), video.and_then(|video| video.fps).into()),
        ("video_codec".into(), video.map(codec).into()),
        ("video_bitrate_in_kbps".into(), video.and_then(kbps).into()),
        ("audio_codec".into(), audio.map(codec).into()),
        ("audio_bitrate_in_kbps".into(), audio.and_then(kbps).into()),
        ("audio_sample_rate".into(), audio.and_then(|audio| audio.sample_rate).into()),
        // A text, with Zencoder.
        ("channels".into(), audio.and_then(|audio| audio.channels).map(|n| n.to_string()).into()),
        ("total_bitrate_in_kbps".into(), total.map(|bits| bits / 1000).into()),
        ("md5_checksum".into(), Value::Null),
    ]);
    let failure = report.failure.as_ref().filter(|failure| failure.kind == ErrorKind::Input);
    if let Some(failure) = failure {
        input.insert("state".into(), "failed".into());
        input.extend(error(failure, cut));
    }
    input.into()
}

/// A number that is known if it is not zero.
fn known(info: Option<&MediaInfo>, number: impl FnOnce(&MediaInfo) -> u64) -> Option<u64> {
    info.map(number).filter(|number| *number > 0)
}

fn of_output(
    event: &Event,
    output: &OutputReport,
    job: Option<(&Report, &str)>,
    urls: &PublicUrls,
    cut: Cut,
) -> Value {
    let state = match output.state {
        OutputState::Published => "finished",
        OutputState::Cancelled => "cancelled",
        OutputState::Failed => "failed",
        // It was not made, because the job ended before.
        _ => job.map_or("failed", |(_, state)| if state == "cancelled" { state } else { "failed" }),
    };
    let made = state == "finished";
    let number = |number: u64| Some(number).filter(|number| made && *number > 0);
    let length = output.duration.filter(|_| made);
    let total = length.and_then(|length| bits_per_second(output.bytes, length));
    let label = said_of(event, "labels", output).and_then(Value::as_str);
    let mut told = Map::from_iter([
        ("id".into(), output.output.as_str().into()),
        ("label".into(), label.unwrap_or(&output.output).into()),
        ("state".into(), state.into()),
        ("url".into(), urls.of(place(output)).filter(|_| made).into()),
        ("format".into(), output.format.as_ref().map(format).into()),
        ("width".into(), number(output.width.into()).into()),
        ("height".into(), number(output.height.into()).into()),
        ("file_size_in_bytes".into(), number(output.bytes).into()),
        ("duration_in_ms".into(), length.map(millis).into()),
        ("total_bitrate_in_kbps".into(), total.map(|bits| bits / 1000).into()),
        ("md5_checksum".into(), Some(&output.md5).filter(|sum| !sum.is_empty()).cloned().into()),
    ]);
    let of_job = || job.and_then(|(report, _)| report.failure.as_ref());
    if let Some(failure) = output.failure.as_ref().or_else(of_job).filter(|_| state == "failed") {
        told.extend(error(failure, cut));
    }
    told.into()
}

fn error(failure: &Failure, cut: Cut) -> [(String, Value); 2] {
    [
        ("error_class".into(), failure.code.as_str().into()),
        ("error_message".into(), cut.text(&failure.message).into()),
    ]
}

/// What Zencoder calls a format.
fn format(format: &Format) -> String {
    match format.name() {
        "mp4" | "mov" => "mpeg4".to_owned(),
        _ => format.extension().to_owned(),
    }
}
