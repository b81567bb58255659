//! An S3 server in this process that other people wrote, on a loopback port, with faults at the wire.

mod amazon;
mod client;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::stream;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mediaflow_storage::S3;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Notify, RwLock};
use tokio::task::JoinHandle;

use amazon::Uploads;
pub(crate) use client::send;

pub(crate) const BUCKET: &str = "media";
pub(crate) const KEY_ID: &str = "key-id";
pub(crate) const SECRET: &str = "hunter2-secret";

/// What the wire does to a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    None,
    /// It never arrives.
    Lost,
    /// It is carried out, and the answer never arrives.
    AnswerLost,
    /// Half of the answer's body arrives.
    AnswerCut,
    /// It stays unanswered.
    Hangs,
    /// It is carried out after [`Server::go_on`].
    Waits,
    /// A copy that reads its source at once and writes after [`Server::go_on`].
    Copies,
    /// This status and error code are the answer.
    Answered(u16, &'static str),
}

type Wire = Box<dyn FnMut(&str) -> Fault + Send>;

/// The server behind its wire.
#[derive(Clone)]
struct Peer {
    service: S3Service,
    wire: Arc<Mutex<Wire>>,
    gate: Arc<Notify>,
    /// S3 copies in one act; this server copies byte after byte.
    copies: Arc<RwLock<()>>,
    uploads: Arc<Uploads>,
    /// As older servers do.
    ignores_conditions: Arc<AtomicBool>,
    bucket: PathBuf,
}

/// Stops when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    peer: Peer,
    task: JoinHandle<()>,
}

impl Server {
    /// With one empty bucket.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peer = Peer {
            service: service.build(),
            wire: Arc::new(Mutex::new(Box::new(|_| Fault::None))),
            gate: Arc::new(Notify::new()),
            copies: Arc::default(),
            uploads: Arc::default(),
            ignores_conditions: Arc::default(),
            bucket: folder.path().join(BUCKET),
        };
        let task = tokio::spawn(serve(listener, peer.clone()));
        Self { address, folder, peer, task }
    }

    /// From now on every request passes here first, as `METHOD /path?query`.
    pub(crate) fn on_request(&self, wire: impl FnMut(&str) -> Fault + Send + 'static) {
        *self.peer.wire.lock().unwrap() = Box::new(wire);
    }

    /// Lets one request that waits be carried out.
    pub(crate) fn go_on(&self) {
        self.peer.gate.notify_one();
    }

    /// From now on copies are made whatever is at their place.
    pub(crate) fn ignore_conditions(&self) {
        self.peer.ignores_conditions.store(true, Ordering::SeqCst);
    }

    /// The keys of multipart uploads that have begun, and not ended.
    pub(crate) fn uploads(&self) -> Vec<String> {
        self.peer.uploads.keys()
    }

    /// Where this bucket lies, for whoever has the right key.
    pub(crate) fn bucket(&self) -> S3 {
        S3::bucket(BUCKET)
            .endpoint(format!("http://{}", self.address))
            .allow_http(true)
            .region("us-east-1")
            .credentials(KEY_ID, SECRET)
    }

    /// The files that wait beside their place, and the parts of unfinished uploads.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.folder.path(), &mut found);
        found.retain(|name| {
            name.contains(".upload") || (name.contains("/.mediaflow/") && !name.ends_with(".json"))
        });
        found
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, peer: Peer) {
    // With the connections in here, a server that stops leaves none of them open.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let peer = peer.clone();
        connections.spawn(async move {
            let handler = service_fn(|request| answer(request, peer.clone()));
            let socket = TokioIo::new(socket);
            // A fault ends a connection with an error, as it should.
            let _ = http1::Builder::new().serve_connection(socket, handler).await;
        });
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, String>>;

async fn answer(request: Request<Incoming>, peer: Peer) -> Result<Answer, String> {
    let line = format!("{} {}", request.method(), request.uri());
    let fault = (peer.wire.lock().unwrap())(&line);
    match fault {
        Fault::Hangs => return std::future::pending().await,
        Fault::Lost => return Err("lost".to_owned()),
        Fault::Answered(status, code) => {
            let message = format!("<Message>{SECRET}</Message><StringToSign>x</StringToSign>");
            let region = "<Region>eu-north-1</Region>";
            let body = format!("<Error><Code>{code}</Code>{message}{region}</Error>");
            return Ok(Response::builder().status(status).body(whole(body)).unwrap());
        }
        Fault::Waits => peer.gate.notified().await,
        Fault::None | Fault::AnswerLost | Fault::AnswerCut | Fault::Copies => {}
    }
    let source = request.headers().get("x-amz-copy-source").map(|source| {
        let source = source.to_str().unwrap();
        peer.bucket.join(source.split_once('/').unwrap().1)
    });
    let mut read = None;
    if let (Fault::Copies, Some(source)) = (fault, &source) {
        read = Some((source.clone(), std::fs::read(source).unwrap()));
        peer.gate.notified().await;
    }
    let (method, uri) = (request.method().to_string(), request.uri().clone());
    let query = uri.query().unwrap_or_default();
    let (_alone, _among_others) = match source.is_some() {
        true => (Some(peer.copies.write().await), None),
        false => (None, Some(peer.copies.read().await)),
    };
    if method == "GET" && query.split('&').any(|pair| pair == "uploads" || pair == "uploads=") {
        return Ok(Response::new(whole(peer.uploads.list(query))));
    }
    if peer.uploads.is_gone(query) {
        let body = whole("<Error><Code>NoSuchUpload</Code></Error>".to_owned());
        return Ok(Response::builder().status(404).body(body).unwrap());
    }
    let request = request.map(s3s::Body::from);
    let conditional = source.is_some() && !peer.ignores_conditions.load(Ordering::SeqCst);
    let host = request.headers().get("host").unwrap().to_str().unwrap().to_owned();
    if conditional && !amazon::holds(&peer.service, &host, &request).await {
        let body = whole("<Error><Code>PreconditionFailed</Code></Error>".to_owned());
        return Ok(Response::builder().status(412).body(body).unwrap());
    }
    // What was read then is written now, also if it has gone meanwhile.
    if let Some((source, bytes)) = read.as_ref().filter(|(source, _)| !source.exists()) {
        std::fs::create_dir_all(source.parent().unwrap()).unwrap();
        std::fs::write(source, bytes).unwrap();
    } else {
        read = None;
    }
    let answer = peer.service.call(request).await.map_err(|e| format!("{e:?}"))?;
    if let Some((source, _)) = read {
        std::fs::remove_file(source).unwrap();
    }
    let (head, body) = peer.uploads.note(&method, uri.path(), query, answer).await.into_parts();
    if fault == Fault::AnswerLost {
        return Err("the answer is lost".to_owned());
    }
    if fault != Fault::AnswerCut {
        let body = body.map_err(|e| e.to_string()).boxed_unsync();
        return Ok(Response::from_parts(head, body));
    }
    let all = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
    let frames = [Ok(Frame::data(all.slice(..all.len() / 2))), Err("cut".to_owned())];
    Ok(Response::from_parts(head, StreamBody::new(stream::iter(frames)).boxed_unsync()))
}

fn whole(text: String) -> UnsyncBoxBody<Bytes, String> {
    Full::from(text).map_err(|never| match never {}).boxed_unsync()
}

fn walk(folder: &std::path::Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path.display().to_string());
        }
    }
}
