//! The errors of this crate, each made in one place so that its code, its words and its help stay together.

use std::time::Duration;

use mediaflow_core::{Error, codes};

pub(crate) fn io(cause: std::io::Error) -> Error {
    Error::transient(codes::VIDEO_IO, "reading or writing a file failed").because(cause)
}

pub(crate) fn no_moov(byte: u64, how: &str) -> Error {
    Error::input(
        codes::VIDEO_NO_MOOV,
        format!("the index (moov) {how}, so nothing of the file can be played"),
    )
    .with("byte", byte)
    .help("the upload was cut short or the recording never finished: send the whole file")
}

/// `missing` and `declared` are seconds.
pub(crate) fn truncated(missing: f64, declared: f64) -> Error {
    Error::input(
        codes::VIDEO_TRUNCATED,
        format!("the file ends early: {missing:.1} s of {declared:.1} s are missing"),
    )
    .with("missing_seconds", format_args!("{missing:.3}"))
    .with("declared_seconds", format_args!("{declared:.3}"))
    .help("the upload was cut short: send the whole file")
}

/// For a cut file whose index does not say when its samples are shown.
pub(crate) fn truncated_bytes(missing: u64) -> Error {
    Error::input(
        codes::VIDEO_TRUNCATED,
        format!("the file ends early: at least {missing} bytes are missing"),
    )
    .with("missing_bytes", missing)
    .help("the upload was cut short: send the whole file")
}

pub(crate) fn not_decodable(cause: &str) -> Error {
    Error::input(codes::VIDEO_NOT_DECODABLE, format!("the content can not be decoded: {cause}"))
        .help("check that the file plays, then export it again")
}

pub(crate) fn no_stream(kind: &'static str) -> Error {
    Error::input(codes::VIDEO_NO_STREAM, format!("the file has no {kind} stream"))
        .with("stream", kind)
}

pub(crate) fn stalled(after: Duration) -> Error {
    Error::backend(codes::VIDEO_STALLED, format!("nothing moved for {} s", after.as_secs_f64()))
        .help("the file may be damaged; on a busy machine raise `Limits::stall_time`")
}

pub(crate) fn probe_time(limit: Duration) -> Error {
    Error::limit(
        codes::VIDEO_PROBE_TIME,
        format!("probing took longer than {} s", limit.as_secs_f64()),
    )
    .with("limit", "probe_time")
    .help("the file is damaged or very slow to read; raise `Limits::probe_time` if it is whole")
}

/// GStreamer itself did something that its contract excludes: a link of matching pads refused, a state not reached.
pub(crate) fn pipeline(what: impl Into<String>) -> Error {
    Error::backend(codes::VIDEO_PIPELINE, what)
}
