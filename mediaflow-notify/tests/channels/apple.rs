//! Push messages to Apple's devices.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mediaflow_core::notify::{DeliveryContext, IntoNotifier as _, Message};
use mediaflow_core::testing::{Received, Reply, WebhookReceiver};
use mediaflow_core::{Notifier, NotifyError};
use mediaflow_notify::Apns;
use serde_json::Value;

use crate::common::{CANARY, JOB, NOW, apple_key, completed, failed, json_of, words};

const KEY_ID: &str = "ABC123DEFG";
const TEAM: &str = "DEF123GHIJ";

fn apple(receiver: &WebhookReceiver, key: &str) -> Arc<dyn Notifier> {
    Apns::key(key, KEY_ID, TEAM, "com.example.media")
        .to("0f".repeat(32))
        .endpoint(receiver.url(""))
        .allow_private(&receiver.address())
        .templates(&words())
        .into_notifier()
        .unwrap()
}

fn token(received: &Received) -> String {
    let header = received.header("authorization").unwrap();
    header.strip_prefix("bearer ").unwrap().to_owned()
}

#[tokio::test]
async fn a_device_is_told_with_a_token_that_is_used_for_forty_minutes() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let der = der.unwrap();
    let public = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref()).unwrap();
    let public = public.public_key().as_ref().to_vec();
    // As it is in the file: in lines of 64 characters.
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|l| str::from_utf8(l).unwrap()).collect();
    let key = format!(
        "-----BEGIN PRIVATE KEY-----\r\n{}\r\n-----END PRIVATE KEY-----",
        lines.join("\r\n")
    );
    let push = apple(&receiver, &key);

    let message = Message::of(failed("cat.jpg"));
    receiver.answer([Reply::status(200).header("apns-id", "0199C8F0-AAAA")]);
    let receipt = push.notify(&message, &DeliveryContext::first(NOW)).await.unwrap();
    assert_eq!(receipt.provider_id.as_deref(), Some("0199C8F0-AAAA"));
    let first = receiver.next().await.unwrap();
    assert_eq!(
        (first.method.as_str(), first.path.as_str()),
        ("POST", &*format!("/3/device/{}", "0f".repeat(32)))
    );
    for (name, value) in [
        ("apns-id", message.id.to_string().as_str()),
        ("apns-topic", "com.example.media"),
        ("apns-push-type", "alert"),
        ("apns-priority", "10"),
        ("apns-expiration", "1760086400"),
        ("apns-collapse-id", JOB),
    ] {
        assert_eq!(first.header(name), Some(value), "{name}");
    }
    let body = json_of(&first);
    assert_eq!(body["aps"]["alert"]["title"], "cat.jpg could not be processed");
    assert_eq!(
        (&body["aps"]["sound"], &body["aps"]["thread-id"]),
        (&"default".into(), &JOB.into())
    );
    assert_eq!((&body["type"], &body["job"]), (&"job.failed".into(), &JOB.into()));

    let token_of_first = token(&first);
    let (text, signature) = token_of_first.rsplit_once('.').unwrap();
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let verifier = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public);
    verifier.verify(text.as_bytes(), &decoded(signature)).unwrap();
    let (head, claims) = text.split_once('.').unwrap();
    let [head, claims]: [Value; 2] =
        [head, claims].map(|part| serde_json::from_slice(&decoded(part)).unwrap());
    assert_eq!((&head["alg"], &head["kid"]), (&"ES256".into(), &KEY_ID.into()));
    assert_eq!((&claims["iss"], &claims["iat"]), (&TEAM.into(), &1_760_000_000.into()));

    let mut token_after = async |minutes: u64| {
        let now = NOW.plus(Duration::from_secs(minutes * 60));
        push.notify(&message, &DeliveryContext::first(now)).await.unwrap();
        token(&receiver.next().await.unwrap())
    };
    assert_eq!(token_after(39).await, token_of_first);
    let second = token_after(40).await;
    assert_ne!(second, token_of_first);
    assert_eq!(token_after(79).await, second);
}

#[tokio::test]
async fn a_token_that_is_too_old_is_made_anew_but_not_too_soon() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let push = apple(&receiver, &apple_key());
    let message = Message::of(failed("cat.jpg"));
    let mut token_at = async |minutes: u64, answer: Reply| {
        receiver.answer([answer]);
        let now = NOW.plus(Duration::from_secs(minutes * 60));
        let result = push.notify(&message, &DeliveryContext::first(now)).await;
        (token(&receiver.next().await.unwrap()), result)
    };
    let expired = || Reply::status(403).body(r#"{"reason":"ExpiredProviderToken"}"#);
    let (first, result) = token_at(0, expired()).await;
    assert!(matches!(result, Err(NotifyError::Auth { .. })), "{result:?}");
    assert_eq!(token_at(19, expired()).await.0, first, "Apple takes no other yet");
    assert_eq!(token_at(20, expired()).await.0, first);
    assert_ne!(token_at(21, Reply::status(200)).await.0, first);
}

#[tokio::test]
async fn what_is_no_failure_makes_no_sound_and_shows_a_picture() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let push = apple(&receiver, &apple_key());
    let message = Message::of(completed("cat.jpg"));
    push.notify(&message, &DeliveryContext::first(NOW)).await.unwrap();
    let received = receiver.next().await.unwrap();
    assert_eq!(received.header("apns-priority"), Some("5"));
    let body = json_of(&received);
    assert_eq!(body["aps"].get("sound"), None);
    assert_eq!(body["aps"]["mutable-content"], 1);
    assert_eq!(body["image"], "https://cdn.example/thumb.jpg");
    assert_eq!(body["url"], format!("https://app.example/media/{JOB}?a=1&b=2"));
}

#[tokio::test]
async fn a_device_is_named_in_no_log() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let push = apple(&receiver, &apple_key());
    let device = "0f".repeat(32);
    receiver.answer([Reply::status(500).body(format!("no /3/device/{device} here"))]);
    let cx = DeliveryContext::first(NOW);
    let error = push.notify(&Message::of(failed("a.jpg")), &cx).await.unwrap_err();
    let kept = cx.answer().unwrap().body;
    assert!(!format!("{error:?} {kept} {push:?} {:?}", push.own_address()).contains(&device));
    receiver.next().await.unwrap();
}

#[test]
fn mistakes_are_found_when_it_is_built() {
    let key = apple_key();
    let code = |key: &str, id: &str, team: &str, topic: &str| {
        let error = Apns::key(key, id, team, topic).build().unwrap_err();
        assert!(!format!("{error:?}").contains(CANARY));
        error.code().to_owned()
    };
    assert_eq!(code(&key.replace('M', "N"), KEY_ID, TEAM, "com.example.media"), "push.key");
    assert_eq!(code(&key, "", TEAM, "com.example.media"), "push.key");
    assert_eq!(code(&key, KEY_ID, "a\r\nb: c", "com.example.media"), "push.key");
    assert_eq!(code(&key, KEY_ID, TEAM, ""), "push.key");
    let push = Apns::key(&key, KEY_ID, TEAM, "com.example.media").build().unwrap();
    for device in ["", "device/../../x", "0f0f 0f0f"] {
        assert_eq!(push.address(device).unwrap_err().code(), "channel.address", "{device}");
    }
    assert_eq!(push.address(&"0F".repeat(32)).unwrap().origin(), "https://api.push.apple.com:443");
    let push = Apns::key(&key, KEY_ID, TEAM, "com.example.media").development().build().unwrap();
    let origin = push.address("0f").unwrap().origin().to_owned();
    assert_eq!(origin, "https://api.sandbox.push.apple.com:443");
}
