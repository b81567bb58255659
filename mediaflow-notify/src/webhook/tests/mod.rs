//! Whole deliveries to a receiver on the loopback, and the payloads.

use std::time::Duration;

use mediaflow_core::event::{DeliveryFailure, EventData};
use mediaflow_core::notify::{Address, DeliveryContext, Message, Receipt, Route};
use mediaflow_core::report::Report;
use mediaflow_core::spec::JobOptions;
use mediaflow_core::testing::{Received, Reply, WebhookReceiver, exercise_notifier};
use mediaflow_core::{Event, EventKind, Mediaflow, NotifyError, Timestamp};
use serde_json::{Value, json};

use super::*;

mod answers;
mod bodies;
mod cloudinary_form;
mod secrets;
mod tencent_form;
mod trace;
mod zencoder_form;

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
    let message = Message::of(event.clone());
    hook.build().unwrap().notify(&message, &DeliveryContext::first(NOW)).await
}

fn verified<'r>(received: &'r Received, secret: &str, now: Timestamp) -> &'r str {
    let verifier = standard::Verifier::new(secret).unwrap();
    verifier.verify(|name| received.header(name), &received.body, now).unwrap()
}

#[tokio::test]
async fn an_event_arrives_signed_and_repeats_keep_its_id() {
    let mut receiver = receiver().await;
    let (event, hook) = (completed(), hook(&receiver).also_sign(NEXT_SECRET).build().unwrap());
    let (message, mut cx) = (Message::of(event.clone()), DeliveryContext::first(NOW));
    assert_eq!(hook.notify(&message, &cx).await.unwrap().status, Some(200));
    let first = receiver.next().await.unwrap();
    assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/hook?token=t0ken"));
    assert_eq!(first.header("content-type"), Some("application/json"));
    for secret in [SECRET, NEXT_SECRET] {
        assert_eq!(verified(&first, secret, NOW), event.id.to_string());
    }

    // An hour later the timestamp is that of the new attempt; id and body are the same.
    (cx.attempt, cx.now) = (2, NOW.plus(Duration::from_secs(3600)));
    hook.notify(&message, &cx).await.unwrap();
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
async fn silence_is_ambiguous_and_a_closed_port_is_not() {
    let mut receiver = receiver().await;
    receiver.answer([Reply::hang()]);
    let error =
        deliver(hook(&receiver).timeout(Duration::from_secs(1)), &completed()).await.unwrap_err();
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
    let (message, hook) = (Message::of(completed()), hook(&receiver).build().unwrap());
    let cx = DeliveryContext::first(NOW);
    hook.notify(&message, &cx).await.unwrap();
    receiver.stop().await;
    let error = hook.notify(&message, &cx).await.unwrap_err();
    assert!(
        matches!(error, NotifyError::Retryable { .. } | NotifyError::Ambiguous { .. }),
        "{error:?}"
    );
    receiver.restart().await.unwrap();
    hook.notify(&message, &cx).await.unwrap();
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

    let cx = DeliveryContext::first(NOW);
    let message = Message::of(mine);
    assert!(
        matches!(hook.notify(&message, &cx).await, Err(NotifyError::Rejected { .. })),
        "no address"
    );
    let address = hook.address(&receiver.url("/mine")).unwrap();
    assert_eq!(address.origin(), format!("http://{}", receiver.address()));
    hook.notify(&message.clone().to(Some(address)), &cx).await.unwrap();
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
        assert_eq!(hook.address(to).unwrap_err().code(), code, "{to}");
        let stored = message.clone().to(Some(Address::at("o", to)));
        let error = hook.notify(&stored, &cx).await.unwrap_err();
        assert!(matches!(error, NotifyError::Rejected { .. }), "{to}: {error:?}");
    }
    let to = format!("http://localhost:{}/", receiver.address().rsplit(':').next().unwrap());
    let address = hook.address(&to).unwrap();
    let error = hook.notify(&message.to(Some(address)), &cx).await.unwrap_err();
    assert!(
        matches!(error, NotifyError::Rejected { .. }),
        "a name that resolves to the loopback: {error:?}"
    );
    assert!(receiver.try_next().is_none());
}

#[test]
fn an_origin_says_its_port_and_nothing_of_the_path() {
    let hook = Webhook::per_job().sign(SECRET).build().unwrap();
    for (url, origin) in [
        ("https://Hooks.Example./T0/s3cret?job=1", "https://hooks.example:443"),
        ("http://user:pass@hooks.example/", "http://hooks.example:80"),
        ("https://hooks.example:8443", "https://hooks.example:8443"),
        ("https://[2606:4700:4700::1111]/x", "https://[2606:4700:4700::1111]:443"),
    ] {
        assert_eq!(hook.address(url).unwrap().origin(), origin);
    }
    assert_eq!(hook.own_address(), None);
    let own = Webhook::to("https://hooks.example/x").sign(SECRET).build().unwrap();
    assert_eq!(own.own_address().unwrap().origin(), "https://hooks.example:443");
    assert_eq!(own.terms().reports, 100);
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
    assert_eq!(code(to().zencoder("")), "webhook.secret");
    assert_eq!(code(to().tencent("k\u{f6}y")), "webhook.secret");
    assert_eq!(code(to().zencoder("koro").tencent("koro")), "webhook.dialect");
    assert_eq!(code(to().zencoder("koro").cloud_events("urn:a")), "webhook.dialect");
    assert_eq!(code(to().zencoder("koro").on([EventKind::BatchCompleted])), "webhook.dialect");
    assert_eq!(code(to().cloudinary("abcd").on([EventKind::JobProgress])), "webhook.dialect");
    assert_eq!(code(to().sign(SECRET).allow_private("nonsense")), "http.allow");
    assert_eq!(code(to().sign(SECRET).public_url("public", "cdn.example")), "webhook.public_url");
    assert_eq!(code(Webhook::to("http://169.254.169.254/").sign(SECRET)), "http.forbidden_address");
    assert_eq!(code(Webhook::to("http://2130706433/").sign(SECRET)), "http.forbidden_address");
    assert_eq!(code(Webhook::to("nonsense").sign(SECRET)), "http.url");
    assert_eq!(code(to().sign(SECRET).max_body(4000)), "webhook.max_body");
    let named = Webhook::to("nonsense").name("hooks").sign(SECRET).build().unwrap_err();
    assert_eq!(named.fact("channel"), Some("hooks"));
}

fn disabled(channel: &str) -> Event {
    let data = EventData::Disabled {
        channel: channel.to_owned(),
        destination: "https://hooks.example:443".to_owned(),
        since: NOW,
        reason: "the receiver answered 500".to_owned(),
        dead: 7,
    };
    Event::new(EventKind::DestinationDisabled, NOW, data)
}

#[test]
fn it_tells_of_what_it_was_asked_to() {
    let of = |kind| Event::new(kind, NOW, EventData::None);
    let to = || Webhook::to("https://app.example/hook");
    let standard = to().sign(SECRET).build().unwrap();
    assert!(
        standard.wants(&of(EventKind::JobFailed)) && !standard.wants(&of(EventKind::JobProgress))
    );
    let progress = to()
        .sign(SECRET)
        .on([EventKind::JobProgress, EventKind::DeliveryFailed, EventKind::DestinationDisabled])
        .build()
        .unwrap();
    assert!(
        progress.wants(&of(EventKind::JobProgress)) && !progress.wants(&of(EventKind::JobFailed))
    );

    let lost = |channel: &str| {
        let failure = DeliveryFailure::new(channel, completed().id, "no");
        Event::new(EventKind::DeliveryFailed, NOW, EventData::Delivery(Box::new(failure)))
    };
    assert!(progress.wants(&lost("email")) && !progress.wants(&lost("webhook")));
    assert!(progress.wants(&disabled("email")) && !progress.wants(&disabled("webhook")));

    let dialect = to().cloudinary("abcd").build().unwrap();
    let in_batch =
        completed().about(JOB.parse().unwrap(), Some(BATCH.parse().unwrap()), &JobOptions::new());
    assert!(
        dialect.wants(&completed())
            && !dialect.wants(&in_batch)
            && dialect.wants(&of(EventKind::BatchCompleted))
    );
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
async fn all_dialects_conform() {
    let receiver = receiver().await;
    let url = receiver.url("/hook?token=t0ken");
    for hook in [
        Webhook::to(&url).sign(SECRET),
        Webhook::to(&url).cloudinary("cl0udsecret"),
        Webhook::to(&url).zencoder("cl0udsecret"),
        Webhook::to(&url).tencent("cl0udsecret"),
    ] {
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

/// They tell of one event at a time, and not of all kinds.
#[tokio::test]
async fn no_dialect_is_the_last_for_what_it_has_no_word_for() {
    let named = || Webhook::to("https://hooks.example/x").name("dialect");
    let own = || Webhook::to("https://ours.example/x").name("own").sign(SECRET);
    let digest = || Route::on([EventKind::JobFailed]).to("dialect").digest(Duration::from_secs(60));
    let disabled = || Route::on([EventKind::DestinationDisabled]).to("dialect");
    let start = async |hook: Webhook, route: Route| {
        Mediaflow::builder().notify(hook).notify(own()).route(route).start().await.map(drop)
    };
    let dialects: [fn(Webhook) -> Webhook; 3] =
        [|hook| hook.cloudinary("s"), |hook| hook.zencoder("s"), |hook| hook.tencent("s")];
    for dialect in dialects {
        for route in [digest(), disabled()] {
            let error = start(dialect(named()), route.clone()).await.unwrap_err();
            assert_eq!(error.code(), "route.invalid", "{error:?}");
            assert!(error.to_string().contains("`dialect`"), "{error}");
            start(dialect(named()), route.fallback("own")).await.unwrap();
        }
    }
    start(named().sign(SECRET), digest()).await.unwrap();
    start(named().sign(SECRET), disabled()).await.unwrap();
}
