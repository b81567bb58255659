//! What services are sent.

use mediaflow_core::notify::{Message, Thread};
use mediaflow_core::testing::{WebhookReceiver, exercise_notifier};

use crate::common::{CANARY, JOB, all, completed, failed, json_of, send, text_of};

#[tokio::test]
async fn every_channel_conforms() {
    let receiver = WebhookReceiver::start().await.unwrap();
    for place in 0..all(&receiver).len() {
        let receiver = WebhookReceiver::start().await.unwrap();
        let case = all(&receiver).swap_remove(place);
        receiver.answer(vec![case.good.clone(); 60]);
        exercise_notifier(&*case.notifier, &[CANARY]).await;
    }
}

#[tokio::test]
async fn every_channel_says_what_happened_and_where_to_look() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    for case in all(&receiver) {
        if case.name == "ses" {
            // A whole mail in base64: what it says is read by an SMTP server's parser elsewhere.
            continue;
        }
        for (event, said) in [
            (failed("cat.jpg"), ["could not be processed", "the image ends too early"]),
            (completed("cat.jpg"), ["cat.jpg is ready", "320 x 240"]),
        ] {
            let (result, received) =
                send(&mut receiver, &case, &Message::of(event), case.good.clone()).await;
            let name = case.name;
            result.unwrap_or_else(|e| panic!("{name}: {e}"));
            let text = read(&text_of(&received));
            // Subscribers of a topic are programs: they get the event.
            let said = match name {
                "sns" => ["job", "cat.jpg"],
                // A push is short, and has no facts.
                "apns" => [said[0], "cat.jpg"],
                _ => said,
            };
            for said in said {
                assert!(text.contains(said), "{name} does not say {said}: {text}");
            }
            assert!(text.contains(JOB), "{name} has no link: {text}");
        }
    }
}

/// A body as its receiver reads it: escapes of its markup are no words.
fn read(body: &str) -> String {
    body.replace("\\\\", "").replace("%20", " ")
}

#[tokio::test]
async fn what_arrived_has_the_services_name() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let mut names = Vec::new();
    for case in all(&receiver) {
        let message = Message::of(failed("cat.jpg"));
        let (result, _) = send(&mut receiver, &case, &message, case.good.clone()).await;
        names.extend(result.unwrap().provider_id);
    }
    assert_eq!(
        names,
        ["1760000000.000100", "42", "7", "spaces/S/messages/M", "n1", "r1", "c1", "a1", "s1", "e1"]
    );
}

#[tokio::test]
async fn messages_of_one_job_are_one_thread() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    for (name, first, pointer) in [
        ("slack bot", "1760000000.000001", "/thread_ts"),
        ("telegram", "3", "/reply_parameters/message_id"),
    ] {
        let case = all(&receiver).into_iter().find(|case| case.name == name).unwrap();
        let mut message = Message::of(failed("cat.jpg"));
        message.thread = Some(Thread::new(JOB));
        let (_, received) = send(&mut receiver, &case, &message, case.good.clone()).await;
        assert_eq!(json_of(&received).pointer(pointer), None, "{name}");
        message.thread = Some(Thread::new(JOB).after(Some(first.to_owned())));
        let (result, received) = send(&mut receiver, &case, &message, case.good.clone()).await;
        let told = json_of(&received).pointer(pointer).unwrap().to_string();
        assert_eq!(told.trim_matches('"'), first, "{name}");
        // A reply to a reply would begin a thread of its own.
        assert_eq!(result.unwrap().provider_id.as_deref(), Some(first), "{name}");
    }
}

#[tokio::test]
async fn requests_are_those_of_the_services_documentation() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let mut seen = Vec::new();
    for case in all(&receiver) {
        let message = Message::of(failed("cat.jpg"));
        let id = message.id.to_string();
        let (_, received) = send(&mut receiver, &case, &message, case.good.clone()).await;
        let mut path = received.path.replace(&id, "ID");
        if let Some(authorization) = received.header("authorization") {
            // What is signed is another one each time.
            let authorization = authorization.split(", Signature").next().unwrap_or_default();
            let authorization = authorization.split(" ey").next().unwrap_or_default();
            path = format!("{path} {authorization}");
        }
        if received.header("idempotency-key").is_some_and(|key| key.starts_with(&id)) {
            path.push_str(" idempotent");
        }
        let kind = received.header("content-type").unwrap().to_owned();
        seen.push((case.name, received.method.clone(), path, kind));
    }
    let json = "application/json";
    let form = "application/x-www-form-urlencoded";
    let expected = [
        ("slack", "/hook/canary-0123456789", json),
        ("slack bot", "/api/chat.postMessage Bearer canary-0123456789", json),
        ("discord", "/hook/canary-0123456789?wait=true", json),
        ("teams", "/hook/canary-0123456789", json),
        ("telegram", "/bot1:canary-0123456789/sendMessage", json),
        ("google-chat", "/hook/canary-0123456789?key=k&token=canary-0123456789&requestId=ID", json),
        ("mattermost", "/hook/canary-0123456789", json),
        ("ntfy", "/ Bearer canary-0123456789", json),
        ("pushover", "/1/messages.json", form),
        ("courier", "/send Bearer canary-0123456789 idempotent", json),
        (
            "apns",
            "/3/device/0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f bearer",
            json,
        ),
        (
            "sns",
            "/ AWS4-HMAC-SHA256 Credential=AKID/20251009/eu-central-1/sns/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date",
            "application/x-www-form-urlencoded; charset=utf-8",
        ),
        (
            "ses",
            "/v2/email/outbound-emails AWS4-HMAC-SHA256 Credential=AKID/20251009/eu-central-1/ses/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date",
            json,
        ),
    ];
    assert_eq!(seen.len(), expected.len());
    for ((name, method, path, kind), expected) in seen.iter().zip(expected) {
        assert_eq!((*name, path.as_str(), kind.as_str()), expected);
        assert_eq!(method, "POST");
    }
}

#[tokio::test]
async fn a_topic_has_order_and_attributes() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let case = all(&receiver).into_iter().find(|case| case.name == "sns").unwrap();
    let message = Message::of(failed("cat.jpg"));
    let (_, received) = send(&mut receiver, &case, &message, case.good.clone()).await;
    let form = text_of(&received);
    let pairs: Vec<_> = form.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let value = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    assert_eq!(value("MessageGroupId"), Some(JOB));
    assert_eq!(value("MessageDeduplicationId"), Some(message.id.to_string().as_str()));
    assert_eq!(value("Subject"), Some("cat.jpg%20could%20not%20be%20processed"));
    assert_eq!(value("MessageAttributes.entry.1.Name"), Some("type"));
    assert_eq!(value("MessageAttributes.entry.1.Value.StringValue"), Some("job.failed"));
}
