//! A plain HTTP client: what it is told to send, and nothing of its own but the host and the length.

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use mediaflow_core::storage::SignedRequest;

/// Gives the status and the body of the answer.
pub(crate) async fn send(request: SignedRequest, body: Vec<u8>) -> (u16, Vec<u8>) {
    let (_, rest) = request.url.split_once("://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut wanted = Request::builder()
        .method(request.method.as_str())
        .uri(format!("/{path}"))
        .header("host", host);
    for (name, value) in request.headers.iter().filter(|(name, _)| *name != "content-length") {
        wanted = wanted.header(name, value);
    }
    let wanted = wanted.header("content-length", body.len()).body(Full::<Bytes>::from(body));
    let socket = tokio::net::TcpStream::connect(host).await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    let answer = sender.send_request(wanted.unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
}
