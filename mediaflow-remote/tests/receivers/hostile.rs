//! What is nearly right: 10,000 changed call-backs for each receiver. None is accepted that says something else.

use mediaflow_core::{Clock as _, SystemClock};
use mediaflow_remote::aws::EventBridge;
use mediaflow_remote::{Call, Receiver, Sns, Verified};
use proptest::prelude::{any, proptest};
use serde_json::{Value, json};

use super::common::{SECONDS, Sent, at};
use super::sns::Amazon;
use super::{cloudinary, sns, standard, tencent, zencoder};

const ROUNDS: usize = 10_000;

/// A valid call-back, with something changed.
fn changed(whole: &Sent, random: &mut fastrand::Rng) -> Sent {
    let mut sent = whole.clone();
    let headers = sent.headers.len();
    match random.u8(..if headers == 0 { 5 } else { 10 }) {
        0 => {
            let at = random.usize(..sent.body.len());
            sent.body[at] ^= 1 << random.u8(..8);
        }
        1 => sent.body.truncate(random.usize(..sent.body.len())),
        2 => {
            let at = random.usize(..=sent.body.len());
            sent.body.insert(at, random.u8(..));
        }
        3 => {
            let (from, to) = (random.usize(..sent.body.len()), random.usize(..sent.body.len()));
            sent.body.swap(from, to);
        }
        4 => {
            let hours = random.u64(3..1_000_000);
            let past = random.bool() && hours * 3600 < SECONDS;
            let seconds = if past { SECONDS - hours * 3600 } else { SECONDS + hours * 3600 };
            sent.now = at(seconds);
        }
        5 => {
            let value = &mut sent.headers[random.usize(..headers)].1;
            let mut bytes = value.clone().into_bytes();
            let at = random.usize(..bytes.len());
            bytes[at] ^= 1 << random.u8(..7);
            *value = String::from_utf8_lossy(&bytes).into_owned();
        }
        6 => {
            let value = &mut sent.headers[random.usize(..headers)].1;
            value.truncate(random.usize(..value.len()));
        }
        7 => {
            sent.headers.remove(random.usize(..headers));
        }
        8 => {
            let (from, to) = (random.usize(..headers), random.usize(..headers));
            let value = sent.headers[from].1.clone();
            sent.headers[from].1 = std::mem::replace(&mut sent.headers[to].1, value);
        }
        _ => {
            let header = sent.headers[random.usize(..headers)].clone();
            sent.headers.push((header.0, format!("{}x", header.1)));
        }
    }
    sent
}

/// Sends changed call-backs. What is the same, or says the same, may be accepted.
async fn try_all<R: Receiver>(
    receiver: &R,
    whole: &Sent,
    harmless: impl Fn(&Sent, &Verified<R>) -> bool,
) {
    let mut random = fastrand::Rng::with_seed(4711);
    whole.to(receiver).await.unwrap();
    let mut refused = 0;
    for round in 0..ROUNDS {
        let sent = changed(whole, &mut random);
        let same =
            sent.headers == whole.headers && sent.body == whole.body && sent.now == whole.now;
        match sent.to(receiver).await {
            Err(error) => {
                assert!((400..500).contains(&mediaflow_remote::status_of(&error)), "{error:?}");
                assert!(!same, "round {round}: {error:?}");
                refused += 1;
            }
            Ok(verified) => {
                let harmless = same || harmless(&sent, &verified);
                let body = String::from_utf8_lossy(&sent.body);
                assert!(harmless, "round {round} is accepted: {:?}\n{body}", sent.headers);
            }
        }
    }
    assert!(refused > ROUNDS / 3, "{refused} were refused");
}

#[tokio::test]
async fn standard_webhooks() {
    let whole = standard::sent(&standard::completed());
    try_all(&standard::receiver(), &whole, |_, _| false).await;
}

#[tokio::test]
async fn cloudinarys_notifications() {
    let whole = cloudinary::sent(&cloudinary::eager());
    try_all(&cloudinary::receiver(), &whole, |_, _| false).await;
}

#[tokio::test]
async fn messages_of_sns() {
    let receiver = sns::receiver(&Amazon::default());
    // Its headers are not signed, nor is where one unsubscribes, nor is space between what is signed.
    let says = |it: &Verified<Sns>| format!("{it:?}");
    for name in ["media_convert", "elastic_transcoder"] {
        let whole = sns::sent(&sns::message(name));
        let said = says(&whole.to(&receiver).await.unwrap());
        try_all(&receiver, &whole, |sent, told| sent.now == whole.now && says(told) == said).await;
    }
}

/// The body is not signed: only `Sign`, `T` and the time decide, and what is read is a hint.
#[tokio::test]
async fn tencents_notifications() {
    let whole = tencent::sent(&tencent::changed());
    let proof = |body: &[u8]| {
        let body: Value = serde_json::from_slice(body).unwrap();
        (body["Sign"].clone(), body["T"].clone())
    };
    let given = proof(&whole.body);
    let receiver = tencent::receiver();
    let harmless = |sent: &Sent, verified: &Verified<mediaflow_remote::Tencent>| {
        let update = mediaflow_remote::Notification::update(&verified.message);
        let hint = update.is_none_or(|update| update.hint);
        hint && sent.now == whole.now && proof(&sent.body) == given
    };
    try_all(&receiver, &whole, harmless).await;
}

/// The body is not signed: the secret decides.
#[tokio::test]
async fn calls_with_a_secret() {
    let whole = zencoder::sent(&zencoder::ended());
    let harmless = |sent: &Sent, whole: &Sent| sent.headers == whole.headers;
    try_all(&zencoder::receiver(), &whole, |sent, _| harmless(sent, &whole)).await;
    let bridge = EventBridge::new("x-api-key", "koro").unwrap();
    let body = sns::message("media_convert")["Message"].as_str().unwrap().to_owned();
    let whole = Sent::new(&[("x-api-key", "koro")], body);
    assert_eq!(whole.update(&bridge).await.key(), "mediaconvert/1539811467866-e3xcm1");
    assert_eq!(whole.replay_key(&bridge).await, "eventbridge/1a2b");
    try_all(&bridge, &whole, |sent, _| harmless(sent, &whole)).await;
}

/// What every receiver makes of a body that is huge, nested, or nothing, its sender being known.
#[tokio::test]
async fn bodies_that_are_no_notifications() {
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let huge = format!("\"{}\"", "x".repeat(1 << 20));
    let zencoder = zencoder::receiver();
    for (body, code) in [
        ("", "remote.body"),
        ("null", "remote.body"),
        ("{", "remote.body"),
        ("\u{feff}{}", "remote.body"),
        (&nested, "remote.body"),
        (&objects, "remote.body"),
        (&huge, "limit.call_bytes"),
    ] {
        let sent = zencoder::sent(&json!({})).with_body(body);
        assert_eq!(sent.refusal(&zencoder).await, code, "{}", &body[..body.len().min(20)]);
        let sns = sns::receiver(&Amazon::default());
        let sent = sns::sent(&json!({})).with_body(body);
        assert!(["remote.body", "limit.call_bytes"].contains(&sent.refusal(&sns).await.as_str()));
    }
    for error in [b"\xff\xfe".as_slice(), b"{\"job\": \"\xff\"}"] {
        let sent = zencoder::sent(&json!({})).with_body(error);
        assert_eq!(sent.refusal(&zencoder).await, "remote.body");
    }
}

/// Some JSON that looks like what vendors send.
fn any_json() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let names = prop::sample::select(vec![
        "job",
        "id",
        "state",
        "output",
        "outputs",
        "input",
        "eager",
        "error",
        "detail",
        "source",
        "status",
        "jobId",
        "pipelineId",
        "outputGroupDetails",
        "outputDetails",
        "outputFilePaths",
        "Type",
        "TranscodeTask",
        "Output",
        "EventType",
        "ProcedureStateChangeEvent",
        "TaskId",
        "MediaProcessResultSet",
        "width",
        "duration",
        "data",
        "type",
        "report",
        "batch_id",
        "notification_type",
        "FileUploadEvent",
        "FileId",
        "Response",
        "EventSet",
        "EventHandle",
    ]);
    let words = prop::sample::select(vec![
        "finished",
        "failed",
        "eager",
        "sprite",
        "aws.mediaconvert",
        "COMPLETE",
        "FINISH",
        "ProcedureStateChanged",
        "NewFileUpload",
        "job.completed",
        "17",
        "-1",
        "NaN",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        words.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..6).prop_map(|fields| {
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #[test]
    fn whatever_a_known_sender_says_is_read_or_refused(body in any_json()) {
        now(async {
            let _ = zencoder::sent(&body).to(&zencoder::receiver()).await;
            let _ = standard::sent(&body).to(&standard::receiver()).await;
            let _ = cloudinary::sent(&body).to(&cloudinary::receiver()).await;
            let bridge = EventBridge::new("x-api-key", "koro").unwrap();
            let _ = Sent::new(&[("x-api-key", "koro")], body.to_string()).to(&bridge).await;
            if body.is_object() {
                let _ = tencent::sent(&body).to(&tencent::receiver()).await;
            }
            let _ = mediaflow_remote::tencent::pulled(body.to_string().as_bytes());
        });
    }

    #[test]
    fn whatever_a_stranger_sends_is_refused(body in any::<Vec<u8>>(), name in any::<String>(), value in any::<String>()) {
        now(async {
            let moment = SystemClock::default().now();
            let call = Call::new([(name.as_str(), value.as_str())], &body, moment);
            assert!(zencoder::receiver().receive(&call).await.is_err());
            assert!(standard::receiver().receive(&call).await.is_err());
            assert!(cloudinary::receiver().receive(&call).await.is_err());
            assert!(tencent::receiver().receive(&call).await.is_err());
            assert!(sns::receiver(&Amazon::default()).receive(&call).await.is_err());
        });
    }
}
