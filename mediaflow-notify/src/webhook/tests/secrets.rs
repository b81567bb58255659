//! A secret in an address is seen nowhere but by the receiver.

use super::trace::{Trace, logged};
use super::*;

const CANARIES: [&str; 4] = ["us3r-canary", "passw0rd-canary", "path-canary", "query-canary"];

fn secret(host: &str) -> String {
    let [user, password, path, query] = CANARIES;
    format!("http://{user}:{password}@{host}/hooks/{path}?token={query}#{query}")
}

#[track_caller]
fn tells_nothing(what: &str, shown: &str) {
    for canary in CANARIES {
        assert!(!shown.contains(canary), "{what} shows {canary}: {shown}");
    }
}

#[tokio::test]
async fn an_address_is_seen_by_its_receiver_only() {
    let (trace, _guard) = Trace::begin();
    let mut receiver = receiver().await;
    let url = secret(&receiver.address());
    let to = || Webhook::to(&url).sign(SECRET).timeout(Duration::from_secs(1));
    tells_nothing("the builder", &format!("{:?}", to()));
    tells_nothing("a mistake", &format!("{:?}", to().build().unwrap_err()));

    let hook = to().allow_private(&receiver.address()).build().unwrap();
    let address = hook.own_address().unwrap();
    tells_nothing("an address", &format!("{hook:?} {address:?} {address} {}", address.origin()));
    let message = Message::of(completed()).to(Some(address.clone()));
    tells_nothing("a message", &format!("{message:?}"));
    let echo = |status| Reply::status(status).body(format!("Cannot POST {url}"));
    receiver.answer([200, 302, 401, 404, 410, 429, 500, 503].map(echo));
    receiver.answer([Reply::hang()]);
    for _ in 0..9 {
        let cx = DeliveryContext::first(NOW);
        if let Err(error) = hook.notify(&message, &cx).await {
            tells_nothing("an outcome", &format!("{error:?} {error}"));
        }
        if let Some(answer) = cx.answer() {
            tells_nothing("an answer in the delivery log", &address.redact(&answer.body));
        }
        let received = receiver.next().await.unwrap();
        assert!(received.path.contains("path-canary") && received.path.contains("query-canary"));
        assert!(received.header("authorization").is_some());
        tells_nothing("a body", &String::from_utf8_lossy(&received.body));
    }
    receiver.stop().await;
    let error = hook.notify(&message, &DeliveryContext::first(NOW)).await.unwrap_err();
    tells_nothing("a closed port", &format!("{error:?}"));

    for host in ["169.254.169.254", "host.invalid", "[::1]:1", "300.1.1.1", "localhost:1"] {
        let url = secret(host);
        for url in [url.clone(), url.replace("http://", "ftp://"), url.replace("http://", "//")] {
            if let Err(error) = hook.address(&url) {
                tells_nothing(host, &format!("{error:?} {error}"));
            }
            let message = Message::of(completed()).to(Some(Address::at("stored", &url)));
            let error = hook.notify(&message, &DeliveryContext::first(NOW)).await.unwrap_err();
            tells_nothing(host, &format!("{error:?} {error}"));
        }
    }
    tells_nothing("the trace", &trace.text());
    let log = logged();
    assert!(log.contains("starting new connection"), "the client was listened to");
    tells_nothing("the log", &log);
}
