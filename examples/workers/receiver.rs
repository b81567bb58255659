//! The receiver of the webhooks, which believes only what is signed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use mediaflow::notifiers::webhook::standard::Verifier;
use tokio::sync::watch;

use crate::Anyhow;
use crate::backend::SECRET;

/// Serves until the process ends.
pub(crate) struct Receiver {
    address: String,
    seen: watch::Receiver<Seen>,
}

/// What has come in.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// How often each `webhook-id` came.
    pub(crate) ids: BTreeMap<String, usize>,
    /// Requests whose signature was wrong.
    pub(crate) refused: usize,
}

impl Receiver {
    pub(crate) async fn start() -> Anyhow<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (note, seen) = watch::channel(Seen::default());
        let routes = Router::new().route("/hooks/media", post(receive)).with_state(Arc::new(note));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { address, seen })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// How many different webhooks it has verified.
    pub(crate) fn distinct(&self) -> usize {
        self.seen.borrow().ids.len()
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits until it has verified this many different webhooks.
    pub(crate) async fn verified(&self, count: usize) {
        // It serves for as long as the process lives, so this can not fail.
        let _ = self.seen.clone().wait_for(|seen| seen.ids.len() >= count).await;
    }
}

async fn receive(
    State(note): State<Arc<watch::Sender<Seen>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let now = SystemTime::now().into();
    let verified = Verifier::new(SECRET).and_then(|verifier| verifier.verify(header, &body, now));
    match verified {
        Ok(id) => {
            note.send_modify(|seen| *seen.ids.entry(id.to_owned()).or_default() += 1);
            StatusCode::NO_CONTENT
        }
        Err(error) => {
            println!("receiver: refused: {error}");
            note.send_modify(|seen| seen.refused += 1);
            StatusCode::UNAUTHORIZED
        }
    }
}
