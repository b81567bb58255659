//! What other people's programs send is received: `moto` posts messages of SNS and signs them, `standardwebhooks` signs,
//! the models of Tencent's SDK write events. And what Cloudinary's own verifier lets through.

use std::collections::BTreeMap;
use std::process::Output;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mediaflow_core::testing::WebhookReceiver;
use mediaflow_core::{Clock as _, Result, SystemClock, async_trait};
use mediaflow_remote::aws::Fetch;
use mediaflow_remote::cloudinary::{Algorithm, SIGNATURE, Signer, TIMESTAMP};
use mediaflow_remote::tencent::{TencentEvent, pulled};
use mediaflow_remote::{Cloudinary, RemoteState, Sns, Standard, Tencent};
use serde_json::{Value, json};

use super::common::Sent;
use super::verifiers::ask;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Runs a script of the workspace's verifiers.
async fn run(script: &'static str, input: Value) -> Output {
    let run = move || ask(script, &input.to_string());
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// The certificates that `moto` has made.
#[derive(Debug)]
struct Pems(BTreeMap<String, String>);

#[async_trait]
impl Fetch for Pems {
    async fn fetch(&self, url: &str) -> Result<(u16, Vec<u8>)> {
        let name = url.rsplit('/').next().unwrap_or_default();
        Ok(self.0.get(name).map_or((404, Vec::new()), |pem| (200, pem.clone().into_bytes())))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_send_is_received() {
    let mut endpoint = WebhookReceiver::start().await.unwrap();
    let asked = json!({ "secret": SECRET, "endpoint": endpoint.url("/sns") });
    let output = run("senders.py", asked).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let sent: Value = serde_json::from_slice(&output.stdout).unwrap();
    let now = SystemClock::default().now().seconds();

    // `moto` does not ask whether the endpoint agrees, but its notification is signed as Amazon's is.
    let posted = endpoint.next().await.unwrap();
    let pems = serde_json::from_value(sent["sns"]["pems"].clone()).unwrap();
    let sns = Sns::fetching_with(sent["sns"]["topic"].as_str().unwrap(), Pems(pems)).unwrap();
    let headers: Vec<_> = posted.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let message = Sent::new(&headers, posted.body.to_vec()).at(now + 1);
    let update = message.update(&sns).await;
    assert_eq!(update.key(), "mediaconvert/1539811467866-e3xcm1");
    assert_eq!((update.state, &update.pass_through["album"]), (RemoteState::Finished, &json!("ø")));
    let id = sent["sns"]["id"].as_str().unwrap();
    assert_eq!(message.replay_key(&sns).await, format!("sns/{id}"));
    let forged = String::from_utf8(posted.body.to_vec()).unwrap().replace("COMPLETE", "CANCELED");
    assert_eq!(message.with_body(forged).refusal(&sns).await, "webhook.signature");

    let headers: BTreeMap<String, String> =
        serde_json::from_value(sent["standard"]["headers"].clone()).unwrap();
    let headers: Vec<_> = headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let message = Sent::new(&headers, sent["standard"]["body"].as_str().unwrap()).at(now);
    let update = message.update(&Standard::new(SECRET).unwrap()).await;
    assert_eq!((update.key().as_str(), update.state), ("standard/ø 17", RemoteState::Finished));

    let key = "Xz4ZgayTr7rMgWQrH";
    let t = sent["tencent"]["now"].as_u64().unwrap() + 600;
    let mut posted = sent["tencent"]["posted"].clone();
    (posted["T"], posted["Sign"]) =
        (t.into(), mediaflow_remote::tencent::Signer::new(key).unwrap().sign(t).into());
    let tencent = Tencent::new(key).unwrap();
    let update = Sent::new(&[], posted.to_string()).at(now).update(&tencent).await;
    let pulled = pulled(sent["tencent"]["pulled"].to_string().as_bytes()).unwrap();
    let [event] = pulled.as_slice() else { panic!("one event") };
    let TencentEvent::Procedure(whole) = &event.event else { panic!("{event:?}") };
    assert_eq!((event.handle.as_str(), whole.hint), ("handle-1", false));
    assert_eq!((whole.state, &whole.outputs), (RemoteState::Finished, &update.outputs));
    let film = &whole.outputs[0];
    assert_eq!(
        (film.id.as_deref(), film.width, film.bytes),
        (Some("100010"), Some(640), Some(372_613))
    );
    assert_eq!(film.md5.as_deref(), Some("7f106918e02a69466afa0ee014174143"));
}

/// Their verifier takes a notification from the future, and one of which a digit was moved from the moment to the body.
#[tokio::test(flavor = "multi_thread")]
async fn cloudinarys_own_verifier_takes_what_is_sent_and_more() {
    let cloudinary = Cloudinary::new("api-secret", Algorithm::Sha1).unwrap();
    let now = SystemClock::default().now().seconds();
    let body = r#"{"notification_type":"upload","public_id":"sample"}"#;
    let signed = |body: &str, stamp: u64| {
        Signer::new("api-secret", Algorithm::Sha1).unwrap().sign(body.as_bytes(), stamp)
    };
    let moved = now.to_string();
    for (body, stamp, signature, ours) in [
        (body.to_owned(), now.to_string(), signed(body, now), true),
        (body.to_owned(), (now + 86_400).to_string(), signed(body, now + 86_400), false),
        (format!("{body}{}", &moved[..1]), moved[1..].to_owned(), signed(body, now), false),
        (body.to_owned(), now.to_string(), signed("{}", now), false),
    ] {
        let input = json!({
            "secret": "api-secret", "algorithm": "sha1", "body": STANDARD.encode(&body),
            "headers": { "x-cld-timestamp": stamp, "x-cld-signature": signature },
        });
        let theirs = run("cloudinary_notification.py", input).await;
        let sent = Sent::new(&[(TIMESTAMP, &stamp), (SIGNATURE, &signature)], body).at(now);
        let accepted = sent.to(&cloudinary).await.is_ok();
        assert_eq!(accepted, ours, "{stamp}");
        // A moment of nine digits is long ago for theirs.
        let takes = theirs.status.success();
        assert!(takes || !accepted, "{}", String::from_utf8_lossy(&theirs.stderr));
    }
}
