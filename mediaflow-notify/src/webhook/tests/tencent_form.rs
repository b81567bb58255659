//! Payloads and requests of Tencent's dialect.

use super::zencoder_form::{film, of_job, ready};
use super::*;

const LIMIT: usize = 256 << 10;
const KEY: &str = "Xz4ZgayTr7rMgWQrH";

fn payload(event: &Event, limit: usize) -> Result<Vec<u8>, NotifyError> {
    let mut urls = PublicUrls::default();
    for storage in ["public", "uploads"] {
        urls.add(storage.into(), &format!("https://cdn.example/{storage}")).unwrap();
    }
    let signer = tencent::Signer::new(KEY).unwrap();
    tencent::payload(&Message::of(event.clone()), &signer, &urls, NOW, limit).map(|(body, _)| body)
}

fn body(event: &Event) -> Value {
    json_of(&payload(event, LIMIT).unwrap())
}

fn task(event: &Event, place: usize) -> Value {
    body(event)["ProcedureStateChangeEvent"]["MediaProcessResultSet"][place]["TranscodeTask"]
        .clone()
}

#[test]
fn a_job_that_has_ended() {
    let options = JobOptions::new()
        .metadata("FileId", "5285890784273533167")
        .metadata("SessionContext", "album-7")
        .metadata("Definitions", json!({ "public/cat.mp4": 100_010 }));
    let mut film = film("partial");
    film.started_at = Some(Timestamp::from_millis(1_759_999_990_000));
    let event = of_job(EventKind::JobCompleted, film);
    let event = event.about(JOB.parse().unwrap(), None, &options);
    let valid = 1_760_000_600_u64;
    assert_eq!(
        body(&event),
        json!({
            "EventType": "ProcedureStateChanged",
            "Sign": tencent::Signer::new(KEY).unwrap().sign(valid), "T": valid,
            "ProcedureStateChangeEvent": {
                "TaskId": JOB, "Status": "FINISH", "ErrCode": 0, "Message": "",
                "FileId": "5285890784273533167", "FileName": "cat.mov",
                "FileUrl": "https://cdn.example/uploads/2026/cat.mov", "SessionContext": "album-7",
                "MetaData": {
                    "Size": 922_620, "Container": "mov", "Width": 1280, "Height": 720, "Rotate": 0, "Duration": 5.067,
                    "Bitrate": 1_456_672, "VideoDuration": 5.067, "AudioDuration": 5.067,
                    "VideoStreamSet": [{ "Codec": "h264", "Bitrate": 1_402_000, "Fps": 30, "Width": 1280, "Height": 720 }],
                    "AudioStreamSet": [{ "Codec": "aac", "Bitrate": 50_000, "SamplingRate": 44_100 }],
                },
                "MediaProcessResultSet": [
                    { "Type": "Transcode", "TranscodeTask": {
                        "Status": "SUCCESS", "ErrCode": 0, "ErrCodeExt": "", "Message": "SUCCESS", "Progress": 100,
                        "Input": { "Definition": 100_010 },
                        "Output": {
                            "Url": "https://cdn.example/public/cat.mp4", "Size": 372_613, "Container": "mp4",
                            "Width": 1280, "Height": 720, "Duration": 5.13, "Bitrate": 581_072, "Md5": "7f10",
                            "Definition": 100_010,
                        },
                        "BeginProcessTime": "2025-10-09T08:53:10Z", "FinishTime": "2025-10-09T08:53:20Z",
                    } },
                    { "Type": "Transcode", "TranscodeTask": {
                        "Status": "FAIL", "ErrCode": 60_000, "ErrCodeExt": "image.truncated",
                        "Message": "the image ends too early", "Progress": 0, "Input": {},
                        "BeginProcessTime": "2025-10-09T08:53:10Z", "FinishTime": "2025-10-09T08:53:20Z",
                    } },
                ],
            },
        })
    );
}

#[test]
fn failures_and_cancellations() {
    let pending = json!({ "output": "public/cat.mp4", "state": "pending" });
    let mut report = report("failed", &json!([pending]));
    let event = of_job(EventKind::JobFailed, report.clone());
    let whole = body(&event);
    let whole = &whole["ProcedureStateChangeEvent"];
    assert_eq!((&whole["Status"], &whole["ErrCode"]), (&json!("FINISH"), &json!(60_000)));
    assert_eq!(whole["Message"], "the image ends too early");
    assert_eq!((&whole["FileId"], &whole["TaskId"]), (&json!(JOB), &json!(JOB)));
    assert_eq!(task(&event, 0)["ErrCodeExt"], "image.truncated");
    report.failure.as_mut().unwrap().kind = mediaflow_core::ErrorKind::Backend;
    assert_eq!(task(&of_job(EventKind::JobFailed, report.clone()), 0)["ErrCode"], 70_000);

    report.failure = None;
    let event = of_job(EventKind::JobCancelled, report);
    assert_eq!(body(&event)["ProcedureStateChangeEvent"]["Message"], "cancelled");
    let task = task(&event, 0);
    assert_eq!((&task["Status"], &task["ErrCodeExt"]), (&json!("FAIL"), &json!("job.cancelled")));
}

#[test]
fn an_output_that_is_ready() {
    let event = ready(&output("private/cat.jpg", 320, 240));
    let body = body(&event);
    let whole = &body["ProcedureStateChangeEvent"];
    assert_eq!((&whole["Status"], &whole["TaskId"]), (&json!("PROCESSING"), &json!(JOB)));
    assert!(whole.get("MetaData").is_none() && whole.get("FileUrl").is_none());
    let made =
        json!({ "Size": 1234, "Container": "jpg", "Width": 320, "Height": 240, "Md5": "cd" });
    assert_eq!(task(&event, 0)["Output"], made, "a storage without a public URL");
}

#[test]
fn what_is_long_is_cut_and_what_has_no_word_is_refused() {
    let mut job = film("partial");
    job.outputs = vec![job.outputs[0].clone(); 200];
    let whole = payload(&of_job(EventKind::JobCompleted, job), 20_000).unwrap();
    assert!((19_000..=20_000).contains(&whole.len()), "{}", whole.len());
    let whole = json_of(&whole);
    assert_eq!(whole["mediaflow"], json!({ "truncated": true, "more": { "job": JOB } }));
    assert_eq!(whole["EventType"], "ProcedureStateChanged");

    for event in [disabled("email"), Event::new(EventKind::BatchCompleted, NOW, EventData::None)] {
        let error = payload(&event, LIMIT).unwrap_err();
        assert!(matches!(error, NotifyError::Unsupported { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_request_is_valid_for_ten_minutes_from_its_attempt() {
    let mut receiver = receiver().await;
    let hook = Webhook::to(receiver.url("/hook")).allow_private(&receiver.address());
    let hook = hook.tencent(KEY).build().unwrap();
    assert!(!format!("{hook:?}").contains(KEY));
    let (message, mut cx) = (Message::of(completed()), DeliveryContext::first(NOW));
    let signer = tencent::Signer::new(KEY).unwrap();
    for attempt in 1..=2 {
        cx.now = NOW.plus(Duration::from_secs(attempt * 1000));
        hook.notify(&message, &cx).await.unwrap();
        let received = receiver.next().await.unwrap();
        assert!(!String::from_utf8_lossy(&received.body).contains(KEY));
        let body = json_of(&received.body);
        let valid = cx.now.seconds() + 600;
        assert_eq!((&body["T"], &body["Sign"]), (&json!(valid), &json!(signer.sign(valid))));
        assert_eq!(received.header("idempotency-key"), Some(message.id.to_string().as_str()));
    }
    let sign = signer.sign(NOW.seconds() + 600);
    receiver.answer([Reply::status(500).body(format!("what is {sign}?"))]);
    cx = DeliveryContext::first(NOW);
    hook.notify(&message, &cx).await.unwrap_err();
    assert_eq!(cx.answer().unwrap().body, "what is [REDACTED]?");
}
