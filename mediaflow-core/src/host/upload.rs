use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{JobHandle, Mediaflow};
use crate::codes;
use crate::executor::{Executor, Resources};
use crate::media::Format;
use crate::spec::{IntoSpec, Location, Precondition, PutOptions, Source};
use crate::storage::{GetOptions, SignPut, SignedRequest, Staged, Stat, Storage, Ticket};
use crate::time::Timestamp;
use crate::{CancellationToken, Error, Result, limits};

/// How long after the URL has expired an upload that was in time can be completed: what was begun then may still be on its
/// way.
const LATE: Duration = Duration::from_secs(15 * 60);
/// How often what was never completed is looked for.
const SWEEP: Duration = Duration::from_secs(3600);
/// The metadata by which an upload is known at its place.
const MARK: &str = "mediaflow-upload";
/// How the names begin under which uploads are staged.
const STAGED: &str = "upload_";

/// Lets somebody send a file straight to a storage, past this process: a signed request to a place where nobody sees it,
/// and, once it is there, a check and a move.
///
/// A browser is let through by the bucket only if its CORS rules allow `PUT` from the page, with the headers of the request.
///
/// ```no_run
/// # async fn example(media: mediaflow_core::Mediaflow) -> mediaflow_core::Result<()> {
/// use mediaflow_core::spec::Pipeline;
///
/// // A first request of the browser: it wants to send a JPEG of so many bytes.
/// let upload = media.upload("uploads/2026/cat.jpg", "image/jpeg", 123_456).start().await?;
/// let answer = serde_json::to_string(&upload.request).unwrap(); // method, url, headers: the browser's to send
/// let kept = serde_json::to_string(&upload.session).unwrap();   // the host's to keep
///
/// // A second one: it has sent it.
/// let session = serde_json::from_str(&kept).unwrap();
/// let job = media
///     .complete_and_submit(&session, |photo| Pipeline::from(photo).output("public/cat.jpg", |photo| photo).build())
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct UploadBuilder<'a> {
    media: &'a Mediaflow,
    place: String,
    content_type: String,
    bytes: u64,
    expires_in: Duration,
    options: PutOptions,
    precondition: Option<Precondition>,
}

/// An upload that has begun.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Upload {
    /// What completes it. The host keeps it.
    pub session: UploadSession,
    /// What sends the file. It goes to whoever has the file.
    pub request: SignedRequest,
}

/// What a host keeps of an upload between its begin and its end. It is no secret, but it is believed: a client may have its
/// id, not the whole of it to give back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct UploadSession {
    /// The version of this form: 1.
    pub v: u32,
    /// Its name.
    pub id: Uuid,
    /// Where the file belongs, `storage/key`.
    pub place: String,
    /// What it was announced as.
    pub content_type: String,
    /// How many bytes were announced.
    pub bytes: u64,
    /// Until when it can be sent. It can be completed for 15 minutes longer.
    pub expires_at: Timestamp,
    /// What has to be at its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precondition: Option<Precondition>,
}

/// A file that was uploaded, checked and moved to its place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Uploaded {
    /// For a job.
    pub source: Source,
    /// What its content is.
    pub format: Format,
    /// How many bytes it has.
    pub bytes: u64,
}

impl UploadBuilder<'_> {
    /// How long the request can be sent. Default: 15 minutes.
    pub fn expires_in(self, time: Duration) -> Self {
        Self { expires_in: time, ..self }
    }

    /// What is stored with the file beside its content type. Whoever sends the file has to send it as headers.
    pub fn put(self, options: PutOptions) -> Self {
        Self { options, ..self }
    }

    /// What has to be at its place when it is completed.
    pub fn precondition(self, precondition: Precondition) -> Self {
        Self { precondition: Some(precondition), ..self }
    }

    /// Signs the request. Nothing is stored anywhere.
    ///
    /// # Errors
    /// `limit.input_bytes`, `upload.size` for no bytes, `spec.put`, `storage.unknown`, `storage.key`, `storage.unsupported`
    /// if the storage can not sign, and those of [`Sign`](crate::storage::Sign).
    pub async fn start(self) -> Result<Upload> {
        let resources = &self.media.0.executor.0;
        let location: Location = self.place.parse()?;
        if self.bytes == 0 {
            return Err(Error::input(codes::UPLOAD_SIZE, "an upload has at least one byte"));
        }
        let allowed = resources.limits.input_bytes;
        if self.bytes > allowed {
            return Err(limits::over(codes::LIMIT_INPUT_BYTES, "input_bytes", self.bytes, allowed));
        }
        let options = self.options.clone().content_type(&self.content_type);
        options.validate()?;
        if let Some(precondition) = &self.precondition {
            precondition.validate()?;
        }
        let session = UploadSession {
            v: 1,
            id: Uuid::now_v7(),
            place: self.place,
            content_type: self.content_type,
            bytes: self.bytes,
            expires_at: resources.clock.now().plus(self.expires_in),
            precondition: self.precondition,
        };
        let mut options = resources.storages.put_options(&location, &options);
        options.metadata.insert(MARK.to_owned(), session.id.simple().to_string());
        let storage = resources.storages.of(&location)?;
        let sign = storage.sign().ok_or_else(|| {
            Error::unsupported(codes::STORAGE_UNSUPPORTED, "this storage takes no direct uploads")
                .with("storage", &location.storage)
                .help("take the file yourself and put it there, or use S3")
        })?;
        let put = SignPut::exactly(session.bytes).options(options);
        let ticket = session.ticket()?;
        let request = sign.sign_stage(&location.key, &ticket, &put, self.expires_in).await?;
        Ok(Upload { session, request })
    }
}

impl UploadSession {
    /// Its name says when it may be removed, so that whoever finds it needs no other record.
    fn ticket(&self) -> Result<Ticket> {
        Ticket::new(
            format!("{STAGED}{}_{}", self.expires_at.seconds(), self.id.simple()),
            0,
            "file",
        )
    }

    fn told(&self, error: Error) -> Error {
        error.with("upload", self.id).with("place", &self.place)
    }
}

impl Mediaflow {
    /// Begins a direct upload of so many bytes to `storage/key`, announced as this content type: see [`UploadBuilder`].
    pub fn upload(
        &self,
        place: impl Into<String>,
        content_type: impl Into<String>,
        bytes: u64,
    ) -> UploadBuilder<'_> {
        UploadBuilder {
            media: self,
            place: place.into(),
            content_type: content_type.into(),
            bytes,
            expires_in: Duration::from_secs(15 * 60),
            options: PutOptions::new(),
            precondition: None,
        }
    }

    /// Checks what was sent, size and content against what was announced, and moves it to its place in one act. Exactly
    /// what was checked is moved: what is sent afterwards changes nothing.
    ///
    /// # Errors
    /// `upload.missing` if nothing was sent (yet), `upload.size` and `upload.content` if it is something else than was
    /// announced (until it expires it can be sent again), `upload.changed` (transient) if it was sent again meanwhile,
    /// `upload.completed` if it was completed before, `upload.expired` if that is too late; `storage.precondition`,
    /// `storage.io`.
    pub async fn complete_upload(&self, session: &UploadSession) -> Result<Uploaded> {
        self.completed(session).await.map_err(|error| session.told(error))
    }

    /// [`Mediaflow::complete_upload`], and a job with the file as its source. An upload has one job, however often this is called:
    /// it can be repeated until it succeeds, also if a process ended in between.
    ///
    /// # Errors
    /// Those of [`Mediaflow::complete_upload`] but `upload.completed`, and of [`Mediaflow::submit`].
    pub async fn complete_and_submit<J: IntoSpec>(
        &self,
        session: &UploadSession,
        make: impl FnOnce(Source) -> Result<J>,
    ) -> Result<JobHandle> {
        let mut spec = make(session.place.as_str().into())?.into_spec()?;
        let key = || format!("upload:{}", session.id);
        spec.options.idempotency_key.get_or_insert_with(key);
        // Before the file moves: a mistake in the job must not use up the upload.
        let spec = self.0.executor.check(spec)?;
        match self.complete_upload(session).await {
            Ok(_) => {}
            Err(error) if error.code() == codes::UPLOAD_COMPLETED => {}
            Err(error) => return Err(error),
        }
        self.submit(spec).await
    }

    /// Removes what was sent for uploads that were not completed in time, in all storages; gives their number. Every process
    /// does so once an hour.
    pub async fn collect_uploads(&self) -> usize {
        collect(&self.0.executor).await
    }

    /// Collects once an hour, if any storage takes uploads.
    pub(super) async fn sweep_uploads(executor: Executor, stopped: CancellationToken) {
        if !executor.0.storages.iter().any(|(_, storage)| storage.sign().is_some()) {
            return;
        }
        let passed = || stopped.run_until_cancelled(tokio::time::sleep(SWEEP));
        while passed().await.is_some() {
            collect(&executor).await;
        }
    }

    async fn completed(&self, session: &UploadSession) -> Result<Uploaded> {
        let resources = &self.0.executor.0;
        let (location, ticket) = (session.place.parse::<Location>()?, session.ticket()?);
        let storage = resources.storages.of(&location)?;
        let staged = match storage.staged(&location.key, &ticket).await {
            Ok(staged) => staged,
            Err(error) if error.code() == codes::STORAGE_NOT_FOUND => {
                return Err(self.nothing_staged(session, storage, &location).await);
            }
            Err(error) => return Err(error),
        };
        // In both cases it is dropped, and so discarded.
        if is_mine(session, storage.stat(&location.key).await.as_ref().ok()) {
            return Err(completed());
        }
        if self.is_late(session) {
            return Err(expired());
        }
        let checked = check(session, &*staged, resources).await;
        let moved = match checked {
            Err(error) => {
                staged.keep();
                Err(error)
            }
            Ok((format, stat)) => {
                let moved = staged.publish(session.precondition.as_ref()).await;
                moved.map(|()| Uploaded {
                    source: session.place.as_str().into(),
                    format,
                    bytes: stat.len,
                })
            }
        };
        match moved {
            Err(error) if error.code() == codes::STORAGE_REVOKED => {
                let there = storage.stat(&location.key).await;
                Err(if is_mine(session, there.as_ref().ok()) { completed() } else { changed() })
            }
            moved => moved,
        }
    }

    /// Why there is nothing to complete.
    async fn nothing_staged(
        &self,
        session: &UploadSession,
        storage: &Arc<dyn Storage>,
        location: &Location,
    ) -> Error {
        match storage.stat(&location.key).await {
            Err(error) if error.code() != codes::STORAGE_NOT_FOUND => error,
            there if is_mine(session, there.as_ref().ok()) => completed(),
            _ if self.is_late(session) => expired(),
            _ => Error::input(codes::UPLOAD_MISSING, "nothing was uploaded")
                .help("send the file with the signed request, then complete it again"),
        }
    }

    fn is_late(&self, session: &UploadSession) -> bool {
        self.0.executor.0.clock.now() > session.expires_at.plus(LATE)
    }
}

/// Compares what was sent with what was announced.
async fn check(
    session: &UploadSession,
    staged: &dyn Staged,
    resources: &Resources,
) -> Result<(Format, Stat)> {
    let stat = staged.stat().await?;
    if stat.len != session.bytes {
        return Err(Error::input(codes::UPLOAD_SIZE, "the upload has another size than announced")
            .with("found", stat.len)
            .with("announced", session.bytes));
    }
    let head = GetOptions::new().range(0..Format::SNIFF_BYTES as u64);
    let head = staged.get(&head, &resources.scratch).await?;
    let read = tokio::task::spawn_blocking(move || head.head(Format::SNIFF_BYTES)).await;
    let head = read.map_err(|e| {
        Error::internal(codes::STORAGE_IO, "the look at an upload was interrupted").because(e)
    })??;
    let wrong = |found: &str| {
        Error::input(codes::UPLOAD_CONTENT, "the upload is something else than announced")
            .with("found", found)
            .with("announced", &session.content_type)
    };
    let registry = &resources.registry;
    let format = registry.sniff(&head).ok_or_else(|| wrong("nothing that is known"))?;
    let found = registry.mime(&format);
    if fits(&session.content_type, found) { Ok((format, stat)) } else { Err(wrong(found)) }
}

/// Whether content of this type may be announced so. Of sound and film the container is sniffed, not what it holds.
fn fits(announced: &str, found: &str) -> bool {
    let announced = announced.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let container = |text: &str| {
        let (class, kind) = text.split_once('/')?;
        matches!(class, "audio" | "video").then(|| kind.to_owned())
    };
    announced == found || container(&announced).is_some_and(|kind| container(found) == Some(kind))
}

/// Whether what is there came by this upload.
fn is_mine(session: &UploadSession, there: Option<&Stat>) -> bool {
    let mark = there.and_then(|there| there.options.metadata.get(MARK));
    mark.is_some_and(|mark| *mark == session.id.simple().to_string())
}

fn completed() -> Error {
    Error::input(codes::UPLOAD_COMPLETED, "the upload was completed before")
}

fn changed() -> Error {
    Error::transient(codes::UPLOAD_CHANGED, "the upload was sent again while it was completed")
        .help("complete it again")
}

fn expired() -> Error {
    Error::input(codes::UPLOAD_EXPIRED, "the upload was not completed in time")
        .help("begin another one; a longer time is said by `expires_in()`")
}

async fn collect(executor: &Executor) -> usize {
    let (now, mut count) = (executor.0.clock.now(), 0);
    for (name, storage) in executor.0.storages.iter() {
        if storage.sign().is_none() {
            continue;
        }
        let collected = async {
            let late = |job: &String| {
                let expires = job.strip_prefix(STAGED).and_then(|rest| rest.split('_').next());
                let seconds = expires.and_then(|seconds| seconds.parse::<u64>().ok());
                let at = |seconds: u64| Timestamp::from_millis(seconds.saturating_mul(1000));
                seconds.is_some_and(|seconds| now > at(seconds.saturating_add(1)).plus(LATE))
            };
            let staged: BTreeSet<_> =
                storage.staged_for().await?.into_iter().filter(late).collect();
            if !staged.is_empty() {
                storage.discard(&staged).await?;
            }
            Ok::<_, Error>(staged.len())
        };
        match collected.await {
            Ok(collected) => count += collected,
            Err(error) => {
                tracing::warn!(storage = name, %error, "old uploads could not be collected");
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_session_stays_readable() {
        let kept = r#"{"v":1,"id":"01890a5d-ac96-774b-bcce-b302099a8057","place":"uploads/cat.jpg","content_type":"image/jpeg","bytes":7,"expires_at":"2026-01-31T12:00:00.000Z","precondition":"if_none_match"}"#;
        let session: UploadSession = serde_json::from_str(kept).unwrap();
        assert_eq!(serde_json::to_string(&session).unwrap(), kept);
        let ticket = session.ticket().unwrap();
        assert_eq!(ticket.job(), "upload_1769860800_01890a5dac96774bbcceb302099a8057");
    }

    #[test]
    fn announced_types_are_compared_with_what_is_there() {
        for (announced, found, expected) in [
            ("image/jpeg", "image/jpeg", true),
            ("Image/JPEG; q=1", "image/jpeg", true),
            ("image/png", "image/jpeg", false),
            ("audio/mp4", "video/mp4", true),
            ("image/mp4", "video/mp4", false),
            ("text/html", "image/jpeg", false),
            ("", "image/jpeg", false),
        ] {
            assert_eq!(fits(announced, found), expected, "{announced} {found}");
        }
    }
}
