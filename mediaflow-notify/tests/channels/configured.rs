//! Channels in a configuration: those whose keys are files, and the secrets of all.

use std::fs;
use std::path::PathBuf;

use mediaflow_core::Error;
use mediaflow_core::notify::{DeliveryContext, Message};
use mediaflow_core::testing::{Reply, WebhookReceiver};
use mediaflow_notify::templates::Templates;
use mediaflow_notify::{ChannelConfig, from_url};
use serde_json::{Value, json};

use crate::common::{CANARY, NOW, apple_key, failed};
use crate::push::{VAPID, account, subscription};
use crate::trace::{Trace, logged};

/// The files of keys, in a folder of their own that goes with this.
pub(crate) struct Keys(PathBuf);

impl Keys {
    pub(crate) fn new(receiver: &WebhookReceiver) -> Self {
        let name = format!("keys-{}", receiver.address().replace(':', "-"));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("firebase.json"), account(receiver).0).unwrap();
        fs::write(folder.join("AuthKey.p8"), apple_key()).unwrap();
        fs::write(folder.join("vapid.pem"), format!("{VAPID}\n")).unwrap();
        Self(folder)
    }

    pub(crate) fn folder(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The canary as the secret of a webhook: it is base64.
const SECRET: &str = "Y2FuYXJ5LTAxMjM0NTY3ODljYW5hcnktMDEyMzQ1Njc4OQ==";

fn config(value: &Value) -> ChannelConfig {
    serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{value}: {e}"))
}

#[tokio::test]
async fn a_key_is_a_file_or_its_text() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let keys = Keys::new(&receiver);
    let (folder, device) = (keys.folder(), "0f".repeat(32));
    let apple = "apns://DEF123GHIJ/ABC123DEFG/com.example.media";
    let browser = subscription(&receiver);
    let push = format!("http://{}", receiver.address());
    for (line, keys, name, own) in [
        (
            format!("fcm://media-1/device?keyfile={folder}/firebase.json"),
            json!({}),
            "fcm",
            Some(("https://fcm.googleapis.com:443", "device")),
        ),
        (
            "fcm://media-1/topic:news".to_owned(),
            json!({ "key": account(&receiver).0 }),
            "fcm",
            Some(("https://fcm.googleapis.com:443", "topic:news")),
        ),
        ("fcm://media-1".to_owned(), json!({ "key": account(&receiver).0 }), "fcm", None),
        (
            format!("{apple}/{device}?keyfile={folder}/AuthKey.p8"),
            json!({ "development": false }),
            "apns",
            Some(("https://api.push.apple.com:443", &device)),
        ),
        (
            format!("{apple}/{device}?development=true"),
            json!({ "key": apple_key() }),
            "apns",
            Some(("https://api.sandbox.push.apple.com:443", &device)),
        ),
        (apple.to_owned(), json!({ "key": apple_key() }), "apns", None),
        (
            format!("vapid://ops@app.example?keyfile={folder}/vapid.pem"),
            json!({ "to": browser, "allow_private": receiver.address() }),
            "web-push",
            Some((push.as_str(), &browser)),
        ),
        (format!("vapid://ops@app.example?key={VAPID}"), json!({}), "web-push", None),
        (
            "file:///var/log/to%20all.jsonl".to_owned(),
            json!({}),
            "file",
            Some(("file", "/var/log/to all.jsonl")),
        ),
        ("file://told/all.jsonl".to_owned(), json!({}), "file", Some(("file", "told/all.jsonl"))),
        (
            "mailtos://smtp.example".to_owned(),
            json!({ "from": "media@app.example", "to": "ada@example.com" }),
            "email",
            Some(("smtps://smtp.example", "ada@example.com")),
        ),
    ] {
        let mut value = keys;
        value["url"] = line.as_str().into();
        let notifier = config(&value).notifier(&Templates::default());
        let notifier = notifier.unwrap_or_else(|e| panic!("{line}: {e:?}"));
        let address = notifier.own_address();
        let address = address.as_ref().map(|address| (address.origin(), address.reveal()));
        assert_eq!((notifier.name(), address), (name, own), "{line}");
    }
}

#[tokio::test]
async fn what_jobs_name_is_no_path() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let keys = Keys::new(&receiver);
    let told = keys.0.join("told.jsonl");
    let file = from_url(&format!("file://{}?name=email", told.display())).unwrap();
    let elsewhere = keys.0.join("elsewhere");
    for address in ["ada@example.com", elsewhere.to_str().unwrap()] {
        let message = Message::of(failed("a.jpg")).to(Some(file.address(address).unwrap()));
        file.notify(&message, &DeliveryContext::first(NOW)).await.unwrap();
    }
    let told = fs::read_to_string(told).unwrap();
    assert!(told.contains("ada@example.com") && told.lines().count() == 2, "{told}");
    assert!(!elsewhere.exists());
}

#[tokio::test]
async fn a_key_that_is_missing_or_another_is_named_and_not_shown() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let keys = Keys::new(&receiver);
    let (folder, long) = (keys.folder(), "x".repeat(100_000));
    fs::write(keys.0.join("long"), &long).unwrap();
    for (line, code, says) in [
        ("fcm://media-1/device".to_owned(), "channel.url", "keyfile=/etc/media/push.key"),
        (
            format!("fcm://media-1?key={CANARY}&keyfile={folder}/firebase.json"),
            "channel.url",
            "one key",
        ),
        (format!("fcm://media-1?keyfile={CANARY}"), "channel.url", "can not be read"),
        (format!("fcm://media-1?key={CANARY}"), "push.key", "service account"),
        (format!("fcm://media-1?keyfile={folder}/long"), "push.key", "service account"),
        (format!("fcm://other?keyfile={folder}/firebase.json"), "channel.url", "another project"),
        (
            format!("fcm://media-1@{CANARY}/d?keyfile={folder}/firebase.json"),
            "channel.url",
            "no user",
        ),
        (
            format!("fcm://media-1/a/b?keyfile={folder}/firebase.json"),
            "channel.url",
            "fcm://project/device",
        ),
        (
            format!("fcm://media-1?key_file={CANARY}&key=a"),
            "channel.url",
            "did you mean `keyfile`?",
        ),
        (
            format!("apns://DEF123GHIJ/com.example.media?keyfile={folder}/AuthKey.p8"),
            "channel.url",
            "apns://team/key-id/",
        ),
        (format!("apns://DEF123GHIJ/ABC123DEFG/a.b?key={CANARY}"), "push.key", "AuthKey_"),
        (
            format!(
                "apns://DEF123GHIJ/ABC123DEFG/a.b?keyfile={folder}/AuthKey.p8&development={CANARY}"
            ),
            "channel.url",
            "`true` or `false`",
        ),
        (format!("vapid://app.example?key={VAPID}"), "channel.url", "vapid://ops@app.example"),
        (format!("vapid://ops@app.example?key={CANARY}"), "push.key", "npx web-push"),
        (
            format!("vapid://ops@app.example?key={VAPID}&to={CANARY}"),
            "channel.address",
            "subscription",
        ),
        ("file://".to_owned(), "channel.url", "file:///var/log"),
        (format!("file://{CANARY}@host/told"), "channel.url", "no user"),
        (format!("vapd://ops@app.example?key={CANARY}"), "channel.url", "did you mean `vapid`?"),
    ] {
        let error = from_url(&line).expect_err(&line);
        let shown = format!("{error} {error:?}");
        assert!(error.code() == code && shown.contains(says), "{line}: {shown}");
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

/// Every channel as a configuration, with a canary in each field that may be a secret.
fn configurations(receiver: &WebhookReceiver, keys: &Keys) -> Vec<Value> {
    let host = receiver.address();
    let account = account(receiver).0.replacen('{', &format!("{{\"client_id\":\"{CANARY}\","), 1);
    vec![
        json!({ "url": format!("slack://T0/B0/{CANARY}") }),
        json!({ "url": format!("slack://xoxb-{CANARY}/C0123") }),
        json!({ "url": format!("discord://1/{CANARY}") }),
        json!({ "url": format!("workflows://host.example/{CANARY}/{CANARY}") }),
        json!({ "url": format!("tgram://1:{CANARY}/-100") }),
        json!({ "url": format!("gchat://space/{CANARY}/{CANARY}") }),
        json!({ "url": format!("mmost://{host}/{CANARY}") }),
        json!({ "url": format!("ntfy://{CANARY}:{CANARY}@{host}/{CANARY}") }),
        json!({ "url": format!("pover://{CANARY}@{CANARY}") }),
        json!({ "url": format!("courier://{CANARY}/user:{CANARY}") }),
        json!({ "url": format!("mailtos://user:{CANARY}@smtp.example"),
                "from": "media@app.example", "to": format!("{CANARY}@example.com") }),
        json!({ "url": format!("sns://AKID/{CANARY}/eu-central-1/arn:aws:sns:eu-central-1:1:media") }),
        json!({ "url": format!("ses://media@app.example/AKID/{CANARY}/eu-central-1/{CANARY}@example.com") }),
        json!({ "url": format!("fcm://media-1/{CANARY}"), "key": account }),
        json!({ "url": "apns://DEF123GHIJ/ABC123DEFG/com.example.media/0f0f", "key": apple_key() }),
        json!({ "url": "vapid://ops@app.example", "key": VAPID, "to": subscription(receiver) }),
        json!({ "url": format!("file://{}/told.jsonl", keys.folder()) }),
        json!({ "url": format!("http://{host}/{CANARY}"), "secret": SECRET }),
    ]
}

#[tokio::test]
async fn no_field_of_a_configuration_is_shown() {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let keys = Keys::new(&receiver);
    let (trace, _guard) = Trace::begin();
    let hidden = |what: &str, shown: &str| {
        for secret in [CANARY, VAPID, SECRET] {
            assert!(!shown.contains(secret), "{what}: {shown}");
        }
    };
    let all = configurations(&receiver, &keys);
    let mut sent = 0;
    for mut value in all {
        let url = value["url"].as_str().unwrap().to_owned();
        let scheme = url.split_once("://").unwrap().0;
        value["allow_private"] = receiver.address().into();
        let built = |value: &Value| config(value).notifier(&Templates::default());
        hidden(scheme, &format!("{:?}", config(&value)));
        let notifier = built(&value).unwrap_or_else(|e| panic!("{url}: {e:?}"));
        let address = notifier.own_address().unwrap();
        hidden(scheme, &format!("{notifier:?} {address:?} {address} {}", address.origin()));

        // Whatever else is wrong, and whatever is put into another field.
        let mistake = |key: &str, wrong: Value| -> Error {
            let mut value = value.clone();
            value[key] = wrong;
            built(&value).expect_err(&format!("{url} with {key}"))
        };
        for (key, wrong) in [
            ("on", json!([CANARY])),
            ("timeout", json!(0)),
            ("url", json!(format!("{url}/{CANARY}/{CANARY}/{CANARY}?{CANARY}"))),
        ] {
            // These are no line but a path and a URL, which may be so.
            if key != "url" || !matches!(scheme, "file" | "http") {
                let error = mistake(key, wrong);
                hidden(scheme, &format!("{error} {error:?}"));
            }
        }
        for (key, wrong) in [
            ("unknown", json!(CANARY)),
            ("on", json!(CANARY)),
            ("timeout", json!(CANARY)),
            ("development", json!(CANARY)),
            ("name", json!([CANARY])),
        ] {
            let mut value = value.clone();
            value[key] = wrong;
            let error = serde_json::from_value::<ChannelConfig>(value).unwrap_err();
            hidden(scheme, &format!("{error} {error:?}"));
            assert!(error.to_string().contains(&format!("`{key}`")), "{error}");
        }

        // No test asks a vendor.
        let is_asked = address.origin().contains("127.0.0.1");
        if !is_asked && scheme != "file" {
            continue;
        }
        receiver.answer(is_asked.then(|| Reply::status(400).body(format!("no {url}"))));
        let cx = DeliveryContext::first(NOW);
        let result = notifier.notify(&Message::of(failed("cat.jpg")), &cx).await;
        assert_eq!(result.is_err(), is_asked);
        hidden(scheme, &format!("{result:?}"));
        if is_asked {
            receiver.next().await.unwrap();
        }
        sent += 1;
    }
    assert_eq!(sent, 5);
    hidden("the trace", &trace.text());
    let log = logged();
    assert!(log.contains("starting new connection"), "the client was listened to");
    hidden("the log", &log);
}
