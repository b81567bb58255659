//! Event notifications of Tencent Cloud VOD, as its format 3.0 posts them, so that a receiver written for them needs no
//! change: `ProcedureStateChanged`, with `Sign` and `T`.
//!
//! A job that has ended is told as `FINISH`, an output that is ready as `PROCESSING`. Jobs of a batch are told one by one. As
//! with Tencent, what is not known is left out.
//!
//! | field | is |
//! |---|---|
//! | `TaskId` | the job's id |
//! | `FileId` | what the job's metadata has under `FileId`; else the job's id |
//! | `SessionContext`, `SessionId` | what the job's metadata has under these names |
//! | `FileName`, `FileUrl`, `MetaData` | the source: the last part of its name, where its storage's files [can be had](super::Webhook::public_url), what its headers say |
//! | `MediaProcessResultSet` | a `Transcode` for each output, pictures among them: it is the form with size and checksum |
//! | `Definition` | what the job's metadata has under `Definitions` for the output's place, `{"public/cat.mp4": 100010}` |
//! | `Status`, `ErrCode`, `ErrCodeExt`, `Message` of it | `SUCCESS` and 0, or `FAIL`, 60000 for the source's fault and 70000 for others, the failure's code, and its message |
//! | `ErrCode`, `Message` of the whole | the same of the job |
//!
//! `Sign` is the MD5 of the key and `T`, the moment at which the notification ends to be valid, ten minutes after the
//! attempt. **It says nothing of the rest**: whoever has seen one notification can make others until then. That is Tencent's
//! form; receive it by `https` only, and ask for the job before something that matters hangs on it.

use mediaflow_core::event::EventData;
use mediaflow_core::media::{MediaInfo, StreamInfo, StreamKind};
use mediaflow_core::notify::Message;
use mediaflow_core::report::{OutputReport, OutputState, Report};
use mediaflow_core::{ErrorKind, Event, EventKind, Failure, NotifyError, Timestamp, codes};
use mediaflow_sign::tencent::VALID;
use serde_json::{Map, Value, json};

use super::dialect::{
    Cut, bits_per_second, fitted, is_of_job, only, place, said_of, whole_seconds,
};
use crate::payload::PublicUrls;

pub use mediaflow_sign::tencent::Signer;

/// The body of the notification, and its `Sign`. What does not fit is left out, and a field of ours says so: `mediaflow`,
/// with `truncated`, and in `more` the id of the job to ask about.
pub(super) fn payload(
    message: &Message,
    signer: &Signer,
    urls: &PublicUrls,
    now: Timestamp,
    limit: usize,
) -> Result<(Vec<u8>, String), NotifyError> {
    let event = only(message, "Tencent", is_of_job)?;
    let t = now.plus(VALID).seconds();
    let sign = signer.sign(t);
    let body = fitted(limit, |cut| {
        let mut body = Map::from_iter([
            ("EventType".into(), "ProcedureStateChanged".into()),
            ("Sign".into(), sign.as_str().into()),
            ("T".into(), t.into()),
        ]);
        let told = told(event, urls, cut, &mut body);
        body.insert("ProcedureStateChangeEvent".into(), told.into());
        body
    })?;
    Ok((body, sign))
}

fn told(
    event: &Event,
    urls: &PublicUrls,
    cut: Cut,
    body: &mut Map<String, Value>,
) -> Map<String, Value> {
    let report = match &event.data {
        EventData::Job(report) => Some(report.as_ref()),
        _ => None,
    };
    let job = event.job.or(report.map(|report| report.job)).map(|job| job.to_string());
    let given = |name| event.metadata.get(name).and_then(Value::as_str).map(str::to_owned);
    let status = if event.kind == EventKind::OutputReady { "PROCESSING" } else { "FINISH" };
    let mut told = Map::from_iter([
        ("Status".into(), status.into()),
        ("ErrCode".into(), 0.into()),
        ("Message".into(), "".into()),
    ]);
    let mut add = |name: &str, value: Option<Value>| {
        told.extend(value.map(|value| (name.to_owned(), value)));
    };
    add("FileId", given("FileId").or_else(|| job.clone()).map(Value::from));
    add("TaskId", job.map(Value::from));
    add("SessionContext", given("SessionContext").map(Value::from));
    add("SessionId", given("SessionId").map(Value::from));
    let outputs = match &event.data {
        EventData::Output(output) => std::slice::from_ref(&**output),
        _ => report.map_or(&[][..], |report| &report.outputs),
    };
    if let Some(report) = report {
        if let Some(source) = &report.source {
            let name = source.name.trim_end_matches('/').rsplit('/').next();
            add("FileName", name.map(Value::from));
            add("FileUrl", urls.of(&source.name).map(Value::from));
            add("MetaData", Some(meta_data(&source.info)));
        }
        let (code, message) = match &report.failure {
            Some(failure) => (number(failure.kind), cut.text(&failure.message)),
            None if event.kind == EventKind::JobCancelled => (OTHERS, CANCELLED.to_owned()),
            None => (0, String::new()),
        };
        add("ErrCode", Some(code.into()));
        add("Message", Some(message.into()));
    }
    let more = || json!({ "job": report.map(|report| report.job) });
    let tasks = cut.list(body, outputs, more).iter();
    let tasks = tasks.map(|output| task(event, output, report, urls, cut)).collect();
    add("MediaProcessResultSet", Some(Value::Array(tasks)));
    told
}

/// What is the source's fault.
const SOURCES: u32 = 60_000;
/// What is nobody's who could do something about it there.
const OTHERS: u32 = 70_000;
const CANCELLED: &str = "cancelled";

fn number(kind: ErrorKind) -> u32 {
    match kind {
        ErrorKind::Input | ErrorKind::Limit | ErrorKind::Unsupported => SOURCES,
        _ => OTHERS,
    }
}

fn task(
    event: &Event,
    output: &OutputReport,
    report: Option<&Report>,
    urls: &PublicUrls,
    cut: Cut,
) -> Value {
    let definition = said_of(event, "Definitions", output).and_then(Value::as_u64);
    let input = definition.map(|definition| ("Definition".to_owned(), definition.into()));
    let mut task = Map::from_iter([("Input".into(), Map::from_iter(input).into())]);
    let mut add = |name: &str, value: Value| drop(task.insert(name.into(), value));
    if output.state == OutputState::Published {
        add("Status", "SUCCESS".into());
        add("ErrCode", 0.into());
        add("ErrCodeExt", "".into());
        add("Message", "SUCCESS".into());
        add("Progress", 100.into());
        add("Output", made(output, definition, urls).into());
    } else {
        let failure = output.failure.as_ref().or(report.and_then(|report| report.failure.as_ref()));
        let (code, name, message) = failed(failure, cut);
        add("Status", "FAIL".into());
        add("ErrCode", code.into());
        add("ErrCodeExt", name.into());
        add("Message", message.into());
        add("Progress", 0.into());
    }
    if let Some(begin) = report.and_then(|report| report.started_at) {
        add("BeginProcessTime", whole_seconds(begin).into());
    }
    add("FinishTime", whole_seconds(event.time).into());
    json!({ "Type": "Transcode", "TranscodeTask": task })
}

fn failed(failure: Option<&Failure>, cut: Cut) -> (u32, String, String) {
    match failure {
        Some(failure) => (number(failure.kind), failure.code.clone(), cut.text(&failure.message)),
        None => (OTHERS, codes::JOB_CANCELLED.to_owned(), CANCELLED.to_owned()),
    }
}

fn made(output: &OutputReport, definition: Option<u64>, urls: &PublicUrls) -> Map<String, Value> {
    let seconds = output.duration.map(|length| length.as_secs_f64());
    let bits = output.duration.and_then(|length| bits_per_second(output.bytes, length));
    let known = |number: u32| Some(number).filter(|number| *number > 0).map(Value::from);
    let pairs = [
        ("Url", urls.of(place(output)).map(Value::from)),
        ("Size", Some(output.bytes.into())),
        ("Container", output.format.as_ref().map(|format| format.extension().into())),
        ("Width", known(output.width)),
        ("Height", known(output.height)),
        ("Duration", seconds.map(Value::from)),
        ("Bitrate", bits.map(Value::from)),
        ("Md5", Some(output.md5.as_str()).filter(|sum| !sum.is_empty()).map(Value::from)),
        ("Definition", definition.map(Value::from)),
    ];
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// What is known of the source. It is upright: `Rotate` is 0.
fn meta_data(info: &MediaInfo) -> Value {
    let seconds = info.duration.map(|length| length.as_secs_f64());
    let bits = info.duration.and_then(|length| bits_per_second(info.bytes, length));
    let set = |kind, stream: &dyn Fn(&StreamInfo) -> Value| {
        info.streams.iter().filter(|stream| stream.kind == kind).map(stream).collect::<Vec<_>>()
    };
    let video = set(StreamKind::Video, &|stream| {
        without_nulls(json!({
            "Codec": stream.codec, "Bitrate": stream.bitrate, "Fps": stream.fps.map(whole),
            "Width": info.width, "Height": info.height,
        }))
    });
    let audio = set(StreamKind::Audio, &|stream| {
        without_nulls(json!({
            "Codec": stream.codec, "Bitrate": stream.bitrate, "SamplingRate": stream.sample_rate,
        }))
    });
    without_nulls(json!({
        "Size": info.bytes, "Container": info.format.extension(), "Width": info.width, "Height": info.height,
        "Rotate": 0, "Duration": seconds, "Bitrate": bits,
        "VideoDuration": seconds.filter(|_| !video.is_empty()),
        "AudioDuration": seconds.filter(|_| !audio.is_empty()),
        "VideoStreamSet": video, "AudioStreamSet": audio,
    }))
}

/// Frames per second are a whole number there.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast keeps to the range of its type"
)]
fn whole(fps: f64) -> u64 {
    fps.round() as u64
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}
