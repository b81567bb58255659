//! What Amazon's manual says and the server leaves out: conditions on copies, and the list of multipart uploads.

use std::sync::Mutex;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use hyper::{Request, Response};
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use s3s::service::S3Service;

use super::{BUCKET, KEY_ID, SECRET};

/// Keys and ids of the uploads that have begun.
#[derive(Default)]
pub(crate) struct Uploads(Mutex<Vec<(String, String)>>);

impl Uploads {
    /// Notes what a request has done, if it was one of these; gives the answer back.
    pub(crate) async fn note(
        &self,
        method: &str,
        path: &str,
        query: &str,
        answer: Response<s3s::Body>,
    ) -> Response<s3s::Body> {
        let key = key_of(path);
        let id = value(query, "uploadId");
        if method == "POST" && query.split('&').any(|pair| pair == "uploads" || pair == "uploads=")
        {
            let (head, body) = answer.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let text = String::from_utf8_lossy(&body).into_owned();
            if let Some((_, rest)) = text.split_once("<UploadId>") {
                let id = rest.split('<').next().unwrap().to_owned();
                self.0.lock().unwrap().push((key, id));
            }
            return Response::from_parts(head, s3s::Body::from(body));
        }
        if let (Some(id), true) =
            (id, matches!(method, "POST" | "DELETE") && answer.status().is_success())
        {
            self.0.lock().unwrap().retain(|(_, known)| *known != id);
        }
        answer
    }

    /// The answer to `GET /bucket?uploads`.
    pub(crate) fn list(&self, query: &str) -> String {
        let prefix = value(query, "prefix").unwrap_or_default();
        let uploads = self.0.lock().unwrap();
        let found = uploads.iter().filter(|(key, _)| key.starts_with(&prefix));
        let found: String = found
            .map(|(key, id)| format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>"))
            .collect();
        format!(
            "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>{found}</ListMultipartUploadsResult>"
        )
    }

    /// Whether a request names an upload that has ended.
    pub(crate) fn is_gone(&self, query: &str) -> bool {
        let id = value(query, "uploadId");
        id.is_some_and(|id| self.0.lock().unwrap().iter().all(|(_, known)| *known != id))
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(key, _)| key.clone()).collect()
    }
}

/// Whether the conditions of a copy on its new place hold.
pub(crate) async fn holds(service: &S3Service, host: &str, request: &Request<s3s::Body>) -> bool {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
    let (wanted, absent) = (header("if-match"), header("if-none-match"));
    if wanted.is_none() && absent.is_none() {
        return true;
    }
    let endpoint = format!("http://{host}").parse().unwrap();
    let bucket = Bucket::new(endpoint, UrlStyle::Path, BUCKET, "us-east-1").unwrap();
    let credentials = Credentials::new(KEY_ID, SECRET);
    let key = key_of(request.uri().path());
    let url = bucket.head_object(Some(&credentials), &key).sign(Duration::from_secs(60));
    let uri = format!("{}?{}", url.path(), url.query().unwrap());
    let look = Request::head(uri).header("host", host).body(s3s::Body::from(Bytes::new())).unwrap();
    let found = service.call(look).await.unwrap();
    let there = found.headers().get("etag").map(|etag| etag.to_str().unwrap());
    if !found.status().is_success() {
        return wanted.is_none();
    }
    absent.is_none() && wanted == there
}

/// The key in a path, decoded.
fn key_of(path: &str) -> String {
    let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
    decode(key)
}

/// The value of a parameter, decoded.
fn value(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(known, _)| *known == name).map(|(_, value)| decode(value)).next()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            let digits = std::str::from_utf8(&digits).unwrap().to_owned();
            bytes.push(u8::from_str_radix(&digits, 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}
