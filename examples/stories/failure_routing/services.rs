//! Slack and Courier, as far as their senders see them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{Anyhow, PATIENCE};

/// A message, as its reader has it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// Who, and through what.
    pub(crate) to: String,
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

impl Told {
    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }
}

#[derive(Default)]
struct Inner {
    told: Vec<Told>,
    /// The keys of what Courier has taken: what comes again under one of them is not told again.
    keys: HashSet<String>,
    open: bool,
    refused: HashSet<String>,
}

/// Both services, at one address.
pub(crate) struct Services {
    address: String,
    inner: Arc<Mutex<Inner>>,
    changed: Arc<watch::Sender<usize>>,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Inner>>, Arc<watch::Sender<usize>>);

impl Services {
    pub(crate) async fn start() -> Anyhow<Self> {
        let (inner, changed) = (Arc::default(), Arc::new(watch::Sender::new(0)));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let routes = Router::new()
            .route("/services/T0/B0/secret", post(slack))
            .route("/send", post(courier))
            .with_state(Shared(Arc::clone(&inner), Arc::clone(&changed)));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { address, inner, changed })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Courier is there from now on.
    pub(crate) fn open(&self) {
        lock(&self.inner).open = true;
    }

    /// Waits until Courier has sent so many different messages away.
    pub(crate) async fn refused(&self, count: usize) -> Anyhow<()> {
        let mut changed = self.changed.subscribe();
        let enough = changed.wait_for(|refused| *refused >= count);
        tokio::time::timeout(PATIENCE, enough).await.map_err(|_| "Courier was not asked")??;
        Ok(())
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        lock(&self.inner).told.clone()
    }
}

async fn slack(State(Shared(inner, _)): State<Shared>, body: Bytes) -> &'static str {
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let texts = |block: &Value| {
        let fields = block["fields"].as_array().cloned().unwrap_or_default();
        let texts: Vec<_> = std::iter::once(block["text"].clone()).chain(fields).collect();
        texts.iter().filter_map(|text| text["text"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let blocks = message["blocks"].as_array().cloned().unwrap_or_default();
    let mut lines: Vec<_> = blocks.iter().flat_map(texts).collect();
    let title = if lines.is_empty() { String::new() } else { lines.remove(0) };
    lock(&inner).told.push(Told { to: "Slack: admins".to_owned(), title, lines });
    "ok"
}

async fn courier(
    State(Shared(inner, changed)): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if header("authorization") != Some("Bearer pk_test") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let key = header("idempotency-key").unwrap_or_default().to_owned();
    let mut inner = lock(&inner);
    if !inner.open {
        inner.refused.insert(key);
        changed.send_replace(inner.refused.len());
        return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")]).into_response();
    }
    if inner.keys.insert(key) {
        let message = &request["message"];
        let (to, data) = (&message["to"], &message["data"]);
        let to = match (to["email"].as_str(), to["user_id"].as_str()) {
            (Some(address), _) => format!("e-mail: {address}"),
            (_, user) => format!("push: {}", user.unwrap_or("?")),
        };
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        let lines = text("body").lines().map(str::to_owned).collect();
        inner.told.push(Told { to, title: text("title"), lines });
    }
    let answer = json!({ "requestId": "1-65f240a0-47a6a120" }).to_string();
    (StatusCode::ACCEPTED, [("content-type", "application/json")], answer).into_response()
}

fn lock(inner: &Mutex<Inner>) -> std::sync::MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}
