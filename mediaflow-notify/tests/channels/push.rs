//! Push messages: to devices by Firebase, to browsers by Web Push.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mediaflow_core::notify::{Credentials, DeliveryContext, IntoNotifier as _, Message};
use mediaflow_core::testing::{Reply, WebhookReceiver};
use mediaflow_core::{Notifier, NotifyError};
use mediaflow_notify::{Fcm, WebPush};
use serde_json::{Value, json};

use crate::common::{CANARY, JOB, NOW, failed, json_of, text_of, words};
use crate::hostile::HOSTILE;
use crate::limits::long;
use crate::pages::decrypted;

pub(crate) const VAPID: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";

pub(crate) fn account(receiver: &WebhookReceiver) -> (String, RsaKeyPair) {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let account = json!({
        "type": "service_account", "project_id": "media-1", "private_key_id": "kid-1", "private_key": pem,
        "client_email": "media@media-1.iam.example", "token_uri": receiver.url("/token"),
    });
    (account.to_string(), key)
}

fn fcm(receiver: &WebhookReceiver, account: &str) -> Arc<dyn Notifier> {
    let url = receiver.url("");
    let channel = Fcm::service_account(account)
        .to(format!("device-{CANARY}"))
        .endpoint(url)
        .templates(&words())
        .allow_private(&receiver.address());
    channel.into_notifier().unwrap()
}

pub(crate) fn token() -> Reply {
    Reply::status(200).body(json!({ "access_token": "ya29", "expires_in": 3600 }).to_string())
}

#[tokio::test]
async fn a_device_is_told_with_a_token_that_is_asked_for_once() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let (account, key) = account(&receiver);
    let push = fcm(&receiver, &account);
    let sent = || Reply::status(200).body(r#"{"name":"projects/media-1/messages/1"}"#);
    receiver.answer([token(), sent(), sent(), token(), sent()]);
    let message = Message::of(failed("cat.jpg"));
    let receipt = push.notify(&message, &DeliveryContext::first(NOW)).await.unwrap();
    assert_eq!(receipt.provider_id.as_deref(), Some("projects/media-1/messages/1"));
    let asked = receiver.next().await.unwrap();
    assert_eq!(asked.path, "/token");
    let form = text_of(&asked);
    let assertion = form.split_once("assertion=").unwrap().1;
    let (text, signature) = assertion.rsplit_once('.').unwrap();
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    public.verify(text.as_bytes(), &decoded(signature)).unwrap();
    let claims: Value = serde_json::from_slice(&decoded(text.split_once('.').unwrap().1)).unwrap();
    assert_eq!(claims["iss"], "media@media-1.iam.example");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);

    let told = receiver.next().await.unwrap();
    assert_eq!(told.path, "/v1/projects/media-1/messages:send");
    assert_eq!(told.header("authorization"), Some("Bearer ya29"));
    let body = &json_of(&told)["message"];
    assert_eq!(body["token"], format!("device-{CANARY}"));
    assert_eq!(body["notification"]["title"], "cat.jpg could not be processed");
    assert_eq!((&body["data"]["job"], &body["android"]["priority"]), (&JOB.into(), &"HIGH".into()));

    // The token is good for an hour, less what clocks and networks need.
    let later = |seconds| DeliveryContext::first(NOW.plus(Duration::from_secs(seconds)));
    push.notify(&message, &later(3000)).await.unwrap();
    assert_eq!(receiver.next().await.unwrap().path, "/v1/projects/media-1/messages:send");
    push.notify(&message, &later(3500)).await.unwrap();
    assert_eq!(receiver.next().await.unwrap().path, "/token");
}

#[tokio::test]
async fn what_firebase_answers_decides_what_follows() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let (account, _) = account(&receiver);
    let code = |code: &str| json!({ "error": { "details": [{ "errorCode": code }] } }).to_string();
    for (status, body, meaning) in [
        (404, code("UNREGISTERED"), "Gone"),
        (403, code("SENDER_ID_MISMATCH"), "Gone"),
        (400, code("INVALID_ARGUMENT"), "Rejected"),
        (401, code("THIRD_PARTY_AUTH_ERROR"), "Auth"),
        (401, String::new(), "Auth"),
        (429, code("QUOTA_EXCEEDED"), "Throttled"),
        (503, code("UNAVAILABLE"), "Retryable"),
    ] {
        receiver.answer([token(), Reply::status(status).body(body)]);
        let push = fcm(&receiver, &account);
        let cx = DeliveryContext::first(NOW);
        let error = push.notify(&Message::of(failed("a.jpg")), &cx).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(meaning), "{status}: {error:?}");
        assert!(!format!("{error:?} {push:?}").contains(CANARY));
    }
    // What Firebase is refused by Apple concerns one device of many, unless that is the host's own.
    receiver.answer([token(), Reply::status(401).body(code("THIRD_PARTY_AUTH_ERROR"))]);
    let push = fcm(&receiver, &account);
    let device = push.address(&format!("apple-{CANARY}")).unwrap();
    let message = Message::of(failed("a.jpg")).to(Some(device));
    let error = push.notify(&message, &DeliveryContext::first(NOW)).await.unwrap_err();
    assert!(matches!(error, NotifyError::Retryable { .. }), "{error:?}");
    assert_eq!(push.terms().credentials, Some(Credentials::Host));
    // The account itself is refused.
    receiver.answer([Reply::status(400).body(r#"{"error":"invalid_grant"}"#)]);
    let cx = DeliveryContext::first(NOW);
    let error =
        fcm(&receiver, &account).notify(&Message::of(failed("a.jpg")), &cx).await.unwrap_err();
    assert!(matches!(error, NotifyError::Auth { .. }), "{error:?}");
    assert_eq!(cx.answer(), None, "what is answered with a token is in no log");
}

pub(crate) fn subscription(receiver: &WebhookReceiver) -> String {
    json!({
        "endpoint": receiver.url(&format!("/push/{CANARY}")), "expirationTime": null,
        "keys": {
            "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "auth": "BTBZMqHH6r4Tts7J_aSIgg",
        },
    })
    .to_string()
}

#[tokio::test]
async fn a_browser_is_told_in_secret() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let push = WebPush::vapid(VAPID, "mailto:ops@app.example")
        .allow_private(&receiver.address())
        .into_notifier()
        .unwrap();
    let address = push.address(&subscription(&receiver)).unwrap();
    assert!(!format!("{address:?} {push:?}").contains(CANARY));
    assert_eq!(push.terms().credentials, Some(Credentials::Address), "of its subscription");
    let message = Message::of(failed("cat.jpg")).to(Some(address));
    for (status, meaning) in [
        (201, ""),
        (404, "Gone"),
        (410, "Gone"),
        (413, "TooLarge"),
        (403, "Auth"),
        (429, "Throttled"),
    ] {
        receiver.answer([Reply::status(status)]);
        let result = push.notify(&message, &DeliveryContext::first(NOW)).await;
        match result {
            Ok(receipt) => assert_eq!((receipt.status, meaning), (Some(201), "")),
            Err(error) => assert!(format!("{error:?}").starts_with(meaning), "{error:?}"),
        }
        let received = receiver.next().await.unwrap();
        assert_eq!(received.header("content-encoding"), Some("aes128gcm"));
        assert_eq!(received.header("ttl"), Some("86400"));
        assert_eq!(received.header("urgency"), Some("high"));
        assert!(received.header("authorization").unwrap().starts_with("vapid t="));
        // Salt, size of a record, and the sender's key stand before what nobody else can read.
        assert_eq!((received.body[16..20].to_vec(), received.body[20]), (vec![0, 0, 16, 0], 65));
        assert!(
            received.body.len() <= 4096 && !received.body.windows(3).any(|part| part == b"cat")
        );
    }
}

#[tokio::test]
async fn what_is_long_or_hostile_stays_what_the_services_take() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let (account, _) = account(&receiver);
    let browser =
        WebPush::vapid(VAPID, "mailto:ops@app.example").allow_private(&receiver.address());
    let browser = browser.into_notifier().unwrap();
    let device = format!("device-{CANARY}");
    let subscription = subscription(&receiver);
    for (push, address, most) in [
        (fcm(&receiver, &account), device.as_str(), 4096),
        (fcm(&receiver, &account), "topic:news", 2048),
        (browser, subscription.as_str(), 4096),
    ] {
        let is_browser = address.starts_with('{');
        let to = || Some(push.address(address).unwrap());
        if !is_browser {
            receiver.answer([token()]);
        }
        for (message, first) in [(long(), true), (Message::of(failed(HOSTILE)), false)] {
            receiver.answer([Reply::status(200).body("{}")]);
            push.notify(&message.to(to()), &DeliveryContext::first(NOW)).await.unwrap();
            let mut told = receiver.next().await.unwrap();
            if first && !is_browser {
                told = receiver.next().await.unwrap();
            }
            assert!(told.body.len() <= most, "{address}: {}", told.body.len());
            let shown = if is_browser {
                decrypted(&told.body)
            } else {
                json_of(&told)["message"]["notification"].clone()
            };
            let (title, text) = (shown["title"].as_str().unwrap(), shown["body"].as_str().unwrap());
            assert!(title.chars().count() <= 120 && text.chars().count() <= 1000, "{shown}");
            assert!(first || title.contains("{{ 7*7 }}"), "{title}");
            assert!(!title.contains(|c: char| c.is_control() || c == '\u{202e}'), "{title}");
        }
    }
}

#[test]
fn mistakes_of_push_are_found_when_it_is_built() {
    let wrong = WebPush::vapid("AAAA", "mailto:a@b.example").build().unwrap_err();
    assert_eq!(wrong.code(), "push.key");
    let wrong = WebPush::vapid(VAPID, "ops").build().unwrap_err();
    assert_eq!(wrong.code(), "push.key");
    let wrong =
        Fcm::service_account(format!("{{\"private_key\":\"{CANARY}\"}}")).build().unwrap_err();
    assert_eq!(wrong.code(), "push.key");
    assert!(!format!("{wrong:?}").contains(CANARY));
    let push = WebPush::vapid(VAPID, "mailto:a@b.example").build().unwrap();
    assert_eq!(push.address("https://push.example/x").unwrap_err().code(), "channel.address");
}
