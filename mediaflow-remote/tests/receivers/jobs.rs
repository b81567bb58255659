//! From a call-back to the job that waits for it.

use mediaflow_core::spec::Pipeline;
use mediaflow_core::testing::{FakeEncode, FakeVendor, dot, soon};
use mediaflow_core::wait::Update;
use mediaflow_core::{Mediaflow, Timestamp};
use mediaflow_remote::standard::{ID, SIGNATURE, Signer, TIMESTAMP};
use mediaflow_remote::{
    Call, RemoteError, RemoteOutput, RemoteState, RemoteUpdate, Standard, answer,
};
use serde_json::json;

use super::common::{SECONDS, Sent, at};
use super::{cloudinary, tencent, zencoder};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn status<R: mediaflow_remote::Receiver>(
    receiver: &R,
    media: &Mediaflow,
    sent: &Sent,
) -> u16 {
    let headers = sent.headers.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    let answer = answer(receiver, media, &Call::new(headers, &sent.body, sent.now)).await;
    assert_eq!(answer.status >= 300 && answer.status != 404, answer.error.is_some(), "{answer:?}");
    answer.status
}

#[tokio::test]
async fn a_job_that_waits_is_told_once() {
    let vendor = FakeVendor::new();
    let media = Mediaflow::builder().storage("out", "memory:").with(vendor.operations());
    let media = media.start().await.unwrap();
    let film = Pipeline::from(dot()).output("out/a.gif", |dot| dot.then(FakeEncode::new("a")));
    let job = media.submit(film.build().unwrap()).await.unwrap();
    let begun = soon("hand-over", vendor.begun("a")).await;
    let (provider, id) = begun.key.split_once('/').unwrap();

    let receiver = Standard::new(SECRET).unwrap().provider(provider);
    let sign = |message: &str, kind: &str| {
        let body = json!({ "type": kind, "data": { "job_id": id } }).to_string();
        let signature = Signer::new(SECRET).unwrap().sign(message, SECONDS, body.as_bytes());
        let stamp = SECONDS.to_string();
        Sent::new(&[(ID, message), (TIMESTAMP, &stamp), (SIGNATURE, &signature)], body)
    };
    let failed = sign("msg_2", "encoding.failed");
    let forged = failed.clone().with_body(failed.body.repeat(2));
    assert_eq!(status(&receiver, &media, &forged).await, 401);
    assert_eq!(status(&receiver, &media, &failed.clone().at(SECONDS + 301)).await, 403);
    assert_eq!(status(&receiver, &media, &failed).await, 200);
    let report = soon("end", job.ended()).await.unwrap();
    assert_eq!(report.failure.unwrap().code, "vendor.failed");
    // It is sent again, because the answer was lost.
    assert_eq!(status(&receiver, &media, &failed).await, 200);
}

#[tokio::test]
async fn what_nobody_waits_for_is_kept_and_answered_as_its_sender_needs_it() {
    let media = Mediaflow::builder().start().await.unwrap();
    let zencoder = zencoder::receiver();
    let ended = zencoder::sent(&zencoder::ended());
    assert_eq!(status(&zencoder, &media, &ended).await, 404);
    assert_eq!(status(&zencoder, &media, &ended).await, 200);
    let eager = cloudinary::sent(&cloudinary::eager());
    assert_eq!(status(&cloudinary::receiver(), &media, &eager).await, 200);
    let changed = tencent::sent(&tencent::changed());
    assert_eq!(status(&tencent::receiver(), &media, &changed).await, 200);
    // Nothing of a job: there is nobody to tell.
    let upload = json!({ "EventType": "NewFileUpload", "FileUploadEvent": { "FileId": "5" } });
    assert_eq!(status(&tencent::receiver(), &media, &tencent::sent(&upload)).await, 200);
    for (body, code) in [("{}".to_owned(), 400), ("x".repeat((1 << 20) + 1), 413)] {
        assert_eq!(status(&zencoder, &media, &ended.clone().with_body(body)).await, code);
    }
    media.shutdown(std::time::Duration::from_secs(5)).await.unwrap();
    let later = zencoder::sent(&json!({ "job": { "id": 18, "state": "finished" } }));
    let code = status(&zencoder, &media, &later).await;
    assert!(matches!(code, 404 | 500 | 503), "{code}");
}

#[tokio::test]
async fn an_update_that_is_too_long_loses_its_outputs() {
    let media = Mediaflow::builder().start().await.unwrap();
    let outputs: Vec<_> = (0..4000)
        .map(|n| json!({ "id": n, "state": "finished", "url": format!("https://cdn.example/{n:0>60}.mp4") }))
        .collect();
    let body = json!({ "job": { "id": 17, "state": "finished" }, "outputs": outputs });
    let sent = zencoder::sent(&body);
    assert_eq!(status(&zencoder::receiver(), &media, &sent).await, 404);
    assert_eq!(status(&zencoder::receiver(), &media, &sent).await, 200);
}

#[test]
fn an_update_is_stored_as_it_is_read() {
    let mut update = RemoteUpdate::new("acme", "17", RemoteState::Failed);
    update.error = RemoteError::new("full", "");
    let mut output = RemoteOutput::new(RemoteState::Cancelled);
    (output.width, output.duration_ms) = (Some(640), Some(5130));
    update.outputs = vec![output];
    let signal = update.signal("acme/17/failed");
    assert_eq!(signal.key, "acme/17");
    let stored = json!({
        "provider": "acme", "job_id": "17", "state": "failed", "error": { "code": "full" },
        "outputs": [{ "state": "cancelled", "width": 640, "duration_ms": 5130 }],
    });
    assert_eq!(signal.update, stored);
    assert_eq!(RemoteUpdate::read(&Update::new(1, stored)).unwrap(), update);
    let error = RemoteUpdate::read(&Update::new(1, json!({ "state": 7 }))).unwrap_err();
    assert_eq!(error.code(), Update::UNREADABLE);
    assert!(RemoteError::new("", "").is_none());
    assert!(RemoteState::Failed.has_ended() && !RemoteState::Processing.has_ended());
    let call = Call::new([("x-secret", "koro")], b"body", Timestamp::from_millis(0));
    assert!(!format!("{call:?}").contains("koro"));
    assert_eq!(at(SECONDS).to_string(), "2026-05-04T10:20:30.000Z");
}
