use std::time::{Duration, Instant, SystemTime};

use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, LOCATION};
use reqwest::{Response, StatusCode};
use tokio::fs::OpenOptions;
use tokio::io::{AsyncWriteExt as _, BufWriter};
use tokio::time::timeout;
use url::Url;

use super::client::{GuardedClient, Settings};
use super::post;
use super::shown::{broken, parse, shown};
use crate::codes;
use crate::limits::over;
use crate::media::{Blob, Scratch};
use crate::spec::Source;
use crate::{Error, Result, Retry};

impl GuardedClient {
    /// Fetches a URL into a temporary file, which goes with the last clone of the blob; on an error nothing stays. At
    /// most `max_bytes` are accepted, whatever the server announces.
    ///
    /// # Errors
    /// The URL is refused: `http.url`, `http.scheme`, `http.credentials`, `http.forbidden_address`, `http.redirect`.
    /// The server answers otherwise: `http.status` (retried if it is 408, 425, 429 or 5xx, after what `Retry-After`
    /// asks for), `http.encoding`, `limit.input_bytes`. It may work later: `http.dns`, `http.connect`, `http.broken`,
    /// `http.stalled`, `http.slow`, `http.timeout`. `scratch.io`.
    pub async fn fetch(&self, url: &str, max_bytes: u64, scratch: &Scratch) -> Result<Blob> {
        let url = parse(url).map_err(|e| e.with("url", Source::Url(url.to_owned())))?;
        let url = without_credentials(url)?;
        let limit = self.settings.fetch_timeout;
        timeout(limit, self.fetch_all(url.clone(), max_bytes, scratch)).await.unwrap_or_else(|_| {
            Err(Error::transient(
                codes::HTTP_TIMEOUT,
                "the server took too long to send everything",
            )
            .with("url", shown(&url))
            .with("timeout", format_args!("{limit:?}")))
        })
    }

    async fn fetch_all(&self, url: Url, max_bytes: u64, scratch: &Scratch) -> Result<Blob> {
        let (url, mut response) = self.head(url).await?;
        check_head(&response, &url, max_bytes)?;

        let path = scratch.file("download")?;
        let file = OpenOptions::new().write(true).open(&path).await.map_err(not_written)?;
        let mut file = BufWriter::with_capacity(256 << 10, file);
        let mut written = 0_u64;
        let mut pace = Pace::new(&self.settings);
        while let Some(chunk) = self.unless_stalled(&url, response.chunk()).await? {
            written = written.saturating_add(chunk.len() as u64);
            if written > max_bytes {
                return Err(over(codes::LIMIT_INPUT_BYTES, "input_bytes", written, max_bytes)
                    .with("url", shown(&url)));
            }
            pace.brought(chunk.len() as u64).map_err(|e| e.with("url", shown(&url)))?;
            file.write_all(&chunk).await.map_err(not_written)?;
        }
        file.flush().await.map_err(not_written)?;
        Blob::temp(path)
    }

    /// The first answer that is no redirect, and the URL that gave it.
    async fn head(&self, mut url: Url) -> Result<(Url, Response)> {
        let mut hops = self.settings.redirects;
        loop {
            let client = self.client_for(&url).map_err(|e| e.with("url", shown(&url)))?;
            let request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
            let response = self.unless_stalled(&url, request.send()).await?;
            let Some(next) = redirect(&response, &url)? else { return Ok((url, response)) };
            hops = hops.checked_sub(1).ok_or_else(|| {
                Error::input(codes::HTTP_REDIRECT, "the server redirects, which is not followed")
                    .with("url", shown(&url))
                    .with("to", shown(&next))
                    .help("give the final URL, or allow more with `allow_redirects()`")
            })?;
            url = next;
        }
    }

    async fn unless_stalled<T>(
        &self,
        url: &Url,
        step: impl Future<Output = reqwest::Result<T>>,
    ) -> Result<T> {
        let limit = self.settings.stall_timeout;
        match timeout(limit, step).await {
            Ok(done) => done.map_err(|e| broken(e).with("url", shown(url))),
            Err(_) => Err(Error::transient(codes::HTTP_STALLED, "the server stopped sending")
                .with("url", shown(url))
                .with("timeout", format_args!("{limit:?}"))),
        }
    }
}

/// Counts what comes in each window of time, so that a server which sends a byte now and then is given up, however well
/// it began.
struct Pace {
    window: Duration,
    rate: u64,
    begun: Instant,
    bytes: u64,
}

impl Pace {
    fn new(settings: &Settings) -> Self {
        let (window, rate) = (settings.stall_timeout, settings.source_rate);
        Self { window, rate, begun: Instant::now(), bytes: 0 }
    }

    fn brought(&mut self, bytes: u64) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        let elapsed = self.begun.elapsed();
        if elapsed < self.window {
            return Ok(());
        }
        // In thousandths, because a window can be shorter than a second.
        let wanted = u128::from(self.rate) * elapsed.as_millis();
        if u128::from(self.bytes) * 1000 < wanted {
            return Err(Error::transient(codes::HTTP_SLOW, "the server sends too slowly")
                .with("limit", "source_rate")
                .with("bytes", self.bytes)
                .with("time", format_args!("{elapsed:.1?}"))
                .with("least", format_args!("{} bytes per second", self.rate))
                .help("try again, put the file into a storage, or lower `Limits::source_rate`"));
        }
        (self.begun, self.bytes) = (Instant::now(), 0);
        Ok(())
    }
}

/// Where a redirect leads, if the answer is one. Its address is checked when it is asked.
fn redirect(response: &Response, url: &Url) -> Result<Option<Url>> {
    let status = response.status();
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let Some(next) = target.and_then(|target| url.join(target).ok()) else {
        return Err(Error::input(codes::HTTP_REDIRECT, "the server redirects to no URL")
            .with("url", shown(url)));
    };
    if url.scheme() == "https" && next.scheme() == "http" {
        return Err(Error::input(codes::HTTP_REDIRECT, "the server redirects from https to http")
            .with("url", shown(url))
            .with("to", shown(&next)));
    }
    without_credentials(next).map(Some)
}

fn check_head(response: &Response, url: &Url, max_bytes: u64) -> Result<()> {
    if response.status() != StatusCode::OK {
        return Err(status_error(response, SystemTime::now()).with("url", shown(url)));
    }
    if let Some(encoding) =
        response.headers().get(CONTENT_ENCODING).filter(|value| *value != "identity")
    {
        let encoding = encoding.to_str().unwrap_or("?").escape_debug().to_string();
        return Err(Error::input(
            codes::HTTP_ENCODING,
            "the server compresses although it was asked not to",
        )
        .with("encoding", encoding)
        .with("url", shown(url)));
    }
    match response.content_length() {
        Some(length) if length > max_bytes => {
            Err(over(codes::LIMIT_INPUT_BYTES, "input_bytes", length, max_bytes)
                .with("url", shown(url)))
        }
        _ => Ok(()),
    }
}

fn status_error(response: &Response, now: SystemTime) -> Error {
    let status = response.status();
    let retryable = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
    let error = if retryable {
        let wait: Option<Duration> = post::retry_after(response.headers(), now);
        Error::transient(codes::HTTP_STATUS, "the server can not answer at the moment")
            .retrying(wait.map_or(Retry::Backoff, Retry::After))
    } else {
        Error::input(codes::HTTP_STATUS, "the server does not give the file")
            .help("check the URL, and who may read it")
    };
    error.with("status", status.as_u16())
}

fn without_credentials(url: Url) -> Result<Url> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(url);
    }
    Err(Error::input(codes::HTTP_CREDENTIALS, "a source's URL must not carry credentials")
        .with("url", shown(&url))
        .help("sign the URL, or put the file into a storage"))
}

fn not_written(error: std::io::Error) -> Error {
    Error::transient(codes::SCRATCH_IO, "a temporary file could not be written")
        .help("free space in the scratch folder")
        .because(error)
}
