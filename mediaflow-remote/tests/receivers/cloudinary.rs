use mediaflow_remote::cloudinary::{Algorithm, SIGNATURE, Signer, TIMESTAMP};
use mediaflow_remote::{Cloudinary, RemoteState};
use serde_json::{Value, json};

use super::common::{SECONDS, Sent};

pub(crate) fn receiver() -> Cloudinary {
    Cloudinary::new("api-secret", Algorithm::Sha1).unwrap()
}

pub(crate) fn sent(body: &Value) -> Sent {
    signed(&body.to_string(), Algorithm::Sha1)
}

fn signed(body: &str, algorithm: Algorithm) -> Sent {
    let signature = Signer::new("api-secret", algorithm).unwrap().sign(body.as_bytes(), SECONDS);
    Sent::new(&[(TIMESTAMP, &SECONDS.to_string()), (SIGNATURE, &signature)], body)
}

pub(crate) fn eager() -> Value {
    json!({
        "notification_type": "eager", "batch_id": "8a1fb7", "public_id": "sample", "eager": [
            { "transformation": "c_fit,w_400", "width": 400, "height": 300, "bytes": 23_510, "format": "jpg",
              "url": "http://res.cloudinary.com/demo/a.jpg", "secure_url": "https://res.cloudinary.com/demo/a.jpg" },
            { "status": "failed", "reason": "Invalid image file", "public_id": "sample" },
        ],
    })
}

#[tokio::test]
async fn each_type_that_has_made_something_is_read() {
    let update = sent(&eager()).update(&receiver()).await;
    assert_eq!((update.key().as_str(), update.state), ("cloudinary/8a1fb7", RemoteState::Finished));
    let [made, failed] = update.outputs.as_slice() else { panic!("two outputs") };
    assert_eq!(made.url.as_deref(), Some("https://res.cloudinary.com/demo/a.jpg"));
    assert_eq!((made.width, made.bytes), (Some(400), Some(23_510)));
    assert_eq!(failed.error.as_ref().unwrap().message, "Invalid image file");
    // As it was sent in 2013, without a type.
    let upload = json!({
        "public_id": "djrxx", "version": 1_358_797_323, "width": 864, "height": 576, "format": "jpg",
        "resource_type": "image", "created_at": "2013-01-21T19:42:03Z", "bytes": 120_253, "type": "upload",
        "url": "http://res.cloudinary.com/demo/image/upload/v1358797323/djrxx.jpg",
    });
    let update = sent(&upload).update(&receiver()).await;
    assert_eq!((update.key().as_str(), update.outputs[0].height), ("cloudinary/djrxx", Some(576)));
    let sprite = json!({
        "notification_type": "sprite", "batch_id": "b2", "image_url": "http://c/s.png", "css_url": "http://c/s.css",
        "secure_css_url": "https://c/s.css", "json_url": "http://c/s.json", "image_infos": {},
    });
    let update = sent(&sprite).update(&receiver()).await;
    let labels: Vec<_> =
        update.outputs.iter().map(|output| output.label.as_deref().unwrap()).collect();
    assert_eq!(labels, ["image", "css", "json"]);
    assert_eq!(update.outputs[1].url.as_deref(), Some("https://c/s.css"));
    let lost = json!({ "notification_type": "explode", "batch_id": "b3", "error": { "message": "no pages" } });
    let update = sent(&lost).update(&receiver()).await;
    assert_eq!(
        (update.state, update.error.unwrap().message.as_str()),
        (RemoteState::Failed, "no pages")
    );
    let deleted = sent(&json!({ "notification_type": "delete", "resources": [] }));
    let message = deleted.to(&receiver()).await.unwrap().message;
    assert!(message.update.is_none() && message.kind == "delete");
}

/// Computed by the vendor's own library, as the vectors of `mediaflow-sign`.
#[tokio::test]
async fn the_vendors_vectors_are_verified() {
    let body =
        r#"{"public_id":"b8sjhoslj8cq8ovoa0ma","version":"1555337587","width":1000,"height":800}"#;
    let both = receiver().also("api-secret", Algorithm::Sha256).unwrap();
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256] {
        assert_eq!(signed(body, algorithm).update(&both).await.job_id, "b8sjhoslj8cq8ovoa0ma");
    }
    assert_eq!(signed(body, Algorithm::Sha256).refusal(&receiver()).await, "webhook.signature");
    // The vendor's first vector is no JSON: verified, and then refused.
    let headers =
        [(TIMESTAMP, "1315060510"), (SIGNATURE, "25f7e91709c858b97d688ce8da799dedb290d9ef")];
    let vector = Sent::new(&headers, "{public_id: 'sample'}").at(1_315_060_511);
    let abcd = Cloudinary::new("abcd", Algorithm::Sha1).unwrap();
    assert_eq!(vector.refusal(&abcd).await, "remote.body");
}

#[tokio::test]
async fn a_digit_that_is_moved_to_the_body_is_found_out() {
    let sent = sent(&json!({ "public_id": "a" }));
    let stamp = SECONDS.to_string();
    let mut moved = sent.clone();
    moved.body.push(stamp.as_bytes()[0]);
    moved.headers[0].1 = stamp[1..].to_owned();
    assert_eq!(moved.clone().refusal(&receiver()).await, "webhook.timestamp");
    // A zero before it makes ten digits again, and another hash.
    moved.headers[0].1 = format!("0{}", &stamp[1..]);
    assert_eq!(
        moved.at(SECONDS - 1_000_000_000 + 1).refusal(&receiver()).await,
        "webhook.signature"
    );
}

#[tokio::test]
async fn what_is_old_from_the_future_or_signed_otherwise_is_refused() {
    let whole = sent(&eager());
    whole.clone().at(SECONDS + 7200).to(&receiver()).await.unwrap();
    whole.clone().at(SECONDS - 300).to(&receiver()).await.unwrap();
    for now in [SECONDS + 7201, SECONDS - 301] {
        assert_eq!(whole.clone().at(now).refusal(&receiver()).await, "webhook.timestamp");
    }
    let mut upper = whole.clone();
    upper.headers[1].1 = upper.headers[1].1.to_ascii_uppercase();
    assert_eq!(upper.refusal(&receiver()).await, "webhook.signature");
    for stamp in ["", "1e9", "+177789003", "17778900300", "177789003x"] {
        let mut wrong = whole.clone();
        stamp.clone_into(&mut wrong.headers[0].1);
        assert_eq!(wrong.refusal(&receiver()).await, "webhook.timestamp", "{stamp}");
    }
    let mut newer = whole.clone();
    newer.headers = vec![("X-Cld-Signature_v2".into(), "abc".into())];
    let error = newer.to(&receiver()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.fact("header")),
        ("webhook.header", Some("x-cld-signature_v2"))
    );
    let mut twice = whole;
    twice.headers.push(twice.headers[1].clone());
    assert_eq!(twice.refusal(&receiver()).await, "webhook.header");
}
