use mediaflow_remote::standard::{ID, SIGNATURE, Signer, TIMESTAMP};
use mediaflow_remote::{RemoteState, RemoteUpdate, Standard};
use serde_json::{Value, json};

use super::common::{SECONDS, Sent};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) fn receiver() -> Standard {
    Standard::new(SECRET).unwrap()
}

pub(crate) fn sent(body: &Value) -> Sent {
    let body = body.to_string();
    let signature = Signer::new(SECRET).unwrap().sign("msg_1", SECONDS, body.as_bytes());
    let stamp = SECONDS.to_string();
    Sent::new(&[(ID, "msg_1"), (TIMESTAMP, &stamp), (SIGNATURE, &signature)], body)
}

pub(crate) fn completed() -> Value {
    json!({
        "type": "job.completed", "timestamp": "2026-05-04T10:20:30.000Z",
        "data": { "severity": "info", "job": "0199c8f0-0000-7000-8000-000000000001", "metadata": { "album": 7 },
            "report": { "state": "partial", "outputs": [
                { "output": "public/cat.mp4", "state": "published", "format": "mp4", "bytes": 372_613, "width": 1280,
                  "height": 720, "duration": 5.13, "md5": "7f106918e02a69466afa0ee014174143" },
                { "output": "public/cat.jpg", "state": "failed", "bytes": 0, "width": 0, "height": 0,
                  "failure": { "kind": "input", "code": "image.truncated", "message": "the image ends too early" } },
            ] } },
    })
}

#[tokio::test]
async fn another_mediaflow_is_read() {
    let update = sent(&completed()).update(&receiver()).await;
    assert_eq!(update.key(), "standard/0199c8f0-0000-7000-8000-000000000001");
    assert_eq!((update.state, update.pass_through), (RemoteState::Finished, json!({ "album": 7 })));
    let [film, still] = update.outputs.as_slice() else { panic!("two outputs") };
    assert_eq!((film.duration_ms, film.bytes), (Some(5130), Some(372_613)));
    assert_eq!((still.state, still.bytes, still.width), (RemoteState::Failed, None, None));
    assert_eq!(still.error.as_ref().unwrap().code, "image.truncated");
    assert_eq!(sent(&completed()).replay_key(&receiver()).await, "standard/msg_1");
}

#[tokio::test]
async fn the_end_of_a_type_is_the_state_of_the_job_and_of_nothing_else() {
    for (kind, state) in [
        ("job.failed", Some(RemoteState::Failed)),
        ("job.cancelled", Some(RemoteState::Cancelled)),
        ("encode.succeeded", Some(RemoteState::Finished)),
        ("job.progress", Some(RemoteState::Processing)),
        ("job.retrying", Some(RemoteState::Processing)),
        ("step.failed", Some(RemoteState::Processing)),
        ("output.ready", Some(RemoteState::Processing)),
        ("delivery.failed", None),
        ("batch.completed", None),
    ] {
        let sent = sent(&json!({ "type": kind, "data": { "id": 17 } }));
        let update = sent.to(&receiver()).await.unwrap().message.update;
        assert_eq!(update.map(|update| update.state), state, "{kind}");
    }
    let without_job = sent(&json!({ "type": "job.failed", "data": { "user": 1 } }));
    assert!(without_job.to(&receiver()).await.unwrap().message.update.is_none());
}

#[tokio::test]
async fn a_host_reads_what_it_knows_better() {
    let acme = receiver().provider("acme").read_with(|kind, data| {
        let id = data["asset"]["id"].as_str()?;
        (kind == "video.asset.ready").then(|| RemoteUpdate::new("?", id, RemoteState::Finished))
    });
    let sent = sent(&json!({ "type": "video.asset.ready", "data": { "asset": { "id": "a1" } } }));
    assert_eq!(sent.update(&acme).await.key(), "acme/a1");
    assert_eq!(sent.replay_key(&acme).await, "acme/msg_1");
}

/// The published vector.
#[tokio::test]
async fn the_vector_is_verified_and_nothing_near_it() {
    let vector = |key: &str, signature: &str, body: &str| {
        let headers = [
            (ID, "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            (TIMESTAMP, "1614265330"),
            (SIGNATURE, signature),
        ];
        (Standard::new(key).unwrap(), Sent::new(&headers, body).at(1_614_265_331))
    };
    let (body, shared) = (r#"{"test": 2432232314}"#, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    let by_shared = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let by_pair = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
    for (key, signature) in [(shared, by_shared), (public, by_pair)] {
        let (receiver, sent) = vector(key, signature, body);
        // It is verified, and says nothing of a type.
        assert_eq!(sent.refusal(&receiver).await, "remote.body");
        let (receiver, other) = vector(key, signature, r#"{"test": 2432232315}"#);
        assert_eq!(other.refusal(&receiver).await, "webhook.signature");
        assert_eq!(sent.clone().at(1_614_265_631).refusal(&receiver).await, "webhook.timestamp");
        assert_eq!(sent.at(1_614_265_029).refusal(&receiver).await, "webhook.timestamp");
    }
}
