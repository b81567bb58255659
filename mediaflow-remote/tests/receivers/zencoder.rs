use mediaflow_remote::zencoder::SECRET;
use mediaflow_remote::{RemoteState, Zencoder};
use serde_json::{Value, json};

use super::common::Sent;

pub(crate) fn receiver() -> Zencoder {
    Zencoder::new("koro").unwrap()
}

pub(crate) fn sent(body: &Value) -> Sent {
    Sent::new(&[(SECRET, "koro")], body.to_string())
}

pub(crate) fn ended() -> Value {
    json!({
        "job": { "id": 17, "state": "finished", "pass_through": "album-7", "test": false },
        "input": { "state": "finished", "duration_in_ms": 5067, "width": 1280, "height": 720 },
        "outputs": [
            { "id": 71, "label": "web", "url": "https://bucket.s3.amazonaws.com/web.mp4", "state": "finished",
              "format": "mpeg4", "width": 1280, "height": 720, "file_size_in_bytes": 372_613, "duration_in_ms": 5130,
              "md5_checksum": "7f106918e02a69466afa0ee014174143", "total_bitrate_in_kbps": 581 },
            { "id": 72, "label": "small", "url": "https://bucket.s3.amazonaws.com/small.mp4", "state": "finished",
              "format": "mpeg4", "width": 640, "height": 360, "file_size_bytes": "92261", "md5_checksum": null },
        ],
    })
}

#[tokio::test]
async fn a_job_that_has_ended() {
    let update = sent(&ended()).update(&receiver()).await;
    assert_eq!((update.key().as_str(), update.state), ("zencoder/17", RemoteState::Finished));
    assert_eq!((update.pass_through.as_str(), update.hint), (Some("album-7"), false));
    let [web, small] = update.outputs.as_slice() else { panic!("{update:?}") };
    assert_eq!((web.id.as_deref(), web.label.as_deref()), (Some("71"), Some("web")));
    assert_eq!(
        (web.format.as_deref(), web.width, web.height),
        (Some("mp4"), Some(1280), Some(720))
    );
    assert_eq!((web.bytes, web.duration_ms), (Some(372_613), Some(5130)));
    assert_eq!(web.md5.as_deref(), Some("7f106918e02a69466afa0ee014174143"));
    // The other spelling, and a number as a text.
    assert_eq!((small.bytes, small.md5.as_deref()), (Some(92_261), None));
}

#[tokio::test]
async fn ids_are_numbers_or_texts_and_outputs_come_one_by_one() {
    let body = json!({
        "job": { "id": "17", "state": "processing" },
        "output": { "label": "web", "url": "s3://bucket/web.mp4", "state": "finished", "id": "71" },
    });
    let one = sent(&body);
    let update = one.update(&receiver()).await;
    assert_eq!((update.key().as_str(), update.state), ("zencoder/17", RemoteState::Processing));
    assert_eq!(update.outputs.len(), 1);
    assert_eq!(one.replay_key(&receiver()).await, "zencoder/17/processing/71/finished");
    assert_eq!(sent(&ended()).replay_key(&receiver()).await, "zencoder/17/finished");
}

#[tokio::test]
async fn what_failed_says_why() {
    let of_input = json!({
        "job": { "id": 17, "state": "failed" },
        "input": { "state": "failed", "error_class": "NoVideo", "error_message": "there is none" },
        "outputs": [{ "id": 71, "state": "cancelled" }],
    });
    let update = sent(&of_input).update(&receiver()).await;
    let error = update.error.unwrap();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("NoVideo", "there is none"));
    assert_eq!(update.outputs[0].state, RemoteState::Cancelled);
    let of_output = json!({
        "job": { "id": 17, "state": "failed" },
        "outputs": [{ "id": 71, "state": "failed", "error_class": "UploadError" }],
    });
    let update = sent(&of_output).update(&receiver()).await;
    assert_eq!(update.error.unwrap().code, "UploadError");
}

#[tokio::test]
async fn what_has_no_secret_or_no_job_is_refused() {
    let body = ended().to_string();
    for headers in [
        &[][..],
        &[(SECRET, "")],
        &[(SECRET, "kor")],
        &[(SECRET, "koro ")],
        &[(SECRET, "KORO")],
        &[(SECRET, "guess"), (SECRET, "koro")],
        &[("x-other", "koro")],
    ] {
        let sent = Sent::new(headers, body.clone());
        assert_eq!(sent.refusal(&receiver()).await, "webhook.signature", "{headers:?}");
    }
    for wrong in [
        json!({}),
        json!([]),
        json!({ "job": 17 }),
        json!({ "job": { "state": "finished" } }),
        json!({ "job": { "id": 17 } }),
        json!({ "job": { "id": "a\nb", "state": "finished" } }),
        json!({ "job": { "id": "x".repeat(161), "state": "finished" } }),
    ] {
        assert_eq!(sent(&wrong).refusal(&receiver()).await, "remote.body", "{wrong}");
    }
    let other = Zencoder::with_header("X-Hook", "old").unwrap().also("new").unwrap();
    for secret in ["old", "new"] {
        Sent::new(&[("x-hook", secret)], body.clone()).to(&other).await.unwrap();
    }
    assert!(!format!("{other:?}").contains("old"));
}
