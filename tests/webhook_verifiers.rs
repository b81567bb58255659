//! What we sign is accepted by verifiers that other people wrote: `standardwebhooks`, `svix`, `cloudinary`, `cloudevents` and
//! Tencent's SDK for Python.

#![cfg(all(feature = "webhook", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mediaflow::event::EventData;
use mediaflow::notifiers::Webhook;
use mediaflow::notify::{DeliveryContext, Message};
use mediaflow::report::{OutputReport, OutputState};
use mediaflow::spec::JobOptions;
use mediaflow::testing::{Received, WebhookReceiver};
use mediaflow::{Clock as _, Event, EventKind, Notifier as _, SystemClock};
use serde_json::json;
use verifiers::ask;

mod verifiers;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEXT_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const STRANGER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test]
async fn standardwebhooks_and_svix_accept_ours_and_nothing_else() {
    let request = captured(|hook| hook.sign(SECRET).also_sign(NEXT_SECRET)).await;
    for library in ["standardwebhooks", "svix"] {
        let accepts = |secret, body: &[u8]| accepts("standard.py", secret, library, &request, body);
        for secret in [SECRET, NEXT_SECRET] {
            assert!(accepts(secret, &request.body), "{library}");
        }
        assert!(!accepts(STRANGER, &request.body), "{library}");
        assert!(!accepts(SECRET, &tampered(&request.body)), "{library}");
    }
}

#[tokio::test]
async fn cloudinary_accepts_ours_and_nothing_else() {
    let sha1 = captured(|hook| hook.cloudinary("api-secret")).await;
    let sha256 = captured(|hook| hook.cloudinary_sha256("api-secret")).await;
    for (request, algorithm, other) in [(sha1, "sha1", "sha256"), (sha256, "sha256", "sha1")] {
        let script = "cloudinary_notification.py";
        assert!(accepts(script, "api-secret", algorithm, &request, &request.body), "{algorithm}");
        assert!(!accepts(script, "api-secret", other, &request, &request.body), "{algorithm}");
        assert!(!accepts(script, "other", algorithm, &request, &request.body), "{algorithm}");
        assert!(
            !accepts(script, "api-secret", algorithm, &request, &tampered(&request.body)),
            "{algorithm}"
        );
    }
}

#[tokio::test]
async fn tencent_reads_ours_and_nothing_else() {
    let key = "Xz4ZgayTr7rMgWQrH";
    for event in [ready(), ended()] {
        let request = captured_of(event, |hook| hook.tencent(key)).await;
        assert!(accepts("tencent_event.py", key, "", &request, &request.body));
        assert!(!accepts("tencent_event.py", "other", "", &request, &request.body));
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        // What the SDK has no field for is refused, so that it would be seen.
        let odd = body.replacen("\"TaskId\"", "\"TaskID\"", 1);
        assert!(!accepts("tencent_event.py", key, "", &request, odd.as_bytes()));
    }
}

#[tokio::test]
async fn cloudevents_reads_ours() {
    let source = "https://app.example/media";
    for request in [
        captured(|hook| hook.sign(SECRET).cloud_events(source)).await,
        captured(|hook| hook.sign(SECRET).cloud_events_binary(source)).await,
    ] {
        assert!(accepts("cloudevents_event.py", source, "", &request, &request.body));
        assert!(!accepts("cloudevents_event.py", "urn:other", "", &request, &request.body));
        assert!(
            accepts("standard.py", SECRET, "standardwebhooks", &request, &request.body),
            "signed, too"
        );
    }
}

/// What a receiver gets of an event.
async fn captured(dialect: impl FnOnce(Webhook) -> Webhook) -> Received {
    captured_of(ready(), dialect).await
}

async fn captured_of(event: Event, dialect: impl FnOnce(Webhook) -> Webhook) -> Received {
    let mut receiver = WebhookReceiver::start().await.unwrap();
    let hook = Webhook::to(receiver.url("/hook"))
        .allow_private(&receiver.address())
        .on([event.kind])
        .public_url("public", "https://cdn.example/media");
    let hook = dialect(hook).build().unwrap();
    let now = SystemClock::default().now();
    hook.notify(&Message::of(event), &DeliveryContext::first(now)).await.unwrap();
    receiver.next().await.unwrap()
}

const JOB: &str = "0199c8f0-0000-7000-8000-000000000001";

fn about(kind: EventKind, data: EventData) -> Event {
    let options = JobOptions::new()
        .metadata("title", "Kätzchen \u{1f408}")
        .metadata("Definitions", json!({ "public/cat.mp4": 100_010 }))
        .metadata("SessionContext", "album-7")
        .tag("a \"quoted\" tag");
    let event = Event::new(kind, SystemClock::default().now(), data);
    event.about(JOB.parse().unwrap(), None, &options)
}

/// An output is ready.
fn ready() -> Event {
    let mut output = OutputReport::pending("public/Kätzchen 1.jpg");
    (output.state, output.width, output.height) = (OutputState::Published, 320, 240);
    about(EventKind::OutputReady, EventData::Output(Box::new(output)))
}

/// A job has ended with a film, and without a poster.
fn ended() -> Event {
    let failure = json!({ "kind": "input", "code": "image.truncated", "message": "the image ends too early" });
    let report = json!({
        "job": JOB, "state": "partial", "decodes": 1, "attempts": 1, "plan": [],
        "outputs": [
            { "output": "public/cat.mp4", "state": "published", "format": "mp4", "mime": "video/mp4", "bytes": 372_613,
              "width": 1280, "height": 720, "duration": 5.13, "sha256": "ab", "md5": "7f10" },
            { "output": "public/cat.jpg", "state": "failed", "failure": failure },
        ],
        "source": { "name": "public/cat.mov", "info": {
            "medium": "video", "format": "mov", "bytes": 922_620, "width": 1280, "height": 720, "duration": 5.067,
            "streams": [{ "kind": "video", "codec": "h264", "fps": 29.97, "bitrate": 1_402_000 },
                        { "kind": "audio", "codec": "aac", "sample_rate": 44_100, "channels": 2, "bitrate": 50_000 }],
        } },
        "queued_at": "2025-10-09T08:53:00Z", "started_at": "2025-10-09T08:53:10Z",
        "finished_at": "2025-10-09T08:53:20Z",
    });
    let report = serde_json::from_value(report).unwrap();
    about(EventKind::JobCompleted, EventData::Job(Box::new(report)))
}

fn tampered(body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    let at = body.iter().position(u8::is_ascii_digit).unwrap();
    body[at] = if body[at] == b'1' { b'2' } else { b'1' };
    body
}

/// Runs a verifier on a request, with this body in place of its own. Some have several ways, or several libraries.
fn accepts(script: &str, secret: &str, how: &str, request: &Received, body: &[u8]) -> bool {
    let headers: BTreeMap<_, _> = request.headers.iter().cloned().collect();
    let input = json!({ "secret": secret, "algorithm": how, "headers": headers, "body": STANDARD.encode(body) });
    let output = ask(script, &input.to_string());
    let said = String::from_utf8_lossy(&output.stdout);
    match (output.status.code(), said.is_empty()) {
        (Some(0), _) => true,
        // An uncaught exception exits with 1, too, but says nothing on the standard output.
        (Some(1), false) => false,
        (code, _) => {
            panic!("{script} did not run ({code:?}):\n{}", String::from_utf8_lossy(&output.stderr))
        }
    }
}
