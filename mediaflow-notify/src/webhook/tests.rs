//! Whole deliveries to a receiver on the loopback, and the payloads.

use std::time::Duration;

use mediaflow_core::notify::DeliveryContext;
use mediaflow_core::report::{BatchReport, Report};
use mediaflow_core::spec::JobOptions;
use mediaflow_core::testing::{Received, Reply, WebhookReceiver, exercise_notifier};
use mediaflow_core::{EventKind, Timestamp};
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEXT_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);
const JOB: &str = "0199c8f0-0000-7000-8000-000000000001";
const BATCH: &str = "0199c8f0-0000-7000-8000-0000000000ba";

fn output(place: &str, width: u32, height: u32) -> Value {
    json!({ "output": place, "state": "published", "format": "jpeg", "mime": "image/jpeg", "bytes": 1234,
            "width": width, "height": height, "sha256": "ab", "md5": "cd" })
}

fn failed_output(place: &str) -> Value {
    let failure = json!({ "kind": "input", "code": "image.truncated", "message": "the image ends too early" });
    json!({ "output": place, "state": "failed", "failure": failure })
}

fn report(state: &str, outputs: &Value) -> Report {
    let failure = (state == "failed")
        .then(|| json!({ "kind": "input", "code": "image.truncated", "message": "the image ends too early" }));
    serde_json::from_value(json!({
        "job": JOB, "state": state, "outputs": outputs, "decodes": 1, "attempts": 1, "failure": failure,
        "source": { "name": "uploads/2026/cat.jpg", "info": { "format": "jpeg" } },
        "plan": [{ "backend": "image", "decodes": 1, "stages": [{ "action": "decode", "detail": "at 1/4" }],
                   "estimate": { "bytes": 1, "class": "cpu" } }],
        "queued_at": "2025-10-09T08:53:00Z", "finished_at": "2025-10-09T08:53:20Z",
    }))
    .unwrap()
}

fn completed() -> Event {
    let report = report("succeeded", &json!([output("public/cat.jpg", 320, 240)]));
    Event::new(EventKind::JobCompleted, NOW, EventData::Job(Box::new(report)))
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

async fn receiver() -> WebhookReceiver {
    WebhookReceiver::start().await.unwrap()
}

fn hook(receiver: &WebhookReceiver) -> Webhook {
    Webhook::to(receiver.url("/hook?token=t0ken")).allow_private(&receiver.address()).sign(SECRET)
}

async fn deliver(hook: Webhook, event: &Event) -> Result<Receipt, NotifyError> {
    hook.build().unwrap().notify(event, &DeliveryContext::first(event.id, NOW)).await
}

fn verified<'r>(received: &'r Received, secret: &str, now: Timestamp) -> &'r str {
    let verifier = standard::Verifier::new(secret).unwrap();
    verifier.verify(|name| received.header(name), &received.body, now).unwrap()
}

#[tokio::test]
async fn an_event_arrives_signed_and_repeats_keep_its_id() {
    let mut receiver = receiver().await;
    let (event, hook) = (completed(), hook(&receiver).also_sign(NEXT_SECRET).build().unwrap());
    let mut cx = DeliveryContext::first(event.id, NOW);
    assert_eq!(hook.notify(&event, &cx).await.unwrap().status, Some(200));
    let first = receiver.next().await.unwrap();
    assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/hook?token=t0ken"));
    assert_eq!(first.header("content-type"), Some("application/json"));
    for secret in [SECRET, NEXT_SECRET] {
        assert_eq!(verified(&first, secret, NOW), event.id.to_string());
    }

    // An hour later the timestamp is that of the new attempt; id and body are the same.
    (cx.attempt, cx.now) = (2, NOW.plus(Duration::from_secs(3600)));
    hook.notify(&event, &cx).await.unwrap();
    let second = receiver.next().await.unwrap();
    assert_eq!(verified(&second, SECRET, cx.now), event.id.to_string());
    assert_eq!(second.body, first.body);

    let body = json_of(&first.body);
    assert_eq!(
        (&body["type"], &body["timestamp"]),
        (&json!("job.completed"), &json!("2025-10-09T08:53:20.000Z"))
    );
    assert_eq!(body["data"]["report"]["outputs"][0]["output"], "public/cat.jpg");
    assert_eq!(body["data"]["severity"], "info");
}

#[tokio::test]
async fn the_answer_decides_what_follows() {
    let mut receiver = receiver().await;
    let seven = Some(Duration::from_secs(7));
    let cases = [
        (302, "Rejected"),
        (400, "Rejected"),
        (401, "Auth"),
        (403, "Auth"),
        (404, "Rejected"),
        (408, "Retryable"),
        (410, "Gone"),
        (422, "Rejected"),
        (429, "Throttled"),
        (500, "Retryable"),
        (502, "Throttled"),
        (503, "Retryable"),
        (504, "Throttled"),
    ];
    for (status, expected) in cases {
        let reply = Reply::status(status)
            .header("retry-after", "7")
            .header("location", "http://169.254.169.254/");
        receiver.answer([reply.body("because\r\n  of \u{1b}[31m you")]);
        let error = deliver(hook(&receiver), &completed()).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{status}: {error:?}");
        assert!(
            error
                .reason()
                .starts_with(&format!("the receiver answered {status}: because of [31m you"))
        );
        if matches!(expected, "Retryable" | "Throttled") {
            assert_eq!(error.retry(), seven, "{status}");
        }
        receiver.next().await.unwrap();
    }
    assert!(receiver.try_next().is_none(), "one request each, and no redirect was followed");

    receiver.answer([Reply::status(500).header("webhook-delivery", "abort-message")]);
    let error = deliver(hook(&receiver), &completed()).await.unwrap_err();
    assert!(matches!(error, NotifyError::Rejected { .. }), "{error:?}");
    receiver.answer([Reply::status(204)]);
    assert_eq!(deliver(hook(&receiver), &completed()).await.unwrap().status, Some(204));
}

#[tokio::test]
async fn the_answer_is_noted_for_the_log() {
    let mut receiver = receiver().await;
    let (event, hook) = (completed(), hook(&receiver).build().unwrap());
    for (status, body, kept) in [(200, "thanks".to_owned(), 6), (500, "y".repeat(30_000), 20_000)] {
        receiver.answer([Reply::status(status).body(body)]);
        let cx = DeliveryContext::first(event.id, NOW);
        assert_eq!(hook.notify(&event, &cx).await.is_ok(), status == 200);
        let answer = cx.answer().unwrap();
        assert_eq!((answer.status, answer.body.len()), (status, kept));
        receiver.next().await.unwrap();
    }
    receiver.stop().await;
    let cx = DeliveryContext::first(event.id, NOW);
    hook.notify(&event, &cx).await.unwrap_err();
    assert_eq!(cx.answer(), None);
}

#[tokio::test]
async fn silence_is_ambiguous_and_a_closed_port_is_not() {
    let mut receiver = receiver().await;
    receiver.answer([Reply::hang()]);
    let error = deliver(hook(&receiver).timeout(Duration::from_millis(100)), &completed())
        .await
        .unwrap_err();
    assert!(matches!(error, NotifyError::Ambiguous { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("t0ken"), "{error:?}");
    receiver.next().await.unwrap();

    receiver.stop().await;
    let error = deliver(hook(&receiver), &completed()).await.unwrap_err();
    assert!(matches!(error, NotifyError::Retryable { after: None, .. }), "{error:?}");
    receiver.restart().await.unwrap();
    deliver(hook(&receiver), &completed()).await.unwrap();
    verified(&receiver.next().await.unwrap(), SECRET, NOW);
}

#[tokio::test]
async fn a_connection_is_not_reused_over_a_restart_at_the_events_cost() {
    let mut receiver = receiver().await;
    let (event, hook) = (completed(), hook(&receiver).build().unwrap());
    let cx = DeliveryContext::first(event.id, NOW);
    hook.notify(&event, &cx).await.unwrap();
    receiver.stop().await;
    let error = hook.notify(&event, &cx).await.unwrap_err();
    assert!(error.retry().is_some(), "{error:?}");
    receiver.restart().await.unwrap();
    hook.notify(&event, &cx).await.unwrap();
}

#[tokio::test]
async fn addresses_of_jobs_are_used_and_guarded() {
    let mut receiver = receiver().await;
    let hook = Webhook::per_job()
        .name("hooks")
        .sign(SECRET)
        .allow_private(&receiver.address())
        .build()
        .unwrap();
    let options = JobOptions::new().notify("hooks", receiver.url("/mine"));
    let (mine, others) = (completed().about(JOB.parse().unwrap(), None, &options), completed());
    assert!(hook.wants(&mine) && !hook.wants(&others));

    let mut cx = DeliveryContext::first(mine.id, NOW);
    assert!(
        matches!(hook.notify(&mine, &cx).await, Err(NotifyError::Rejected { .. })),
        "no address"
    );
    cx.to = Some(receiver.url("/mine"));
    hook.notify(&mine, &cx).await.unwrap();
    let received = receiver.next().await.unwrap();
    assert_eq!(received.path, "/mine");
    assert!(!String::from_utf8_lossy(&received.body).contains("/mine"), "addresses stay here");

    for (to, code) in [
        ("http://169.254.169.254/latest/", "http.forbidden_address"),
        ("http://2130706433/", "http.forbidden_address"),
        ("http://[::ffff:10.0.0.1]/", "http.forbidden_address"),
        ("ftp://example.com/", "http.scheme"),
        ("app.example/hook", "http.url"),
    ] {
        assert_eq!(hook.check_address(to).unwrap_err().code(), code, "{to}");
        cx.to = Some(to.to_owned());
        let error = hook.notify(&mine, &cx).await.unwrap_err();
        assert!(matches!(error, NotifyError::Rejected { .. }), "{to}: {error:?}");
    }
    cx.to = Some(format!("http://localhost:{}/", receiver.address().rsplit(':').next().unwrap()));
    let error = hook.notify(&mine, &cx).await.unwrap_err();
    assert!(
        matches!(error, NotifyError::Rejected { .. }),
        "a name that resolves to the loopback: {error:?}"
    );
    assert!(receiver.try_next().is_none());
}

#[test]
fn mistakes_are_found_when_it_is_built() {
    let code = |hook: Webhook| {
        hook.into_notifier().map(|hook| hook.name().to_owned()).unwrap_err().code().to_owned()
    };
    let to = || Webhook::to("https://app.example/hook");
    assert_eq!(code(to()), "webhook.unsigned");
    assert_eq!(code(to().sign("short")), "webhook.secret");
    assert_eq!(code(to().sign(SECRET).also_sign("short")), "webhook.secret");
    assert_eq!(code(to().sign(SECRET).cloudinary("abcd")), "webhook.dialect");
    assert_eq!(code(to().cloudinary("")), "webhook.secret");
    assert_eq!(code(to().cloudinary("abcd").on([EventKind::JobProgress])), "webhook.dialect");
    assert_eq!(code(to().sign(SECRET).allow_private("nonsense")), "http.allow");
    assert_eq!(code(to().sign(SECRET).public_url("public", "cdn.example")), "webhook.public_url");
    assert_eq!(code(Webhook::to("http://169.254.169.254/").sign(SECRET)), "http.forbidden_address");
    assert_eq!(code(Webhook::to("http://2130706433/").sign(SECRET)), "http.forbidden_address");
    assert_eq!(code(Webhook::to("nonsense").sign(SECRET)), "http.url");
    let named = Webhook::to("nonsense").name("hooks").sign(SECRET).build().unwrap_err();
    assert_eq!(named.fact("channel"), Some("hooks"));
}

#[test]
fn it_tells_of_what_it_was_asked_to() {
    let of = |kind| Event::new(kind, NOW, EventData::None);
    let to = || Webhook::to("https://app.example/hook");
    let standard = to().sign(SECRET).build().unwrap();
    assert!(
        standard.wants(&of(EventKind::JobFailed)) && !standard.wants(&of(EventKind::JobProgress))
    );
    let progress =
        to().sign(SECRET).on([EventKind::JobProgress, EventKind::DeliveryFailed]).build().unwrap();
    assert!(
        progress.wants(&of(EventKind::JobProgress)) && !progress.wants(&of(EventKind::JobFailed))
    );

    let lost = |channel: &str| {
        let (channel, event) = (channel.to_owned(), completed().id);
        let data = EventData::Delivery { channel, event, attempts: 9, reason: String::new() };
        Event::new(EventKind::DeliveryFailed, NOW, data)
    };
    assert!(progress.wants(&lost("email")) && !progress.wants(&lost("webhook")));

    let dialect = to().cloudinary("abcd").build().unwrap();
    let in_batch =
        completed().about(JOB.parse().unwrap(), Some(BATCH.parse().unwrap()), &JobOptions::new());
    assert!(
        dialect.wants(&completed())
            && !dialect.wants(&in_batch)
            && dialect.wants(&of(EventKind::BatchCompleted))
    );
}

#[test]
fn a_body_stays_below_20_kb_and_says_what_it_left_out() {
    let outputs: Vec<_> = (0..500).map(|i| output(&format!("public/{i}.jpg"), 320, 240)).collect();
    let long = Event::new(
        EventKind::JobCompleted,
        NOW,
        EventData::Job(Box::new(report("succeeded", &json!(outputs)))),
    );
    let body = body::standard(&long);
    assert!(body.len() < 20_000);
    let data = &json_of(&body)["data"];
    assert_eq!((&data["truncated"], &data["report"]["state"]), (&json!(true), &json!("succeeded")));
    assert_eq!(data["report"]["outputs"], Value::Null);

    // The plan goes first, and the outputs stay.
    let mut talkative = report("succeeded", &json!([output("public/cat.jpg", 320, 240)]));
    talkative.plan[0].stages[0].detail = "very ".repeat(5_000);
    let batch = BatchReport::new(BATCH.parse().unwrap(), vec![talkative.clone(), talkative]);
    let body = body::standard(&Event::new(
        EventKind::BatchCompleted,
        NOW,
        EventData::Batch(Box::new(batch)),
    ));
    let data = &json_of(&body)["data"];
    assert_eq!(
        (&data["truncated"], &data["report"]["jobs"][1]["plan"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(data["report"]["jobs"][1]["outputs"][0]["output"], "public/cat.jpg");

    // Whatever a host puts into a job, the last resort fits.
    let options = JobOptions::new()
        .owner("o".repeat(30_000))
        .metadata("m", "x".repeat(30_000))
        .tag("t".repeat(30_000));
    let body = body::standard(&completed().about(JOB.parse().unwrap(), None, &options));
    let data = &json_of(&body)["data"];
    assert!(body.len() < 20_000);
    assert_eq!((&data["job"], &data["report"]["state"]), (&json!(JOB), &json!("succeeded")));
    assert_eq!(json_of(&body::standard(&completed()))["data"]["truncated"], Value::Null);
}

fn cloudinary_body(event: &Event) -> Value {
    let mut urls = PublicUrls::default();
    urls.add("public".into(), "https://cdn.example/media").unwrap();
    json_of(&cloudinary::payload(event, &urls))
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
    let batch = BatchReport::new(BATCH.parse().unwrap(), vec![job]);
    let of_batch = Event::new(EventKind::BatchCompleted, NOW, EventData::Batch(Box::new(batch)));
    assert_eq!(cloudinary_body(&of_batch), whole(BATCH, &eager));
}

#[tokio::test]
async fn cloudinary_headers_sign_the_raw_body() {
    let mut receiver = receiver().await;
    for (hook, algorithm) in [
        (Webhook::to(receiver.url("/")).cloudinary("abcd"), Algorithm::Sha1),
        (Webhook::to(receiver.url("/")).cloudinary_sha256("abcd"), Algorithm::Sha256),
    ] {
        deliver(hook.allow_private(&receiver.address()), &completed()).await.unwrap();
        let received = receiver.next().await.unwrap();
        assert_eq!(received.header("X-Cld-Timestamp"), Some("1760000000"));
        let signer = cloudinary::Signer::new("abcd", algorithm).unwrap();
        let expected = signer.sign(&received.body, 1_760_000_000);
        assert_eq!(received.header("X-Cld-Signature"), Some(expected.as_str()));
    }
}

#[tokio::test]
async fn both_dialects_conform() {
    let receiver = receiver().await;
    let url = receiver.url("/hook?token=t0ken");
    for hook in [Webhook::to(&url).sign(SECRET), Webhook::to(&url).cloudinary("cl0udsecret")] {
        let debug = format!("{hook:?}");
        assert!(
            !debug.contains("t0ken")
                && !debug.contains("cl0udsecret")
                && !debug.contains(&SECRET[6..])
        );
        let hook = hook.allow_private(&receiver.address()).build().unwrap();
        exercise_notifier(&hook, &["t0ken", "cl0udsecret", &SECRET[6..]]).await;
    }
}
