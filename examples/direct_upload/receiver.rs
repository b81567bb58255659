//! Whoever is told of the end believes only what is signed.

use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use mediaflow::notifiers::webhook::standard::Verifier;
use tokio::sync::mpsc;

use crate::{Anyhow, SECRET};

/// Serves until the process ends.
pub(crate) struct Receiver {
    address: String,
    verified: mpsc::UnboundedReceiver<(String, String)>,
}

type Tell = mpsc::UnboundedSender<(String, String)>;

impl Receiver {
    pub(crate) async fn start() -> Anyhow<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (tell, verified) = mpsc::unbounded_channel();
        let routes = axum::Router::new().route("/hooks/media", post(receive)).with_state(tell);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { address, verified })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks/media", self.address)
    }

    /// The id and the kind of the next webhook whose signature is right.
    pub(crate) async fn verified(&mut self) -> Anyhow<(String, String)> {
        let next = tokio::time::timeout(Duration::from_secs(30), self.verified.recv()).await;
        next?.ok_or_else(|| "the receiver has ended".into())
    }
}

async fn receive(State(tell): State<Tell>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let now = SystemTime::now().into();
    let verified = Verifier::new(SECRET).and_then(|verifier| verifier.verify(header, &body, now));
    let Ok(id) = verified else { return StatusCode::UNAUTHORIZED };
    let event: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let kind = event["type"].as_str().unwrap_or("?").to_owned();
    match tell.send((id.to_owned(), kind)) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::GONE,
    }
}
