use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use mediaflow_core::storage::{SignPut, SignedRequest};
use mediaflow_core::{Error, Result, codes};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, ObjectStore as _, ObjectStoreExt as _, PutMultipartOptions,
};
use rusty_s3::Method;

use super::api::{Answer, Api, Pair};
use super::listing;
use crate::failure::{failed, is_missing};
use crate::native::{Copied, Copy, Native, There, Upload};

/// S3 copies no larger object in one request.
const COPY_LIMIT: u64 = 5 << 30;
/// How large the parts of a copy in several requests are, in bytes.
const PART: u64 = 1 << 30;
/// S3 takes no smaller part but the last.
const SMALLEST_PART: u64 = 5 << 20;
/// How many of them are under way at once.
const IN_FLIGHT: usize = 4;

/// What S3 can do beyond the common interface.
#[derive(Debug)]
pub(super) struct NativeS3 {
    api: Api,
    /// Objects above this many bytes are copied in parts.
    copy_limit: u64,
    /// Of so many bytes.
    part: u64,
}

impl NativeS3 {
    pub(super) fn new(api: Api, copy_limit: Option<u64>) -> Self {
        let copy_limit = copy_limit.unwrap_or(COPY_LIMIT).clamp(SMALLEST_PART, COPY_LIMIT);
        Self { api, copy_limit, part: PART.min(copy_limit) }
    }

    /// One request, one act.
    async fn copy_whole(&self, copy: &Copy<'_>) -> Result<Copied, StoreError> {
        let source = self.source(copy.from);
        let mut headers = vec![("x-amz-copy-source", source.as_str())];
        headers.extend(copy.version.map(|version| ("x-amz-copy-source-if-match", version)));
        headers.extend(condition(copy.there));
        let answer = self.api.send(Method::Put, copy.to, &[], &headers, "").await?;
        if answer.status == 501 && copy.there != There::Something && !copy.required {
            // It knows no conditions; see the documentation of the crate.
            headers.retain(|(name, _)| !name.starts_with("if-"));
            return copied(self.api.send(Method::Put, copy.to, &[], &headers, "").await?);
        }
        copied(answer)
    }

    /// Several requests, none of which carries the bytes; the last one is the act.
    async fn copy_in_parts(&self, copy: &Copy<'_>) -> Result<Copied, StoreError> {
        // Of parts nothing is copied along but the bytes.
        let look = GetOptions { head: true, ..GetOptions::default() };
        let attributes = match self.api.store().get_opts(copy.from, look).await {
            Err(e) if is_missing(&e) => return Ok(Copied::Gone),
            found => found?.attributes,
        };
        let options = PutMultipartOptions::from(attributes);
        let id = self.api.store().create_multipart_opts(copy.to, options).await?;
        let upload = Upload { place: copy.to.clone(), id };
        let ended = self.parts(copy, &upload).await;
        let over = match &ended {
            Ok(Copied::Done) => Ok(()),
            _ => self.abort(&upload).await,
        };
        // What could not be given up is found by its note, and given up with the ticket.
        let over = match over {
            Ok(()) => self.api.store().delete(copy.note).await,
            over => over,
        };
        if let Err(e) = over
            && !is_missing(&e)
        {
            let error = failed("a copy in parts was not tidied up", &e);
            tracing::warn!(path = %copy.to, %error);
        }
        ended
    }

    async fn parts(&self, copy: &Copy<'_>, upload: &Upload) -> Result<Copied, StoreError> {
        let note = format!("{}\n{}", upload.id, upload.place);
        self.api.store().put(copy.note, note.into()).await?;
        let ranges = (0..copy.len.div_ceil(self.part)).map(|number| {
            let begin = number * self.part;
            (number + 1, begin..copy.len.min(begin + self.part))
        });
        let parts: Result<Vec<String>, Stop> = stream::iter(ranges)
            .map(|(number, range)| self.part(copy, upload, number, range))
            .buffered(IN_FLIGHT)
            .try_collect()
            .await;
        let parts = match parts {
            Ok(parts) => parts,
            Err(Stop::Ended(copied)) => return Ok(copied),
            Err(Stop::Failed(error)) => return Err(error),
        };
        let body = listing::completion(&parts);
        let query = [("uploadId", upload.id.as_str())];
        let headers: Vec<Pair<'_>> = condition(copy.there).into_iter().collect();
        let answer = self.api.send(Method::Post, copy.to, &query, &headers, &body).await?;
        if answer.status == 404 || answer.says("NoSuchUpload") {
            // Given up by whoever revoked it; or completed, and nobody heard of it.
            return Ok(Copied::Gone);
        }
        copied(answer)
    }

    /// Copies a part; gives its `ETag`.
    async fn part(
        &self,
        copy: &Copy<'_>,
        upload: &Upload,
        number: u64,
        range: Range<u64>,
    ) -> Result<String, Stop> {
        let (number, source) = (number.to_string(), self.source(copy.from));
        let range = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        let query = [("partNumber", number.as_str()), ("uploadId", upload.id.as_str())];
        let mut headers =
            vec![("x-amz-copy-source", source.as_str()), ("x-amz-copy-source-range", &*range)];
        headers.extend(copy.version.map(|version| ("x-amz-copy-source-if-match", version)));
        let answer = self.api.send(Method::Put, copy.to, &query, &headers, "").await?;
        if answer.is_success() {
            let etag = listing::part_etag(&answer.body);
            return etag.ok_or_else(|| Stop::Failed(answer.into_error()));
        }
        // What is copied has changed: there is no other condition here.
        match copied(answer)? {
            Copied::Conflict | Copied::Gone | Copied::Done => Err(Stop::Ended(Copied::Gone)),
        }
    }

    fn source(&self, from: &Path) -> String {
        listing::encode(&format!("{}/{from}", self.api.bucket))
    }
}

/// Why the parts of a copy end early.
enum Stop {
    Ended(Copied),
    Failed(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

#[async_trait]
impl Native for NativeS3 {
    async fn copy(&self, copy: &Copy<'_>) -> Result<Copied, StoreError> {
        if copy.len <= self.copy_limit {
            self.copy_whole(copy).await
        } else {
            self.copy_in_parts(copy).await
        }
    }

    async fn uploads(&self, prefix: &Path) -> Result<Option<Vec<Upload>>, StoreError> {
        let (prefix, mut marker) = (format!("{prefix}/"), None::<(String, String)>);
        let mut found = Vec::new();
        loop {
            let mut query = vec![("prefix", prefix.as_str()), ("uploads", "")];
            if let Some((key, id)) = &marker {
                query.extend([("key-marker", key.as_str()), ("upload-id-marker", id.as_str())]);
            }
            let answer = self.api.send(Method::Get, &Path::default(), &query, &[], "").await?;
            if matches!(answer.status, 400 | 404 | 405 | 501) && !answer.says("NoSuchBucket") {
                tracing::debug!(
                    status = answer.status,
                    "the store does not list multipart uploads"
                );
                return Ok(None);
            }
            if !answer.is_success() {
                return Err(answer.into_error());
            }
            let page = listing::uploads(&answer.body)?;
            found.extend(page.uploads);
            marker = page.next;
            if marker.is_none() {
                return Ok(Some(found));
            }
        }
    }

    async fn abort(&self, upload: &Upload) -> Result<(), StoreError> {
        let query = [("uploadId", upload.id.as_str())];
        let answer = self.api.send(Method::Delete, &upload.place, &query, &[], "").await?;
        match answer.is_success() || answer.status == 404 || answer.says("NoSuchUpload") {
            true => Ok(()),
            false => Err(answer.into_error()),
        }
    }

    fn longest(&self) -> Duration {
        Duration::from_secs(7 * 24 * 3600)
    }

    async fn sign_get(&self, place: &Path, expires_in: Duration) -> Result<SignedRequest> {
        self.sign(Method::Get, place, &[], expires_in).await
    }

    async fn sign_put(
        &self,
        place: &Path,
        put: &SignPut,
        expires_in: Duration,
    ) -> Result<SignedRequest> {
        let headers = super::sign::headers(put)?;
        let headers: Vec<Pair<'_>> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.sign(Method::Put, place, &headers, expires_in).await
    }
}

/// What has to be at the place, as a header.
fn condition(there: There<'_>) -> Option<Pair<'_>> {
    match there {
        There::Nothing => Some(("if-none-match", "*")),
        There::Version(version) => Some(("if-match", version)),
        There::Something => None,
    }
}

fn copied(answer: Answer) -> Result<Copied, StoreError> {
    match answer.status {
        200..300 => Ok(Copied::Done),
        404 if !answer.says("NoSuchBucket") => Ok(Copied::Gone),
        // Either what was to be copied or what is there; the next look tells.
        409 | 412 => Ok(Copied::Conflict),
        _ => Err(answer.into_error()),
    }
}

impl NativeS3 {
    async fn sign(
        &self,
        method: Method,
        place: &Path,
        headers: &[Pair<'_>],
        expires_in: Duration,
    ) -> Result<SignedRequest> {
        if expires_in < Duration::from_secs(1) || expires_in > self.longest() {
            return Err(Error::input(
                codes::STORAGE_EXPIRY,
                "a request can not be signed for so long",
            )
            .with("expires_in", format_args!("{} s", expires_in.as_secs()))
            .help("choose 1 second to 7 days"));
        }
        let expires_at = mediaflow_core::Timestamp::from(std::time::SystemTime::now())
            .plus(Duration::from_secs(expires_in.as_secs()));
        let url = self
            .api
            .signed(method, place, &[], headers, expires_in)
            .await
            .map_err(|e| failed("the request can not be signed", &e))?;
        let request = SignedRequest::new(method.to_str(), url, expires_at);
        Ok(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
    }
}
