//! Payloads of Cloudinary's dialect.

use mediaflow_core::report::BatchReport;

use super::*;

const LIMIT: usize = 256 << 10;

fn payload(message: &Message, limit: usize) -> Result<Vec<u8>, NotifyError> {
    let mut urls = PublicUrls::default();
    urls.add("public".into(), "https://cdn.example/media").unwrap();
    cloudinary::payload(message, &urls, limit)
}

fn cloudinary_body(event: &Event) -> Value {
    json_of(&payload(&Message::of(event.clone()), LIMIT).unwrap())
}

#[test]
fn cloudinary_upload() {
    assert_eq!(
        cloudinary_body(&completed()),
        json!({
            "notification_type": "upload", "type": "upload", "resource_type": "image",
            "public_id": "cat", "version": 1_760_000_000, "created_at": "2025-10-09T08:53:20Z",
            "width": 320, "height": 240, "bytes": 1234, "format": "jpg", "etag": "cd",
            "url": "https://cdn.example/media/cat.jpg", "secure_url": "https://cdn.example/media/cat.jpg",
        })
    );
    let failed = report("failed", &json!([]));
    assert_eq!(
        cloudinary_body(&Event::new(EventKind::JobFailed, NOW, EventData::Job(Box::new(failed)))),
        json!({ "notification_type": "upload", "type": "upload", "public_id": "2026/cat",
                "error": { "message": "the image ends too early" } })
    );
}

#[test]
fn cloudinary_eager() {
    let job = report(
        "partial",
        &json!([output("public/a/cat.jpg", 320, 240), failed_output("public/cat-large.jpg")]),
    );
    let eager = json!([
        { "transformation": "h_240,w_320/jpg", "width": 320, "height": 240, "bytes": 1234, "format": "jpg",
          "url": "https://cdn.example/media/a/cat.jpg", "secure_url": "https://cdn.example/media/a/cat.jpg" },
        { "status": "failed", "reason": "the image ends too early", "public_id": "cat-large" },
    ]);
    let whole = |batch: &str, eager: &Value| {
        json!({ "notification_type": "eager", "batch_id": batch, "public_id": "2026/cat", "version": 1_760_000_000,
                "eager": eager })
    };
    let of_job = Event::new(EventKind::JobCompleted, NOW, EventData::Job(Box::new(job.clone())));
    assert_eq!(cloudinary_body(&of_job), whole(JOB, &eager));
    let batch = BatchReport::new(BATCH.parse().unwrap(), vec![job.clone()]);
    let data = EventData::Batch(Box::new(batch.summary()));
    let of_batch = Message::of(Event::new(EventKind::BatchCompleted, NOW, data));
    let told = json_of(&payload(&of_batch.with_reports(vec![job]), LIMIT).unwrap());
    assert_eq!(told, whole(BATCH, &eager));
}

/// A batch of jobs with two outputs each, and its event.
fn batch(jobs: usize) -> (Vec<Report>, Event) {
    let job = |index: usize| {
        let outputs = json!([
            output(&format!("public/{index}/a.jpg"), 320, 240),
            output(&format!("public/{index}/b.jpg"), 32, 24)
        ]);
        let mut job = report("succeeded", &outputs);
        job.job = format!("0199c8f0-0000-7000-8000-{index:012}").parse().unwrap();
        job
    };
    let jobs: Vec<_> = (0..jobs).map(job).collect();
    let summary = BatchReport::new(BATCH.parse().unwrap(), jobs.clone()).summary();
    let data = EventData::Batch(Box::new(summary));
    (jobs, Event::new(EventKind::BatchCompleted, NOW, data))
}

#[test]
fn a_batch_is_told_in_the_order_of_submission() {
    let (mut jobs, event) = batch(3);
    jobs.reverse();
    let body = json_of(&payload(&Message::of(event).with_reports(jobs), LIMIT).unwrap());
    let urls = body["eager"].as_array().unwrap().iter().map(|entry| entry["url"].clone());
    assert_eq!(urls.clone().count(), 6);
    assert_eq!(urls.clone().next().unwrap(), "https://cdn.example/media/0/a.jpg");
    assert_eq!(body["mediaflow"], Value::Null, "a field of ours only if something is missing");
}

#[test]
fn what_does_not_fit_or_was_not_read_is_said() {
    let (mut jobs, event) = batch(200);
    let message = Message::of(event).with_reports(jobs.clone());
    let body = payload(&message, 20_000).unwrap();
    assert!((19_000..=20_000).contains(&body.len()), "{}", body.len());
    let body = json_of(&body);
    let more = json!({ "batch": BATCH, "jobs_total": 200 });
    assert_eq!(body["mediaflow"], json!({ "truncated": true, "more": more }));
    assert_eq!(body["eager"][0]["url"], "https://cdn.example/media/0/a.jpg");

    jobs.truncate(100);
    let body = json_of(&payload(&message.with_reports(jobs), LIMIT).unwrap());
    assert_eq!(body["eager"].as_array().unwrap().len(), 200);
    assert_eq!(body["mediaflow"]["more"], more);
}

#[test]
fn what_others_write_is_shortened_before_it_is_too_much() {
    let mut job = report("failed", &json!([failed_output("public/a.jpg")]));
    job.failure.as_mut().unwrap().message = "ü".repeat(50_000);
    job.outputs[0].failure = job.failure.clone();
    job.outputs.push(job.outputs[0].clone());
    let event = Event::new(EventKind::JobFailed, NOW, EventData::Job(Box::new(job)));
    let body = payload(&Message::of(event), 8 << 10).unwrap();
    let reason = json_of(&body)["eager"][0]["reason"].as_str().unwrap().to_owned();
    assert!(body.len() <= 8 << 10 && reason.starts_with("üü"), "{reason}");
}

#[test]
fn cloudinary_has_no_word_for_it() {
    let digest = Message::digest(completed().id.into(), completed(), [completed()]);
    for message in [Message::of(disabled("email")), digest] {
        let error = payload(&message, LIMIT).unwrap_err();
        assert!(matches!(error, NotifyError::Unsupported { .. }), "{error:?}");
    }
}
