use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::client::GuardedClient;
use super::guard;
use super::shown::{broken, parse};
use crate::codes;
use crate::{Error, Result};

/// How much is read of an answer. Services that answer 200 with an error inside, or repeat the message that they took, say so
/// in a few kilobytes.
const READ: usize = 64 << 10;
/// No server makes us wait longer.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The answer to a [`post`](GuardedClient::post) or a [`get`](GuardedClient::get), whatever its status.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Response {
    /// The status: 200.
    pub status: u16,
    /// What `Retry-After` asks for, as seconds or as a date, 24 h at most.
    pub retry_after: Option<Duration>,
    /// The beginning of the body: 64 KiB at most.
    pub body: Bytes,
    headers: HeaderMap,
}

impl Response {
    /// A header, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl GuardedClient {
    /// Posts a body and returns the answer, whatever its status; redirects are not followed. Credentials in the URL
    /// become an `Authorization` header. Nothing of the URL but its origin is in an error.
    ///
    /// # Errors
    /// The server was not asked: `http.url`, `http.scheme`, `http.header`, `http.forbidden_address`, `http.dns`,
    /// `http.connect`. It may have been asked: `http.timeout`, `http.broken`.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Response> {
        self.ask(Method::POST, url, headers, body.into()).await
    }

    /// Asks for something small and returns the answer, whatever its status; else as [`post`](GuardedClient::post). Files are
    /// [fetched](GuardedClient::fetch).
    ///
    /// # Errors
    /// As [`post`](GuardedClient::post).
    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Response> {
        self.ask(Method::GET, url, headers, Bytes::new()).await
    }

    async fn ask(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Response> {
        let url = parse(url)?;
        let origin = guard::origin(&url);
        self.ask_at(method, &url, headers, body).await.map_err(|e| e.with("origin", origin))
    }

    async fn ask_at(
        &self,
        method: Method,
        url: &Url,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Response> {
        let client = self.client_for(url)?;
        let request = client.request(method, url.clone()).headers(header_map(headers)?).body(body);
        let deadline = Instant::now() + self.settings.timeout;
        let mut answer = match timeout_at(deadline, request.send()).await {
            Ok(sent) => sent.map_err(broken)?,
            Err(_) => {
                return Err(Error::transient(
                    codes::HTTP_TIMEOUT,
                    "the server did not answer in time",
                )
                .with("timeout", format_args!("{:?}", self.settings.timeout)));
            }
        };
        let mut body = BytesMut::new();
        // The status decides; a body that breaks off or takes too long is only kept as far as it came.
        while body.len() < READ {
            let Ok(Ok(Some(chunk))) = timeout_at(deadline, answer.chunk()).await else { break };
            body.extend_from_slice(&chunk);
        }
        body.truncate(READ);
        let retry_after = retry_after(answer.headers(), SystemTime::now());
        Ok(Response {
            status: answer.status().as_u16(),
            retry_after,
            body: body.freeze(),
            headers: std::mem::take(answer.headers_mut()),
        })
    }
}

fn header_map(headers: &[(&str, &str)]) -> Result<HeaderMap> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let (Ok(key), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(*value))
        else {
            return Err(Error::input(codes::HTTP_HEADER, "this header can not be sent")
                .with("header", name.escape_debug()));
        };
        map.append(key, value);
    }
    Ok(map)
}

/// What `Retry-After` asks for: seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_has_an_end() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        for (text, expected) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("999999999", Some(86_400)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("99999999999999999999999", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
    }
}
