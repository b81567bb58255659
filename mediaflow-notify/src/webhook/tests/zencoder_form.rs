//! Payloads and requests of Zencoder's dialect.

use super::*;

const LIMIT: usize = 256 << 10;

/// A film that became another one and a poster, of which the second failed.
pub(super) fn film(state: &str) -> Report {
    let mut film = output("public/cat.mp4", 1280, 720);
    let more = json!({ "format": "mp4", "mime": "video/mp4", "bytes": 372_613, "duration": 5.13, "md5": "7f10" });
    film.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut report = report(state, &json!([film, failed_output("public/cat.jpg")]));
    let source = json!({
        "name": "uploads/2026/cat.mov",
        "info": {
            "medium": "video", "format": "mov", "bytes": 922_620, "width": 1280, "height": 720, "channels": 3,
            "alpha": false, "orientation": 1, "frames": 152, "duration": 5.067,
            "streams": [
                { "kind": "video", "codec": "h264", "fps": 29.97, "bitrate": 1_402_000 },
                { "kind": "audio", "codec": "aac", "sample_rate": 44_100, "channels": 2, "bitrate": 50_000 },
            ],
        },
    });
    report.source = serde_json::from_value(source).unwrap();
    report
}

pub(super) fn of_job(kind: EventKind, report: Report) -> Event {
    Event::new(kind, NOW, EventData::Job(Box::new(report)))
}

pub(super) fn ready(output: &Value) -> Event {
    let output = serde_json::from_value(output.clone()).unwrap();
    let event = Event::new(EventKind::OutputReady, NOW, EventData::Output(Box::new(output)));
    event.about(JOB.parse().unwrap(), None, &JobOptions::new())
}

fn payload(event: &Event, limit: usize) -> Result<Vec<u8>, NotifyError> {
    let mut urls = PublicUrls::default();
    urls.add("public".into(), "https://cdn.example/media").unwrap();
    zencoder::payload(&Message::of(event.clone()), &urls, limit)
}

fn body(event: &Event) -> Value {
    json_of(&payload(event, LIMIT).unwrap())
}

#[test]
fn a_job_that_has_ended() {
    let options = JobOptions::new()
        .metadata("pass_through", "album-7")
        .metadata("labels", json!({ "public/cat.mp4": "web" }));
    let event = of_job(EventKind::JobCompleted, film("partial"));
    let event = event.about(JOB.parse().unwrap(), Some(BATCH.parse().unwrap()), &options);
    assert_eq!(
        body(&event),
        json!({
            "job": {
                "id": JOB, "state": "finished", "test": false, "pass_through": "album-7",
                "created_at": "2025-10-09T08:53:00Z", "submitted_at": "2025-10-09T08:53:00Z",
                "updated_at": "2025-10-09T08:53:20Z",
            },
            "input": {
                "state": "finished", "format": "mpeg4", "file_size_in_bytes": 922_620, "width": 1280, "height": 720,
                "duration_in_ms": 5067, "frame_rate": 29.97, "video_codec": "h264", "video_bitrate_in_kbps": 1402,
                "audio_codec": "aac", "audio_bitrate_in_kbps": 50, "audio_sample_rate": 44_100, "channels": "2",
                "total_bitrate_in_kbps": 1456, "md5_checksum": null,
            },
            "outputs": [
                {
                    "id": "public/cat.mp4", "label": "web", "state": "finished",
                    "url": "https://cdn.example/media/cat.mp4", "format": "mpeg4", "width": 1280, "height": 720,
                    "file_size_in_bytes": 372_613, "duration_in_ms": 5130, "total_bitrate_in_kbps": 581,
                    "md5_checksum": "7f10",
                },
                {
                    "id": "public/cat.jpg", "label": "public/cat.jpg", "state": "failed", "url": null,
                    "format": null, "width": null, "height": null, "file_size_in_bytes": null,
                    "duration_in_ms": null, "total_bitrate_in_kbps": null, "md5_checksum": null,
                    "error_class": "image.truncated", "error_message": "the image ends too early",
                },
            ],
        })
    );
}

/// The fields that a notification has in Zencoder's documentation, of those that we know something of.
#[test]
fn what_receivers_look_for_is_there() {
    let body = body(&of_job(EventKind::JobCompleted, film("succeeded")));
    let of_file = [
        "duration_in_ms",
        "file_size_in_bytes",
        "format",
        "height",
        "md5_checksum",
        "total_bitrate_in_kbps",
        "width",
    ];
    for (part, more) in [
        ("/outputs/0", &["id", "label", "state", "url"][..]),
        ("/input", &["audio_codec", "audio_sample_rate", "channels", "frame_rate", "video_codec"]),
    ] {
        for name in of_file.iter().chain(more) {
            assert!(body.pointer(&format!("{part}/{name}")).is_some(), "{part}/{name}");
        }
    }
    for name in ["created_at", "id", "pass_through", "state", "submitted_at", "updated_at"] {
        assert!(body["job"].get(name).is_some(), "{name}");
    }
    // What is counted with is a number, also if there is no length.
    let still = of_job(EventKind::JobCompleted, report("succeeded", &json!([])));
    assert_eq!(self::body(&still)["input"]["duration_in_ms"], 0);
}

#[test]
fn failures_and_cancellations() {
    let pending = json!({ "output": "public/cat.mp4", "state": "pending" });
    let failed = body(&of_job(EventKind::JobFailed, report("failed", &json!([pending]))));
    assert_eq!(failed["job"]["state"], "failed");
    for part in [&failed["input"], &failed["outputs"][0]] {
        assert_eq!(
            (&part["state"], &part["error_class"]),
            (&json!("failed"), &json!("image.truncated"))
        );
        assert_eq!(part["error_message"], "the image ends too early");
    }
    let cancelled = of_job(EventKind::JobCancelled, report("cancelled", &json!([pending])));
    let cancelled = body(&cancelled);
    assert_eq!(cancelled["job"]["state"], "cancelled");
    let output = &cancelled["outputs"][0];
    assert_eq!((&output["state"], output.get("error_message")), (&json!("cancelled"), None));
    assert_eq!(cancelled["input"]["state"], "finished");
}

#[test]
fn an_output_that_is_ready() {
    let body = body(&ready(&output("public/cat.jpg", 320, 240)));
    assert_eq!((&body["job"]["state"], &body["job"]["id"]), (&json!("processing"), &json!(JOB)));
    assert_eq!(body["job"]["created_at"], Value::Null);
    let output = &body["output"];
    assert_eq!((&output["state"], &output["format"]), (&json!("finished"), &json!("jpg")));
    assert_eq!(output["url"], "https://cdn.example/media/cat.jpg");
    assert!(body.get("outputs").is_none() && body.get("input").is_none());
}

#[test]
fn of_several_files_the_main_one_is_named() {
    let mut stream = output("public/cat/{segment}", 1280, 720);
    stream["files"] =
        json!([output("public/cat/1.ts", 0, 0), output("public/cat/index.m3u8", 0, 0)]);
    let body = body(&ready(&stream));
    assert_eq!(body["output"]["url"], "https://cdn.example/media/cat/index.m3u8");
    assert_eq!(body["output"]["id"], "public/cat/{segment}");
}

#[test]
fn what_is_long_is_cut_and_what_has_no_word_is_refused() {
    let mut job = film("partial");
    job.outputs[1].failure.as_mut().unwrap().message = "ü".repeat(50_000);
    job.outputs = vec![job.outputs[1].clone(); 200];
    let whole = payload(&of_job(EventKind::JobCompleted, job), 20_000).unwrap();
    assert!((19_000..=20_000).contains(&whole.len()), "{}", whole.len());
    let whole = json_of(&whole);
    assert!(whole["outputs"].as_array().unwrap().len() < 200);
    assert_eq!(whole["mediaflow"], json!({ "truncated": true, "more": { "job": JOB } }));
    assert!(whole["outputs"][0]["error_message"].as_str().unwrap().starts_with("üü"));

    for event in [disabled("email"), Event::new(EventKind::JobStarted, NOW, EventData::None)] {
        let error = payload(&event, LIMIT).unwrap_err();
        assert!(matches!(error, NotifyError::Unsupported { .. }), "{error:?}");
    }
    let digest = Message::digest(completed().id.into(), completed(), [completed()]);
    let error = zencoder::payload(&digest, &PublicUrls::default(), LIMIT).unwrap_err();
    assert!(matches!(error, NotifyError::Unsupported { .. }), "{error:?}");
}

#[tokio::test]
async fn a_request_has_the_secret_which_nobody_else_sees() {
    let mut receiver = receiver().await;
    let hook = |receiver: &WebhookReceiver| {
        Webhook::to(receiver.url("/hook")).allow_private(&receiver.address())
    };
    let notifier = hook(&receiver).zencoder("koro-canary").build().unwrap();
    assert!(
        !format!("{notifier:?} {:?}", hook(&receiver).zencoder("koro-canary")).contains("koro")
    );
    let in_batch =
        completed().about(JOB.parse().unwrap(), Some(BATCH.parse().unwrap()), &JobOptions::new());
    assert!(notifier.wants(&in_batch), "there is no batch to tell of it");
    assert!(!notifier.wants(&ready(&output("public/a.jpg", 1, 1))), "unless the host says so");

    receiver.answer([Reply::status(401).body("`koro-canary` is not it"), Reply::status(204)]);
    let (message, cx) = (Message::of(completed()), DeliveryContext::first(NOW));
    let error = notifier.notify(&message, &cx).await.unwrap_err();
    assert!(matches!(error, NotifyError::Auth { .. }), "{error:?}");
    assert_eq!(cx.answer().unwrap().body, "`[REDACTED]` is not it");
    notifier.notify(&message, &cx).await.unwrap();
    for _ in 0..2 {
        let received = receiver.next().await.unwrap();
        assert_eq!(received.header("X-Zencoder-Notification-Secret"), Some("koro-canary"));
        assert_eq!(received.header("content-type"), Some("application/json"));
        assert_eq!(received.header("idempotency-key"), Some(message.id.to_string().as_str()));
        assert_eq!(json_of(&received.body)["job"]["state"], "finished");
    }
    let other = hook(&receiver).zencoder_with("X-Media-Token", "koro").build().unwrap();
    other.notify(&message, &cx).await.unwrap();
    assert_eq!(receiver.next().await.unwrap().header("x-media-token"), Some("koro"));
}
