//! Any HTTP client will do: it sends what it was told, and has no credentials.

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use mediaflow::storage::SignedRequest;
use tokio::net::TcpStream;

use crate::Anyhow;

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) cache_control: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) async fn send(request: &SignedRequest, body: &[u8]) -> Anyhow<Answer> {
    let rest = request.url.strip_prefix("http://").ok_or("this client knows no TLS")?;
    let (host, path) = rest.split_once('/').ok_or("no path")?;
    let mut sent = Request::builder().method(request.method.as_str()).uri(format!("/{path}"));
    for (name, value) in &request.headers {
        // As every client does, it says the length of what it really sends.
        let value = if name == "content-length" { body.len().to_string() } else { value.clone() };
        sent = sent.header(name, value);
    }
    let sent = sent.header("host", host).body(Full::new(Bytes::copy_from_slice(body)))?;
    let (mut sender, connection) = handshake(TokioIo::new(TcpStream::connect(host).await?)).await?;
    tokio::spawn(connection);
    let answer = sender.send_request(sent).await?;
    let header = |name: &str| {
        let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    Ok(Answer {
        status: answer.status().as_u16(),
        content_type: header("content-type"),
        cache_control: header("cache-control"),
        body: answer.into_body().collect().await?.to_bytes().to_vec(),
    })
}
