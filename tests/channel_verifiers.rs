//! Services and programs that other people wrote take what channels send: `moto` for Amazon's services, `http-ece` for
//! browsers, `h2` for Apple.

#![cfg(all(feature = "channels", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mediaflow::notifiers::{Apns, AwsCredentials, Ses, Sns, WebPush};
use mediaflow::notify::{DeliveryContext, IntoNotifier as _, Message, Receipt};
use mediaflow::spec::JobOptions;
use mediaflow::testing::WebhookReceiver;
use mediaflow::{Clock as _, Event, EventKind, Notifier, NotifyError, SystemClock};
use serde_json::{Value, json};
use verifiers::{ask, command};

mod verifiers;

const JOB: &str = "0199c8f0-0000-7000-8000-000000000001";

fn started() -> Message {
    let now = SystemClock::default().now();
    let options = JobOptions::new().metadata("name", "K\u{e4}tzchen.jpg");
    let event = Event::new(EventKind::JobStarted, now, mediaflow::event::EventData::None);
    Message::of(event.about(JOB.parse().unwrap(), None, &options))
}

async fn send(notifier: &Arc<dyn Notifier>, message: &Message) -> Result<Receipt, NotifyError> {
    notifier.notify(message, &DeliveryContext::first(SystemClock::default().now())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn amazons_services_take_topics_and_mails() {
    let mut moto = command("amazon.py").stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(moto.stdout.take().unwrap()).lines();
    let mut line = move || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let begun = line();
    let (endpoint, topic) = (begun["endpoint"].as_str().unwrap(), begun["topic"].as_str().unwrap());
    let host = endpoint.trim_start_matches("http://");
    let credentials = || AwsCredentials::new("AKID", "secret");
    let sns = Sns::topic(topic, credentials()).endpoint(endpoint).allow_private(host);
    let sns = sns.into_notifier().unwrap();
    let ses = |from: &str| {
        let ses = Ses::region("eu-central-1", credentials(), from).endpoint(endpoint);
        ses.to("Ada <ada@example.com>").allow_private(host).into_notifier().unwrap()
    };
    let message = started();
    for _ in 0..2 {
        // The second is the same message once more.
        assert!(send(&sns, &message).await.unwrap().provider_id.is_some());
    }
    // Several in one request, of which one is the first message once more.
    let more: Vec<_> = (0..3).map(|_| started()).chain([message.clone()]).collect();
    let cx = DeliveryContext::first(SystemClock::default().now());
    let together: Vec<_> = more.iter().map(|message| (message, &cx)).collect();
    for result in sns.notify_all(&together).await {
        assert!(result.unwrap().provider_id.is_some());
    }
    send(&ses("media@app.example"), &message).await.unwrap();
    let error = send(&ses("stranger@elsewhere.example"), &message).await.unwrap_err();
    assert!(
        matches!(error, NotifyError::Rejected { .. } | NotifyError::Retryable { .. }),
        "{error:?}"
    );
    let gone = Sns::topic(topic.replace("media.fifo", "nobody.fifo"), credentials());
    let gone = gone.endpoint(endpoint).allow_private(host).into_notifier().unwrap();
    let error = send(&gone, &message).await.unwrap_err();
    assert!(matches!(error, NotifyError::Gone { .. }), "{error:?}");
    for result in gone.notify_all(&together).await {
        assert!(matches!(result, Err(NotifyError::Gone { .. })), "{result:?}");
    }

    let mut input = moto.stdin.take().unwrap();
    input.write_all(b"\n").unwrap();
    let seen = line();
    let notes = seen["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 4, "a message that is published twice arrives once: {notes:?}");
    let ids: Vec<_> = notes.iter().map(|note| note["MessageDeduplicationId"].clone()).collect();
    let sent = std::iter::once(&message).chain(&more[..3]);
    let sent: Vec<_> = sent.map(|message| json!(message.id.to_string())).collect();
    assert_eq!(ids, sent, "in their order");
    let note = &notes[0]["note"];
    assert_eq!(notes[0]["MessageGroupId"], JOB);
    assert_eq!(note["Subject"], "Ktzchen.jpg is being processed", "a subject is ASCII");
    assert_eq!(note["MessageAttributes"]["type"]["Value"], "job.started");
    let body: Value = serde_json::from_str(note["Message"].as_str().unwrap()).unwrap();
    assert_eq!((&body["type"], &body["data"]["job"]), (&"job.started".into(), &JOB.into()));
    let mail = json!({ "to": ["ada@example.com"], "subject": "K\u{e4}tzchen.jpg is being processed",
                       "type": "multipart/alternative" });
    assert_eq!(seen["mails"], json!([mail]));
    drop(input);
    moto.wait().unwrap();
}

#[tokio::test]
async fn a_browser_reads_what_is_pushed() {
    // Keys of appendix A of RFC 8291: the browser's private one, its public one, and the secret of the subscription.
    const PRIVATE: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
    const PUBLIC: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let vapid = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
    let push = WebPush::vapid(vapid, "mailto:ops@app.example").allow_private(&receiver.address());
    let push = push.on([EventKind::JobStarted]).into_notifier().unwrap();
    let keys = json!({ "p256dh": PUBLIC, "auth": AUTH });
    let subscription = json!({ "endpoint": receiver.url("/push/1"), "keys": keys }).to_string();
    let message = started().to(Some(push.address(&subscription).unwrap()));
    send(&push, &message).await.unwrap();
    let received = receiver.next().await.unwrap();
    let input = format!("{PRIVATE} {AUTH} {}", STANDARD.encode(&received.body));
    let output = ask("web_push.py", &input);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["title"], "K\u{e4}tzchen.jpg is being processed");
    assert_eq!(told["tag"], JOB);
}

#[tokio::test(flavor = "multi_thread")]
async fn apple_takes_what_is_pushed() {
    let mut apple = command("apple.py").spawn().unwrap();
    let mut lines = BufReader::new(apple.stdout.take().unwrap()).lines();
    let mut line = move || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let begun = line();
    let (endpoint, key) = (begun["endpoint"].as_str().unwrap(), begun["key"].as_str().unwrap());
    let push = Apns::key(key, "ABC123DEFG", "DEF123GHIJ", "com.example.media")
        .endpoint(endpoint)
        .allow_private(endpoint.trim_start_matches("http://"))
        .on([EventKind::JobStarted])
        .into_notifier()
        .unwrap();
    let to = |device: &str| started().to(Some(push.address(&device.repeat(32)).unwrap()));
    let message = to("ab");
    for _ in 0..2 {
        let receipt = send(&push, &message).await.unwrap();
        assert_eq!(receipt.provider_id, Some(message.id.to_string()));
    }
    let error = send(&push, &to("00")).await.unwrap_err();
    assert!(matches!(error, NotifyError::Gone { .. }), "{error:?}");

    let seen = [line(), line(), line()];
    assert!(seen.iter().all(|request| request["connection"] == 1), "one for all: {seen:?}");
    assert!(
        seen.iter().all(|request| request["claims"] == seen[0]["claims"]),
        "one token: {seen:?}"
    );
    let Value::Object(claims) = &seen[0]["claims"] else { panic!("no token of ours: {seen:?}") };
    let said = |name: &str| claims[name].as_str().unwrap_or_default();
    assert_eq!((said("scheme"), said("alg")), ("bearer", "ES256"));
    assert_eq!((said("kid"), said("iss")), ("ABC123DEFG", "DEF123GHIJ"));
    assert!(claims["iat"].is_u64(), "{claims:?}");
    let headers = &seen[0]["headers"];
    for (name, value) in [
        (":method", "POST"),
        (":path", &format!("/3/device/{}", "ab".repeat(32))),
        ("apns-id", &message.id.to_string()),
        ("apns-topic", "com.example.media"),
        ("apns-push-type", "alert"),
        ("apns-collapse-id", JOB),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert_eq!(seen[0]["body"]["aps"]["alert"]["title"], "K\u{e4}tzchen.jpg is being processed");
    drop(apple.stdin.take());
    apple.wait().unwrap();
}
