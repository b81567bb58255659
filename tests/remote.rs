//! What mediaflow sends in the form of each vendor is received as that vendor's.

#![cfg(all(feature = "remote", feature = "webhook", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use axum::Router;
use mediaflow::event::EventData;
use mediaflow::notifiers::Webhook;
use mediaflow::notify::{DeliveryContext, Message};
use mediaflow::remote::cloudinary::Algorithm;
use mediaflow::remote::{
    Call, Cloudinary, Notification as _, Receiver, RemoteState, RemoteUpdate, Standard, Tencent,
    Zencoder, routes,
};
use mediaflow::spec::JobOptions;
use mediaflow::testing::WebhookReceiver;
use mediaflow::{Clock as _, Event, EventKind, Mediaflow, Notifier as _, SystemClock, Timestamp};
use serde_json::json;
use tokio::net::TcpListener;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const JOB: &str = "0199c8f0-0000-7000-8000-000000000001";

fn now() -> Timestamp {
    SystemClock::default().now()
}

/// A job has ended with a film, and without a poster.
fn ended() -> Event {
    let failure = json!({ "kind": "input", "code": "image.truncated", "message": "the image ends too early" });
    let report = json!({
        "job": JOB, "state": "partial", "decodes": 1, "attempts": 1, "plan": [],
        "outputs": [
            { "output": "public/cat.mp4", "state": "published", "format": "mp4", "mime": "video/mp4", "bytes": 372_613,
              "width": 1280, "height": 720, "duration": 5.13, "sha256": "ab", "md5": "7f106918e02a69466afa0ee014174143" },
            { "output": "public/cat.jpg", "state": "failed", "failure": failure },
        ],
        "queued_at": "2025-10-09T08:53:00Z", "finished_at": "2025-10-09T08:53:20Z",
    });
    let report = serde_json::from_value(report).unwrap();
    let event = Event::new(EventKind::JobCompleted, now(), EventData::Job(Box::new(report)));
    event.about(JOB.parse().unwrap(), None, &JobOptions::new())
}

/// Posts the event.
async fn post(hook: Webhook, address: &str) -> Result<(), mediaflow::NotifyError> {
    let hook = hook.allow_private(address).public_url("public", "https://cdn.example/media");
    let hook = hook.build().unwrap();
    hook.notify(&Message::of(ended()), &DeliveryContext::first(now())).await.map(drop)
}

/// What a receiver reads of the event in a vendor's form.
async fn received<R: Receiver>(
    dialect: impl FnOnce(Webhook) -> Webhook,
    receiver: R,
) -> RemoteUpdate {
    let mut endpoint = WebhookReceiver::start().await.unwrap();
    post(dialect(Webhook::to(endpoint.url("/hook"))), &endpoint.address()).await.unwrap();
    let sent = endpoint.next().await.unwrap();
    let headers = sent.headers.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    let call = Call::new(headers, &sent.body, now());
    receiver.receive(&call).await.unwrap().message.update().unwrap().clone()
}

#[tokio::test]
async fn every_dialect_is_received() {
    let zencoder = received(|hook| hook.zencoder("koro"), Zencoder::new("koro").unwrap()).await;
    let key = "Xz4ZgayTr7rMgWQrH";
    let tencent = received(|hook| hook.tencent(key), Tencent::new(key).unwrap()).await;
    let standard = received(|hook| hook.sign(SECRET), Standard::new(SECRET).unwrap()).await;
    let secret = "api-secret";
    let sha1 = Cloudinary::new(secret, Algorithm::Sha1).unwrap();
    let sha1 = received(|hook| hook.cloudinary(secret), sha1).await;
    let sha256 = Cloudinary::new(secret, Algorithm::Sha256).unwrap();
    let sha256 = received(|hook| hook.cloudinary_sha256(secret), sha256).await;
    for update in [&zencoder, &tencent, &standard, &sha1, &sha256] {
        assert_eq!(update.key(), format!("{}/{JOB}", update.provider));
        assert_eq!(
            (update.state, update.hint),
            (RemoteState::Finished, update.provider == "tencent")
        );
        let [film, still] = update.outputs.as_slice() else { panic!("{update:?}") };
        assert_eq!((film.width, film.height, film.bytes), (Some(1280), Some(720), Some(372_613)));
        assert_eq!(film.format.as_deref(), Some("mp4"), "{}", update.provider);
        assert_eq!(still.state, RemoteState::Failed);
        assert_eq!(still.error.as_ref().unwrap().message, "the image ends too early");
    }
    for update in [&zencoder, &tencent, &standard] {
        let film = &update.outputs[0];
        assert_eq!(film.duration_ms, Some(5130), "{}", update.provider);
        assert_eq!(film.md5.as_deref(), Some("7f106918e02a69466afa0ee014174143"));
    }
    for update in [&zencoder, &tencent, &sha1] {
        assert_eq!(update.outputs[0].url.as_deref(), Some("https://cdn.example/media/cat.mp4"));
    }
}

#[tokio::test]
async fn routes_of_one_engine_take_what_another_sends() {
    let media = Mediaflow::builder().start().await.unwrap();
    let hooks = routes(&media).on("/hooks/standard", Standard::new(SECRET).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, Router::new().merge(hooks)).await });
    let url = format!("http://{address}/hooks/standard");
    post(Webhook::to(&url).sign(SECRET), &address).await.unwrap();
    let stranger = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    post(Webhook::to(&url).sign(stranger), &address).await.unwrap_err();
}
