use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mediaflow_core::{Error, Result, async_trait};
use mediaflow_remote::aws::{Certificate, Fetch, SnsKind};
use mediaflow_remote::{Receiver as _, RemoteState, Sns};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::certificates::Made;
use super::common::{SECONDS, Sent, at};

pub(crate) const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:media";

/// A certificate and messages, signed by Python's `cryptography`: of both versions, and of all types.
const PEM: &[u8] = include_bytes!("../fixtures/sns.pem");
const MESSAGES: &str = include_str!("../fixtures/sns.json");

/// Amazon: gives the certificate, and takes confirmations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Amazon {
    pub(crate) asked: Arc<AtomicUsize>,
    pub(crate) confirmed: Arc<AtomicUsize>,
    /// It answers when this is told.
    held: Option<Arc<Notify>>,
    /// It gives something else.
    other: Option<(u16, Vec<u8>)>,
}

#[async_trait]
impl Fetch for Amazon {
    async fn fetch(&self, url: &str) -> Result<(u16, Vec<u8>)> {
        if let Some(held) = &self.held {
            held.notified().await;
        }
        if url.contains("ConfirmSubscription") {
            self.confirmed.fetch_add(1, Ordering::SeqCst);
            return Ok((200, Vec::new()));
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        match &self.other {
            Some((0, _)) => {
                Err(Error::transient("http.connect", "the server could not be reached"))
            }
            Some(other) => Ok(other.clone()),
            None => Ok((200, PEM.to_vec())),
        }
    }
}

impl Amazon {
    fn giving(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { other: Some((status, body.into())), ..Self::default() }
    }
}

pub(crate) fn receiver(amazon: &Amazon) -> Sns {
    Sns::fetching_with(TOPIC, amazon.clone()).unwrap()
}

pub(crate) fn message(name: &str) -> Value {
    serde_json::from_str::<Value>(MESSAGES).unwrap()[name].take()
}

pub(crate) fn sent(message: &Value) -> Sent {
    let headers =
        [("x-amz-sns-message-type", "Notification"), ("content-type", "text/plain; charset=UTF-8")];
    Sent::new(&headers, message.to_string())
}

#[tokio::test]
async fn encoders_are_read_out_of_their_messages() {
    let sns = receiver(&Amazon::default());
    let sent_convert = sent(&message("media_convert"));
    let update = sent_convert.update(&sns).await;
    assert_eq!(update.key(), "mediaconvert/1539811467866-e3xcm1");
    assert_eq!((update.state, &update.pass_through["album"]), (RemoteState::Finished, &json!("7")));
    let [file, stream, playlist] = update.outputs.as_slice() else { panic!("{update:?}") };
    assert_eq!((file.id.as_deref(), file.format.as_deref()), (Some("0/0"), Some("mp4")));
    assert_eq!((file.width, file.duration_ms), (Some(1280), Some(5130)));
    assert_eq!(stream.url.as_deref(), Some("s3://bucket/hls/cat_1.m3u8"));
    assert_eq!(playlist.url.as_deref(), Some("s3://bucket/hls/cat.m3u8"));
    let key = sent_convert.replay_key(&sns).await;
    assert_eq!(key, "sns/22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324");

    let update = sent(&message("elastic_transcoder")).update(&sns).await;
    assert_eq!(update.key(), "elastictranscoder/1358797323-a1b2c3");
    assert_eq!(update.state, RemoteState::Failed);
    assert_eq!(update.error.as_ref().unwrap().code, "4000");
    assert_eq!(update.outputs[0].url.as_deref(), Some("out/cat.mp4"));
    assert_eq!(update.outputs[0].duration_ms, Some(5130));
}

#[tokio::test]
async fn all_types_and_both_versions_are_verified() {
    let amazon = Amazon::default();
    let sns = receiver(&amazon);
    for (name, kind) in [
        ("confirmation", "Subscription"),
        ("farewell", "Unsubscription"),
        ("media_convert", "Notification"),
        ("elastic_transcoder", "Notification"),
        ("words", "Notification"),
    ] {
        let verified = sent(&message(name)).to(&sns).await.unwrap();
        assert_eq!(format!("{:?}", verified.message.kind), kind, "{name}");
        sns.settle(&verified.message).await.unwrap();
        let strict = receiver(&Amazon::default()).only_version_2();
        let version_1 = message(name)["SignatureVersion"] == "1";
        assert_eq!(sent(&message(name)).to(&strict).await.is_err(), version_1, "{name}");
    }
    assert_eq!(amazon.confirmed.load(Ordering::SeqCst), 1, "one subscription was confirmed");
    assert_eq!(amazon.asked.load(Ordering::SeqCst), 1, "the certificate is kept");
}

#[tokio::test]
async fn whatever_is_signed_is_looked_at() {
    let sns = receiver(&Amazon::default());
    for name in ["confirmation", "farewell", "media_convert", "elastic_transcoder", "words"] {
        let whole = message(name);
        for field in [
            "Message",
            "MessageId",
            "Subject",
            "Timestamp",
            "Type",
            "Token",
            "SubscribeURL",
            "Signature",
        ] {
            let Some(text) = whole.get(field).and_then(Value::as_str) else { continue };
            let mut other = whole.clone();
            other[field] = match field {
                "Timestamp" => text.replace(":30.", ":31."),
                "Type" => "Notification".into(),
                "Token" => format!("{text}0"),
                _ => format!("{text}x"),
            }
            .into();
            if other != whole {
                let error = sent(&other).to(&sns).await.unwrap_err();
                let refused = ["webhook.signature", "remote.address", "remote.body"];
                assert!(refused.contains(&error.code()), "{name} {field}: {error:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_signed_is_not_asked_for() {
    let mut renamed = message("media_convert");
    // As functions are given it.
    let url = renamed.as_object_mut().unwrap().remove("SigningCertURL").unwrap();
    (renamed["SigningCertUrl"], renamed["UnsubscribeURL"]) = (url, "https://evil.example/".into());
    renamed["Subject"] = Value::Null;
    sent(&renamed).to(&receiver(&Amazon::default())).await.unwrap();
}

#[tokio::test]
async fn nothing_is_fetched_for_what_can_be_refused_without() {
    let amazon = Amazon::default();
    let sns = receiver(&amazon);
    let whole = message("confirmation");
    let with = |field: &str, value: Value| {
        let mut other = whole.clone();
        other[field] = value;
        sent(&other)
    };
    let cases = [
        (sent(&whole).at(SECONDS + 65 * 60 + 1), "webhook.timestamp"),
        (sent(&whole).at(SECONDS - 301), "webhook.timestamp"),
        (with("Timestamp", "yesterday".into()), "webhook.timestamp"),
        (with("TopicArn", format!("{TOPIC}2").into()), "remote.topic"),
        (with("SigningCertURL", "https://evil.example/x.pem".into()), "remote.address"),
        (
            with("SigningCertURL", "https://sns.eu-central-1.amazonaws.com/x.pem".into()),
            "remote.address",
        ),
        (with("SubscribeURL", "http://169.254.169.254/".into()), "remote.address"),
        (with("Type", "Other".into()), "remote.body"),
        (with("MessageId", "a\nSubject\nb".into()), "remote.body"),
        (with("MessageId", "".into()), "remote.body"),
        (with("Token", Value::Null), "remote.body"),
        (sent(&json!({ "Type": "Notification" })), "remote.body"),
        (sent(&whole).with_body("not json"), "remote.body"),
        (sent(&whole).with_body(vec![b' '; (512 << 10) + 1]), "limit.call_bytes"),
    ];
    for (sent, code) in cases {
        assert_eq!(sent.refusal(&sns).await, code);
    }
    let mut raw = sent(&whole);
    raw.headers.push(("x-amz-sns-rawdelivery".into(), "true".into()));
    assert_eq!(raw.refusal(&sns).await, "webhook.header");
    // The same field twice: who reads the first and who reads the last would not see the same.
    let twice = whole.to_string().replacen('{', &format!("{{\"TopicArn\": \"{TOPIC}\", "), 1);
    assert_eq!(sent(&whole).with_body(twice).refusal(&sns).await, "remote.body");
    assert_eq!(amazon.asked.load(Ordering::SeqCst), 0);
    assert_eq!(amazon.confirmed.load(Ordering::SeqCst), 0);
    for wrong in
        ["", "media", "arn:aws:sqs:eu-central-1:123456789012:media", "arn:aws:sns::1:media"]
    {
        assert_eq!(Sns::topic(wrong).unwrap_err().code(), "remote.topic", "{wrong}");
    }
}

/// Lines of what is signed could be read in several ways.
#[tokio::test]
async fn a_message_can_not_be_cut_in_another_place() {
    let amazon = Amazon::default();
    let mut cut = message("elastic_transcoder");
    let (text, id) = (cut["Message"].as_str().unwrap().to_owned(), cut["MessageId"].clone());
    let subject = cut["Subject"].as_str().unwrap().to_owned();
    cut["Message"] = text.split_at(5).0.into();
    cut["Subject"] =
        format!("{}\nMessageId\n{}\nSubject\n{subject}", text.split_at(5).1, id).into();
    assert_eq!(sent(&cut).refusal(&receiver(&amazon)).await, "remote.body");
}

#[tokio::test]
async fn many_messages_fetch_a_certificate_once() {
    let held = Arc::new(Notify::new());
    let amazon = Amazon { held: Some(Arc::clone(&held)), ..Amazon::default() };
    let sns = receiver(&amazon);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let sns = sns.clone();
            tokio::spawn(async move { sent(&message("words")).to(&sns).await.is_ok() })
        })
        .collect();
    tokio::task::yield_now().await;
    held.notify_one();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    assert_eq!(amazon.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_certificate_that_can_not_be_had_is_asked_for_again_later() {
    for (amazon, status) in [
        (Amazon::giving(0, ""), 503),
        (Amazon::giving(503, ""), 503),
        (Amazon::giving(429, ""), 503),
        (Amazon::giving(302, ""), 503),
        (Amazon::giving(404, ""), 403),
        (Amazon::giving(200, "no certificate"), 403),
        (Amazon::giving(200, vec![b'x'; 20_000]), 403),
    ] {
        let sns = receiver(&amazon);
        for _ in 0..3 {
            let error = sent(&message("words")).to(&sns).await.unwrap_err();
            assert_eq!(error.code(), "remote.certificate");
            assert_eq!(mediaflow_remote::status_of(&error), status, "{error:?}");
        }
        assert_eq!(amazon.asked.load(Ordering::SeqCst), 1, "not each time");
        sent(&message("words")).at(SECONDS + 12).to(&sns).await.unwrap_err();
        assert_eq!(amazon.asked.load(Ordering::SeqCst), 2, "but later");
    }
}

#[tokio::test]
async fn a_flood_of_forged_addresses_does_not_displace_the_true_one() {
    let amazon = Amazon::default();
    let sns = receiver(&amazon);
    sent(&message("words")).to(&sns).await.unwrap();
    for n in 0..200 {
        let mut forged = message("words");
        forged["SigningCertURL"] = format!(
            "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-{n:032x}.pem"
        )
        .into();
        // Amazon would not know them; this one gives its own for each, so the signature fits.
        let _ = sent(&forged).to(&sns).await;
    }
    let asked = amazon.asked.load(Ordering::SeqCst);
    assert_eq!(asked, 201);
    let forger = Amazon::giving(404, "");
    let sns = receiver(&forger);
    for n in 0..200 {
        let mut forged = message("words");
        forged["SigningCertURL"] = format!(
            "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-{n:032x}.pem"
        )
        .into();
        assert_eq!(sent(&forged).refusal(&sns).await, "remote.certificate");
    }
}

#[test]
fn a_certificate_is_amazons_and_valid_now() {
    let whole = Certificate::from_pem(PEM).unwrap();
    assert!(whole.is_valid(at(SECONDS)));
    let valid = Made::default();
    Certificate::from_pem(&valid.pem()).unwrap();
    Certificate::from_pem(&Made { name: "sns.cn-north-1.amazonaws.com.cn", ..valid }.pem())
        .unwrap();
    for wrong in [
        Made { name: "evil.example", ..valid },
        Made { name: "sns.amazonaws.com.evil.example", ..valid },
        Made { name: "", ..valid },
        Made { names: 0, ..valid },
        Made { names: 2, ..valid },
        Made { rsa: false, ..valid },
        Made { from: "20260101000000", ..valid },
        Made { from: "261301000000Z", ..valid },
        Made { more: true, ..valid },
    ] {
        let error = Certificate::from_pem(&wrong.pem()).unwrap_err();
        assert_eq!(error.code(), "remote.certificate", "{wrong:?}");
    }
    // In four digits, and in two of the century before.
    let long = Certificate::from_pem(&Made { until: "21260101000000Z", ..valid }.pem()).unwrap();
    assert!(long.is_valid(at(SECONDS)));
    let old = Made { from: "990101000000Z", until: "000101000000Z", ..valid };
    assert!(!Certificate::from_pem(&old.pem()).unwrap().is_valid(at(SECONDS)));
    for junk in [
        &b""[..],
        b"-----BEGIN CERTIFICATE-----",
        b"\xff",
        b"-----BEGIN CERTIFICATE-----!-----END CERTIFICATE-----",
    ] {
        assert!(Certificate::from_pem(junk).is_err());
    }
    // Cut or changed at each place, it is read or refused, and nothing else.
    for at in 0..PEM.len() {
        let _ = Certificate::from_pem(&PEM[..at]);
        let mut other = PEM.to_vec();
        other[at] ^= 1;
        let _ = Certificate::from_pem(&other);
    }
}

#[tokio::test]
async fn an_expired_certificate_proves_nothing() {
    let sns =
        receiver(&Amazon::giving(200, Made { until: "260401000000Z", ..Made::default() }.pem()));
    assert_eq!(sent(&message("words")).refusal(&sns).await, "remote.certificate");
    // A key of somebody else's, in a certificate that could be Amazon's.
    let sns = receiver(&Amazon::giving(200, Made::default().pem()));
    assert_eq!(sent(&message("words")).refusal(&sns).await, "webhook.signature");
    let kind = sent(&message("confirmation"))
        .to(&receiver(&Amazon::default()))
        .await
        .unwrap()
        .message
        .kind;
    assert!(matches!(&kind, SnsKind::Subscription { url } if url.contains("Token=")));
    assert!(!format!("{kind:?}").contains("Token="), "the token is a secret");
}
