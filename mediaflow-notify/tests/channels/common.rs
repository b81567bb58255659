use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mediaflow_core::event::EventData;
use mediaflow_core::notify::{DeliveryContext, IntoNotifier as _, Message, Receipt};
use mediaflow_core::report::Report;
use mediaflow_core::testing::{Received, Reply, WebhookReceiver};
use mediaflow_core::{Event, EventKind, Notifier, NotifyError, Timestamp};
use mediaflow_notify::templates::Templates;
use mediaflow_notify::{
    Apns, AwsCredentials, Courier, Discord, GoogleChat, Mattermost, Ntfy, Pushover, Ses, Slack,
    Sns, Teams, Telegram,
};
use serde_json::{Value, json};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);
pub(crate) const JOB: &str = "0199c8f0-0000-7000-8000-000000000001";

/// A topic whose messages keep their order.
pub(crate) const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:media.fifo";

/// What no log, error or `Debug` may show.
pub(crate) const CANARY: &str = "canary-0123456789";

pub(crate) fn report(name: &str, state: &str) -> Report {
    let failure = (state == "failed").then(|| {
        json!({ "kind": "input", "code": "image.truncated", "message": "the image ends too early",
                "facts": [["source", name]], "help": "upload the whole file" })
    });
    let outputs = if state == "failed" {
        json!([])
    } else {
        json!([{ "output": "public/thumb.jpg", "state": "published", "format": "jpeg", "mime": "image/jpeg",
                 "bytes": 12_345, "width": 320, "height": 240 }])
    };
    let info = json!({ "medium": "still", "format": "jpeg", "bytes": 2_345_678, "width": 4032, "height": 3024, "channels": 3 });
    serde_json::from_value(json!({
        "job": JOB, "state": state, "outputs": outputs, "decodes": 1, "attempts": 1, "failure": failure,
        "source": { "name": format!("uploads/{name}"), "info": info }, "plan": [],
        "queued_at": "2025-10-09T08:53:00Z", "finished_at": "2025-10-09T08:53:20Z",
    }))
    .unwrap()
}

pub(crate) fn failed(name: &str) -> Event {
    let report = report(name, "failed");
    let mut event = Event::new(EventKind::JobFailed, NOW, EventData::Job(Box::new(report)));
    event.job = Some(JOB.parse().unwrap());
    event
}

pub(crate) fn completed(name: &str) -> Event {
    let report = report(name, "succeeded");
    let mut event = Event::new(EventKind::JobCompleted, NOW, EventData::Job(Box::new(report)));
    event.job = Some(JOB.parse().unwrap());
    event
}

/// Words with a link and pictures.
pub(crate) fn words() -> Templates {
    Templates::builder()
        .link("https://app.example/media/{{ data.job }}?a=1&b=2")
        .public_url("public", "https://cdn.example")
        .build()
        .unwrap()
}

/// A key as Apple gives it, in a file that must not be shown.
pub(crate) fn apple_key() -> String {
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let text = STANDARD.encode(der.unwrap());
    format!("-----BEGIN PRIVATE KEY----- {CANARY}\n{text}\n-----END PRIVATE KEY-----\n")
}

/// A channel with its name, and what its service answers when all is well.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) notifier: Arc<dyn Notifier>,
    pub(crate) good: Reply,
}

/// Every channel, to the receiver.
pub(crate) fn all(receiver: &WebhookReceiver) -> Vec<Case> {
    all_in(&words(), receiver)
}

/// Every channel in these words, to the receiver.
pub(crate) fn all_in(words: &Templates, receiver: &WebhookReceiver) -> Vec<Case> {
    let (url, host) = (receiver.url(""), receiver.address());
    let hook = receiver.url(&format!("/hook/{CANARY}"));
    let url = url.trim_end_matches('/');
    macro_rules! case {
        ($name:literal, $builder:expr, $good:expr) => {
            Case {
                name: $name,
                notifier: $builder.allow_private(&host).templates(words).into_notifier().unwrap(),
                good: $good,
            }
        };
    }
    let json = |body: Value| Reply::status(200).body(body.to_string());
    vec![
        case!("slack", Slack::webhook(&hook), Reply::status(200).body("ok")),
        case!(
            "slack bot",
            Slack::bot(CANARY, "C0123").endpoint(url),
            json(json!({ "ok": true, "channel": "C0123", "ts": "1760000000.000100" }))
        ),
        case!("discord", Discord::webhook(&hook), json(json!({ "id": "42" }))),
        case!("teams", Teams::workflow(&hook), Reply::status(202)),
        case!(
            "telegram",
            Telegram::bot(format!("1:{CANARY}"), "-100").endpoint(url),
            json(json!({ "ok": true, "result": { "message_id": 7 } }))
        ),
        case!(
            "google-chat",
            GoogleChat::webhook(format!("{hook}?key=k&token={CANARY}")),
            json(json!({ "name": "spaces/S/messages/M" }))
        ),
        case!("mattermost", Mattermost::webhook(&hook), Reply::status(200).body("ok")),
        case!(
            "ntfy",
            Ntfy::topic(receiver.url(&format!("/{CANARY}"))).token(CANARY),
            json(json!({ "id": "n1" }))
        ),
        case!(
            "pushover",
            Pushover::app(CANARY, "u1").endpoint(url),
            json(json!({ "status": 1, "request": "r1" }))
        ),
        case!(
            "courier",
            Courier::api(CANARY).to("user:ada").endpoint(url),
            Reply::status(202).body(json!({ "requestId": "c1" }).to_string())
        ),
        case!(
            "apns",
            Apns::key(apple_key(), "ABC123DEFG", "DEF123GHIJ", "com.example.media")
                .to("0f".repeat(32))
                .endpoint(url),
            Reply::status(200).header("apns-id", "a1")
        ),
        case!(
            "sns",
            Sns::topic(TOPIC, AwsCredentials::new("AKID", CANARY)).endpoint(url),
            Reply::status(200).body("<PublishResponse><PublishResult><MessageId>s1</MessageId></PublishResult></PublishResponse>")
        ),
        case!(
            "ses",
            Ses::region("eu-central-1", AwsCredentials::new("AKID", CANARY), "media@app.example")
                .to("ada@example.com")
                .endpoint(url),
            json(json!({ "MessageId": "e1" }))
        ),
    ]
}

/// One attempt, and what the receiver saw.
pub(crate) async fn send(
    receiver: &mut WebhookReceiver,
    case: &Case,
    message: &Message,
    reply: Reply,
) -> (Result<Receipt, NotifyError>, Received) {
    receiver.answer([reply]);
    let result = case.notifier.notify(message, &DeliveryContext::first(NOW)).await;
    let received = receiver.next().await;
    let received = received.unwrap_or_else(|e| panic!("{}: {e}; {result:?}", case.name));
    (result, received)
}

pub(crate) fn text_of(received: &Received) -> String {
    String::from_utf8(received.body.to_vec()).unwrap()
}

pub(crate) fn json_of(received: &Received) -> Value {
    serde_json::from_slice(&received.body).unwrap()
}
