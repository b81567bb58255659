//! Cloudinary's notifications, so that a receiver written for them needs no change: the payloads of `upload` and
//! `eager`, and the signature over the raw body, the timestamp and the API secret.
//!
//! A job with one output is told as `upload`, one with several and a batch as `eager`. Names differ where the two
//! worlds do: `public_id` is the key of the file without its extension, `version` the second in which it was made, and
//! `transformation` the size and format of the result, since a pipeline has no Cloudinary string.

use mediaflow_core::event::EventData;
use mediaflow_core::media::Format;
use mediaflow_core::notify::Message;
use mediaflow_core::report::{OutputReport, OutputState, Report};
use mediaflow_core::{Event, EventKind, Failure, NotifyError, Timestamp};
use serde_json::{Map, Value, json};

use super::dialect::{only, whole_seconds};
use crate::payload::{PublicUrls, encode, fullest, in_order, shortened, too_large};

pub use mediaflow_sign::cloudinary::{Algorithm, SIGNATURE, Signer, TIMESTAMP};

/// Whether Cloudinary tells of such things at all.
pub(super) fn has_word_for(kind: EventKind) -> bool {
    kind.is_terminal() || kind == EventKind::OutputReady
}

/// The body of the notification. What does not fit is left out, and a field of ours says so: `mediaflow`, with
/// `truncated`, and in `more` the id of the job or batch to ask about.
pub(super) fn payload(
    message: &Message,
    urls: &PublicUrls,
    limit: usize,
) -> Result<Vec<u8>, NotifyError> {
    let event = only(message, "Cloudinary", has_word_for)?;
    let mut payload = Payload::of(event, &message.reports, urls);
    if let Some(body) = payload.encode(usize::MAX, limit) {
        return Ok(body);
    }
    payload.shorten();
    fullest(limit, |entries| payload.encode(entries, limit)).ok_or_else(|| too_large(limit))
}

/// A notification that may have to be cut.
struct Payload {
    body: Map<String, Value>,
    /// The derivatives, of `eager` only.
    eager: Option<Vec<Value>>,
    /// Whom to ask about for the rest.
    more: Value,
    /// There are jobs whose reports did not come with the event.
    lacks_jobs: bool,
}

impl Payload {
    fn of(event: &Event, reports: &[Report], urls: &PublicUrls) -> Self {
        match &event.data {
            EventData::Output(output) => {
                Self::upload(upload(Some(output), event.time, urls), json!({ "job": event.job }))
            }
            EventData::Job(report) if report.outputs.len() > 1 => {
                let batch =
                    event.batch.map_or_else(|| report.job.to_string(), |batch| batch.to_string());
                Self::eager(&batch, &[report.as_ref()], event.time, urls)
                    .asking(json!({ "job": report.job }))
            }
            EventData::Job(report) => {
                let mut body = upload(report.outputs.first(), event.time, urls);
                if let Some(failure) = &report.failure {
                    body.insert("error".into(), error(failure));
                    body.entry("public_id").or_insert_with(|| source_id(report).into());
                }
                Self::upload(body, json!({ "job": report.job }))
            }
            EventData::Batch(summary) => {
                let jobs = in_order(summary, reports);
                let mut payload = Self::eager(&summary.batch.to_string(), &jobs, event.time, urls)
                    .asking(json!({ "batch": summary.batch, "jobs_total": summary.jobs() }));
                payload.lacks_jobs = (reports.len() as u64) < summary.jobs();
                payload
            }
            _ => Self::upload(upload(None, event.time, urls), json!({ "job": event.job })),
        }
    }

    fn upload(body: Map<String, Value>, more: Value) -> Self {
        Self { body, eager: None, more, lacks_jobs: false }
    }

    fn eager(batch: &str, jobs: &[&Report], time: Timestamp, urls: &PublicUrls) -> Self {
        let entries = jobs.iter().flat_map(|job| {
            job.outputs.iter().map(|output| derived(output, job.failure.as_ref(), urls))
        });
        let mut body = Map::from_iter([
            ("notification_type".into(), "eager".into()),
            ("batch_id".into(), batch.into()),
            ("version".into(), time.seconds().into()),
        ]);
        body.extend(jobs.first().map(|job| ("public_id".into(), source_id(job).into())));
        if let Some(failure) = jobs.iter().find_map(|job| job.failure.as_ref()) {
            body.insert("error".into(), error(failure));
        }
        let eager = Some(entries.collect());
        Self { body, eager, more: Value::Null, lacks_jobs: false }
    }

    fn asking(self, more: Value) -> Self {
        Self { more, ..self }
    }

    /// With so many entries at most.
    fn encode(&self, entries: usize, limit: usize) -> Option<Vec<u8>> {
        let mut body = self.body.clone();
        let all = self.eager.as_deref().unwrap_or_default();
        let told = &all[..all.len().min(entries)];
        if self.eager.is_some() {
            body.insert("eager".into(), told.into());
        }
        if self.lacks_jobs || told.len() < all.len() {
            body.insert("mediaflow".into(), json!({ "truncated": true, "more": self.more }));
        }
        encode(&body, limit)
    }

    /// Keeps only the beginning of what somebody else wrote.
    fn shorten(&mut self) {
        let messages = self.body.get_mut("error").and_then(|error| error.get_mut("message"));
        let eager = self.eager.iter_mut().flatten();
        let reasons = eager.filter_map(|entry| entry.get_mut("reason"));
        for text in messages.into_iter().chain(reasons) {
            if let Value::String(text) = text {
                *text = shortened(text);
            }
        }
    }
}

fn upload(output: Option<&OutputReport>, time: Timestamp, urls: &PublicUrls) -> Map<String, Value> {
    let mut body = Map::from_iter([
        ("notification_type".into(), "upload".into()),
        ("type".into(), "upload".into()),
    ]);
    let Some(output) = output else { return body };
    body.insert("public_id".into(), public_id(output).into());
    body.insert("version".into(), time.seconds().into());
    body.insert("resource_type".into(), resource_type(output).into());
    body.insert("created_at".into(), whole_seconds(time).into());
    if output.state == OutputState::Published {
        body.extend(made(output, urls));
        body.insert("etag".into(), output.md5.clone().into());
        body.extend(output.duration.map(|time| ("duration".into(), time.as_secs_f64().into())));
    }
    if let Some(failure) = &output.failure {
        body.insert("error".into(), error(failure));
    }
    body
}

fn derived(output: &OutputReport, of_job: Option<&Failure>, urls: &PublicUrls) -> Value {
    if output.state == OutputState::Published {
        let mut entry = made(output, urls);
        let size = format!("h_{},w_{}", output.height, output.width);
        let name = output
            .format
            .as_ref()
            .map_or(size.clone(), |format| format!("{size}/{}", format.extension()));
        entry.insert("transformation".into(), name.into());
        return entry.into();
    }
    let reason = match (output.failure.as_ref().or(of_job), output.state) {
        (Some(failure), _) => failure.message.clone(),
        (None, OutputState::Cancelled) => "cancelled".to_owned(),
        (None, _) => "not made".to_owned(),
    };
    json!({ "status": "failed", "reason": reason, "public_id": public_id(output) })
}

/// What both kinds say of a file that was made.
fn made(output: &OutputReport, urls: &PublicUrls) -> Map<String, Value> {
    let mut entry = Map::from_iter([
        ("width".into(), output.width.into()),
        ("height".into(), output.height.into()),
        ("bytes".into(), output.bytes.into()),
    ]);
    entry.extend(output.format.as_ref().map(|format| ("format".into(), format.extension().into())));
    if let Some(url) = urls.of(&output.output) {
        entry.insert("url".into(), url.clone().into());
        entry.insert("secure_url".into(), url.into());
    }
    entry
}

fn error(failure: &Failure) -> Value {
    json!({ "message": failure.message })
}

/// The key without the storage; without the extension, too, unless the file is raw.
fn public_id(output: &OutputReport) -> &str {
    let key = output.output.split_once('/').map_or(output.output.as_str(), |(_, key)| key);
    if resource_type(output) == "raw" { key } else { without_extension(key) }
}

/// What the source is called in its storage, or the last part of its URL; the job's id if it has no name.
fn source_id(report: &Report) -> String {
    let name = report.source.as_ref().map_or("", |source| source.name.as_str());
    let key = match (name.contains(':'), name.split_once('/')) {
        (true, _) => name.trim_end_matches('/').rsplit('/').next(),
        (false, Some((_, key))) => Some(key),
        (false, None) => None,
    };
    key.filter(|key| !key.is_empty())
        .map_or_else(|| report.job.to_string(), |key| without_extension(key).to_owned())
}

fn without_extension(key: &str) -> &str {
    match key.rsplit_once('.') {
        Some((stem, extension))
            if !stem.is_empty() && !stem.ends_with('/') && !extension.contains('/') =>
        {
            stem
        }
        _ => key,
    }
}

fn resource_type(output: &OutputReport) -> &'static str {
    let mime = match (output.mime.as_str(), &output.format) {
        ("", Some(format)) => format.mime(),
        // What was not made has only its name.
        ("", None) => match output.output.rsplit('.').next().unwrap_or_default() {
            "jpg" | "jpeg" => "image/jpeg",
            extension => Format::named(extension.to_owned()).mime(),
        },
        (mime, _) => mime,
    };
    match mime.split('/').next() {
        Some("image") => "image",
        Some("video" | "audio") => "video",
        _ => "raw",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_ids_and_urls() {
        let mut urls = PublicUrls::default();
        urls.add("public".into(), "https://cdn.example/media/").unwrap();
        let url = urls.of("public/a b/ç#1.jpg");
        assert_eq!(url.as_deref(), Some("https://cdn.example/media/a%20b/%C3%A7%231.jpg"));
        assert_eq!(urls.of("private/a.jpg"), None);
        assert_eq!(urls.add("x".into(), "ftp://x").unwrap_err().code(), "webhook.public_url");
        for (key, id) in [
            ("a/b.c.jpg", "a/b.c"),
            ("a.d/b", "a.d/b"),
            (".htaccess", ".htaccess"),
            ("a/.x", "a/.x"),
        ] {
            assert_eq!(without_extension(key), id);
        }
    }
}
