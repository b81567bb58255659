//! The same by axum: routes, and extractors.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use mediaflow_core::Mediaflow;
use mediaflow_core::http::GuardedClient;
use mediaflow_core::testing::ManualClock;
use mediaflow_remote::zencoder::SECRET;
use mediaflow_remote::{Verified, Zencoder, routes};
use serde_json::json;
use tokio::net::TcpListener;

use super::common::{SECONDS, Sent, at};
use super::{cloudinary, zencoder};

/// Serves an application: its address, and a client that may go there.
async fn serve(app: Router) -> (String, GuardedClient) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = GuardedClient::builder().allow_private(&address).build().unwrap();
    (format!("http://{address}"), client)
}

async fn post_to(client: &GuardedClient, url: &str, sent: &Sent) -> u16 {
    let headers: Vec<_> = sent.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let answer = client.post(url, &headers, sent.body.clone()).await.unwrap();
    assert!(answer.body.is_empty(), "a sender is told a status and nothing else");
    answer.status
}

#[tokio::test]
async fn routes_take_what_is_posted() {
    let media = Mediaflow::builder().start().await.unwrap();
    let clock = ManualClock::new();
    clock.set(at(SECONDS));
    let hooks = routes(&media)
        .on("/hooks/zencoder", zencoder::receiver())
        .clock(clock)
        .on("/hooks/cloudinary", cloudinary::receiver());
    let (base, client) = serve(Router::new().merge(hooks)).await;
    let (one, two) = (format!("{base}/hooks/zencoder"), format!("{base}/hooks/cloudinary"));
    let ended = zencoder::sent(&zencoder::ended());
    assert_eq!(post_to(&client, &one, &ended).await, 404);
    assert_eq!(post_to(&client, &one, &ended).await, 200);
    assert_eq!(post_to(&client, &two, &ended).await, 401);
    assert_eq!(post_to(&client, &two, &cloudinary::sent(&cloudinary::eager())).await, 200);
    assert_eq!(post_to(&client, &one, &Sent::new(&[(SECRET, "guess")], "{}")).await, 401);
    assert_eq!(post_to(&client, &one, &Sent::new(&[(SECRET, "koro")], "{}")).await, 400);
    let huge = Sent::new(&[(SECRET, "koro")], vec![b' '; (1 << 20) + 1]);
    assert_eq!(post_to(&client, &one, &huge).await, 413);
    assert_eq!(client.get(&one, &[]).await.unwrap().status, 405);
}

#[tokio::test]
async fn an_extractor_gives_what_is_verified() {
    async fn hook(
        State(_): State<Arc<Zencoder>>,
        told: Verified<Zencoder>,
    ) -> (StatusCode, String) {
        (StatusCode::ACCEPTED, told.message.update.key())
    }
    let app = Router::new().route("/hook", post(hook)).with_state(Arc::new(zencoder::receiver()));
    let (base, client) = serve(app).await;
    let (url, body) = (format!("{base}/hook"), json!({ "job": { "id": 17, "state": "finished" } }));
    let answer = client.post(&url, &[(SECRET, "koro")], body.to_string()).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (202, &b"zencoder/17"[..]));
    assert_eq!(
        post_to(&client, &url, &Sent::new(&[(SECRET, "guess")], body.to_string())).await,
        401
    );
}
