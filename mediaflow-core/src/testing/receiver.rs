use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
#[cfg(feature = "http2")]
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
#[cfg(feature = "http2")]
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
#[cfg(feature = "http2")]
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{Error, Result};

/// Longer than any test should wait, shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(10);
const MAX_BODY: usize = 16 << 20;

/// A web server on the loopback that keeps what it is sent and answers as told: 200 unless something else was queued. It
/// speaks HTTP/1.1, and HTTP/2 with a client that begins with it, if the feature `http2` is on.
/// It can be stopped and started again on the same port, as a receiver that is deployed anew.
///
/// ```
/// use mediaflow_core::testing::{Reply, WebhookReceiver};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> mediaflow_core::Result<()> {
/// let mut receiver = WebhookReceiver::start().await?;
/// receiver.answer([Reply::status(503).header("retry-after", "1"), Reply::status(200)]);
/// // Webhook::to(receiver.url("/hook")).allow_private(&receiver.address()) ...
/// # receiver.stop().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct WebhookReceiver {
    address: SocketAddr,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    sender: mpsc::UnboundedSender<Received>,
    received: mpsc::UnboundedReceiver<Received>,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

/// One request, as it came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Received {
    /// The method: `POST`.
    pub method: String,
    /// The path, with the query.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The raw body: what signatures are about.
    pub body: Bytes,
}

/// What to answer to one request.
#[derive(Clone, Debug)]
#[must_use]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    hang: bool,
}

impl WebhookReceiver {
    /// On a free port.
    ///
    /// # Errors
    /// `testing.receiver`: the loopback can not be listened on.
    pub async fn start() -> Result<Self> {
        Self::start_on(0).await
    }

    /// On this port.
    ///
    /// # Errors
    /// `testing.receiver`: the port is taken.
    pub async fn start_on(port: u16) -> Result<Self> {
        let (sender, received) = mpsc::unbounded_channel();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut receiver =
            Self { address, replies: Arc::default(), sender, received, running: None };
        receiver.restart().await?;
        Ok(receiver)
    }

    /// Host and port: what `allow_private` takes.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The URL of a path here.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{}", self.address, path.trim_start_matches('/'))
    }

    /// Queues answers, one for each of the next requests.
    pub fn answer(&self, replies: impl IntoIterator<Item = Reply>) {
        lock(&self.replies).extend(replies);
    }

    /// The next request that has not been taken yet.
    ///
    /// # Errors
    /// `testing.receiver`: none came within 10 s.
    pub async fn next(&mut self) -> Result<Received> {
        match timeout(PATIENCE, self.received.recv()).await {
            Ok(Some(received)) => Ok(received),
            Ok(None) | Err(_) => {
                Err(Error::internal("testing.receiver", "no request came within 10 s"))
            }
        }
    }

    /// The next request, if one has come already.
    pub fn try_next(&mut self) -> Option<Received> {
        self.received.try_recv().ok()
    }

    /// Stops listening and closes every connection; returns when the port is free. What came stays.
    pub async fn stop(&mut self) {
        if let Some((stop, server)) = self.running.take() {
            stop.cancel();
            // Only a panic in the server could fail here, and its requests would be missed.
            let _ = server.await;
        }
    }

    /// Listens again, on the same port.
    ///
    /// # Errors
    /// `testing.receiver`: somebody else has taken the port.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await;
        let failed = |e: std::io::Error| {
            Error::transient("testing.receiver", "the port can not be listened on").because(e)
        };
        let listener = TcpListener::bind(self.address).await.map_err(failed)?;
        self.address = listener.local_addr().map_err(failed)?;
        let stop = CancellationToken::new();
        let serving = serve(listener, stop.clone(), Arc::clone(&self.replies), self.sender.clone());
        self.running = Some((stop, tokio::spawn(serving)));
        Ok(())
    }
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        if let Some((stop, _)) = &self.running {
            stop.cancel();
        }
    }
}

impl Received {
    /// A header by its name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl Reply {
    /// This status, with an empty body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), hang: false }
    }

    /// No answer at all: the connection stays open.
    pub fn hang() -> Self {
        Self { hang: true, ..Self::status(200) }
    }

    /// With this header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With this body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

async fn serve(
    listener: TcpListener,
    stop: CancellationToken,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    sender: mpsc::UnboundedSender<Received>,
) {
    let mut connections = JoinSet::new();
    while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
        let (replies, sender) = (Arc::clone(&replies), sender.clone());
        let service =
            service_fn(move |request| answer(request, Arc::clone(&replies), sender.clone()));
        connections.spawn(async move {
            #[cfg(feature = "http2")]
            if begins_http2(&stream).await {
                let connection = http2::Builder::new(TokioExecutor::new());
                return connection.serve_connection(TokioIo::new(stream), service).await;
            }
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
        });
    }
    connections.shutdown().await;
}

/// A connection of HTTP/2 begins with `PRI * HTTP/2.0`, and no request does.
#[cfg(feature = "http2")]
async fn begins_http2(stream: &TcpStream) -> bool {
    let mut begin = [0; 3];
    stream.peek(&mut begin).await.is_ok_and(|read| begin[..read] == *b"PRI")
}

async fn answer(
    request: Request<Incoming>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    sender: mpsc::UnboundedSender<Received>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let headers = head.headers.iter();
    let headers = headers
        .map(|(k, v)| (k.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
    // With HTTP/2, the host stands there, too.
    let path = head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string);
    let (method, headers) = (head.method.to_string(), headers.collect());
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return Ok(response(Reply::status(413)));
    };
    let reply = lock(&replies).pop_front().unwrap_or_else(|| Reply::status(200));
    // Nobody listens any more once the receiver is dropped.
    let _ = sender.send(Received { method, path, headers, body: body.to_bytes() });
    if reply.hang {
        std::future::pending::<()>().await;
    }
    Ok(response(reply))
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(reply.body)).unwrap_or_else(|_| {
        let mut broken =
            Response::new(Full::new(Bytes::from_static(b"this reply can not be sent")));
        *broken.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
