//! The few requests of S3 that `object_store` has no words for, signed in their URL and sent by its client.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use object_store::Error as StoreError;
use object_store::aws::AmazonS3;
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};
use object_store::path::Path;
use object_store::signer::{HeaderName, HeaderValue, Signer as _, Url};
use rusty_s3::Method;
use rusty_s3::signing::sign;

/// Name and value.
pub(super) type Pair<'a> = (&'a str, &'a str);

/// A bucket, reached by requests of our own.
pub(super) struct Api {
    store: AmazonS3,
    client: HttpClient,
    region: String,
    pub(super) bucket: String,
}

/// How long a request of our own may be on its way before it begins.
const VALID: Duration = Duration::from_secs(900);
const TRIES: u32 = 4;

/// An answer that was read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Api {
    pub(super) fn new(store: AmazonS3, client: HttpClient, region: String, bucket: String) -> Self {
        Self { store, client, region, bucket }
    }

    pub(super) fn store(&self) -> &AmazonS3 {
        &self.store
    }

    /// The URL of a request that needs no other credentials, for as long as it is valid.
    pub(super) async fn signed(
        &self,
        method: Method,
        place: &Path,
        query: &[Pair<'_>],
        headers: &[Pair<'_>],
        valid: Duration,
    ) -> Result<Url, StoreError> {
        let credential = self.store.credentials().get_credential().await?;
        // Where it is, as the store itself would ask for it.
        let get = object_store::signer::Method::GET;
        let mut url = self.store.signed_url(get, place, VALID).await?;
        url.set_query(None);
        let (mut query, mut headers) = (query.to_vec(), headers.to_vec());
        query.sort_unstable();
        headers.sort_unstable();
        Ok(sign(
            &Timestamp::now(),
            method,
            url,
            &credential.key_id,
            &credential.secret_key,
            credential.token.as_deref(),
            &self.region,
            valid.as_secs(),
            query.iter().copied(),
            headers.iter().copied(),
        ))
    }

    /// Sends a request until it is answered with something that will not pass. It must be one that may arrive twice.
    pub(super) async fn send(
        &self,
        method: Method,
        place: &Path,
        query: &[Pair<'_>],
        headers: &[Pair<'_>],
        body: &str,
    ) -> Result<Answer, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = self.once(method, place, query, headers, body).await;
            let passes = match &answer {
                Ok(answer) => answer.status >= 500 && answer.status != 501 || answer.status == 429,
                Err(_) => true,
            };
            if !passes || tries == TRIES {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100) * 2_u32.pow(tries)).await;
        }
    }

    async fn once(
        &self,
        method: Method,
        place: &Path,
        query: &[Pair<'_>],
        headers: &[Pair<'_>],
        body: &str,
    ) -> Result<Answer, StoreError> {
        let url = self.signed(method, place, query, headers, VALID).await?;
        let mut request = HttpRequest::new(HttpRequestBody::from(body.to_owned()));
        *request.method_mut() = method.to_str().parse().map_err(failure)?;
        *request.uri_mut() = url.as_str().parse().map_err(failure)?;
        let length = body.len().to_string();
        for (name, value) in headers.iter().chain(&[("content-length", length.as_str())]) {
            let name: HeaderName = name.parse().map_err(failure)?;
            let value = HeaderValue::from_str(value).map_err(failure)?;
            request.headers_mut().insert(name, value);
        }
        let response = self.client.execute(request).await.map_err(failure)?;
        let status = response.status().as_u16();
        let body = response.into_body().bytes().await.map_err(failure)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        // A copy is answered before it is made; what went wrong then stands in the body.
        let status = match status {
            200 if body.contains("<Error>") => 500,
            status => status,
        };
        Ok(Answer { status, body })
    }
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it says this.
    pub(super) fn says(&self, code: &str) -> bool {
        self.body.contains(&format!("<Code>{code}</Code>"))
    }

    /// As the store itself would tell it.
    pub(super) fn into_error(self) -> StoreError {
        failure(format!("status code: {} {}", self.status, self.body))
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

pub(super) fn failure(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Generic { store: "S3", source: source.into() }
}
