use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::{Mutex, OnceCell};

use super::outcomes::{Outcomes, output_of};
use super::resources::Resources;
use crate::checksum::sha256;
use crate::codes;
use crate::id::JobId;
use crate::job::Prober;
use crate::media::{Blob, Format, MediaFile, MediaInfo};
use crate::spec::{Location, Pipeline, Source};
use crate::storage::GetOptions;
use crate::{Error, Limits, Result, RunContext};

/// A source: the file, and what its headers say.
type Found = (MediaFile, MediaInfo);

/// What one attempt knows of its job and its sources.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    /// What the job wants to be done.
    pub(super) pipeline: OnceCell<Pipeline>,
    known: Mutex<HashMap<Source, Arc<OnceCell<Found>>>>,
    /// Of all that was fetched.
    bytes: AtomicU64,
    hashes: Mutex<HashMap<Source, String>>,
}

/// The sources of one attempt: each is fetched and probed once, whoever asks.
pub(crate) struct Sources<'a> {
    resources: &'a Resources,
    cx: &'a RunContext,
    fetched: &'a Fetched,
    outcomes: Option<&'a dyn Outcomes>,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(
        resources: &'a Resources,
        cx: &'a RunContext,
        fetched: &'a Fetched,
        outcomes: Option<&'a dyn Outcomes>,
    ) -> Self {
        Self { resources, cx, fetched, outcomes }
    }

    pub(super) fn context(&self) -> &RunContext {
        self.cx
    }

    /// The file, and what its headers say. A second asker waits for the first's result.
    pub(crate) async fn get(&self, source: &Source) -> Result<Found> {
        let cell = {
            let mut known = self.fetched.known.lock().await;
            Arc::clone(known.entry(source.clone()).or_default())
        };
        let fetching = cell.get_or_try_init(async || {
            let file = self.fetch(source).await?;
            let info = self.resources.probe(&file, self.cx).await?;
            Ok((file, info))
        });
        tokio::select! {
            found = fetching => {
                found.cloned().map_err(|e: Error| e.with("source", source))
            }
            error = self.cx.stopped() => Err(error),
        }
    }

    /// The same of several, side by side, so many as [`Limits::fetches`] says; in their order.
    pub(super) async fn get_all(
        &self,
        sources: Vec<(String, Source)>,
    ) -> Vec<(String, Result<Found>)> {
        let fetch = |(name, source): (String, Source)| -> BoxFuture<'_, (String, Result<Found>)> {
            Box::pin(async move { (name, self.get(&source).await) })
        };
        let fetches: Vec<_> = sources.into_iter().map(fetch).collect();
        stream::iter(fetches).buffered(self.resources.limits.fetches.max(1)).collect().await
    }

    async fn fetch(&self, source: &Source) -> Result<MediaFile> {
        let left = || {
            let fetched = self.fetched.bytes.load(Ordering::Relaxed);
            Left::after(fetched, &self.resources.limits)
        };
        let file = match source {
            Source::Output { job, output } => self.output(source, *job, output, &left()).await?,
            _ => self.resources.fetch(source, &left(), self.cx).await?,
        };
        // Others were fetched meanwhile.
        let left = left();
        let bytes = file.blob().len();
        check_size("input_bytes", bytes, left.bytes).map_err(|e| left.told(e))?;
        self.fetched.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(file)
    }

    /// What another job has made, if that is still what is at its place.
    async fn output(
        &self,
        source: &Source,
        job: JobId,
        output: &str,
        left: &Left,
    ) -> Result<MediaFile> {
        let made = output_of(job, output, self.outcomes).await?;
        let file = self.resources.fetch(&Source::Key(made.output), left, self.cx).await?;
        let blob = file.blob().clone();
        let hash = self.cx.cpu(move |cx| sha256(&blob, cx)).await?;
        if hash != made.sha256 {
            return Err(Error::input(
                codes::SOURCE_CHANGED,
                "what the job has made was replaced since",
            ));
        }
        self.fetched.hashes.lock().await.insert(source.clone(), hash);
        Ok(file)
    }

    /// SHA-256 of its bytes, in hexadecimal.
    pub(super) async fn sha256(&self, source: &Source) -> Result<String> {
        let blob = self.get(source).await?.0.blob().clone();
        let mut hashes = self.fetched.hashes.lock().await;
        if let Some(known) = hashes.get(source) {
            return Ok(known.clone());
        }
        let hash = self.cx.cpu(move |cx| sha256(&blob, cx)).await?;
        hashes.insert(source.clone(), hash.clone());
        Ok(hash)
    }
}

#[async_trait]
impl Prober for Sources<'_> {
    async fn probe(&self, source: &Source) -> Result<MediaInfo> {
        self.get(source).await.map(|(_, info)| info)
    }
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

impl Resources {
    async fn fetch(&self, source: &Source, left: &Left, cx: &RunContext) -> Result<MediaFile> {
        let blob = self.bytes_of(source, left.bytes, cx).await;
        let blob = blob.and_then(|blob| {
            check_size("input_bytes", blob.len(), left.bytes)?;
            Ok(blob)
        });
        let blob = blob.map_err(|e| left.told(e))?;
        let name = source.to_string();
        // Not on the CPU pool: looking at a few bytes does not wait for pixels.
        let begins = blob.clone();
        let head = cx.blocking(move || begins.head(Format::SNIFF_BYTES)).await?;
        let format = self.registry.sniff(&head);
        MediaFile::recognised(name, blob, &head, format)
    }

    async fn bytes_of(&self, source: &Source, most: u64, cx: &RunContext) -> Result<Blob> {
        Ok(match source {
            Source::Key(text) => {
                let location: Location = text.parse()?;
                let options = GetOptions::new().limit(most);
                self.storages.of(&location)?.get(&location.key, &options, cx.scratch()).await?
            }
            Source::Path(path) => self.local_file(path)?,
            Source::Bytes(bytes) => {
                check_size("inline_bytes", bytes.len() as u64, self.limits.inline_bytes)?;
                Blob::bytes(bytes.clone())
            }
            Source::Url(url) => self.download(url, most, cx).await?,
            Source::Output { .. } => {
                return Err(Error::internal(codes::SOURCE_OUTPUT, "an output was not looked up"));
            }
        })
    }

    /// Reads the headers, within the limit of time.
    pub(super) async fn probe(&self, file: &MediaFile, cx: &RunContext) -> Result<MediaInfo> {
        let Ok(reader) = self.registry.reader_of(file.format()) else {
            // Nobody here decodes it, but a step that takes encoded files may still want it.
            return Ok(MediaInfo::new(file.format().clone()).with_bytes(file.blob().len()));
        };
        let probing = reader.probe(file, cx);
        match tokio::time::timeout(self.limits.probe_time, probing).await {
            Ok(info) => info,
            Err(_) => {
                Err(Error::limit(codes::LIMIT_PROBE_TIME, "reading the headers took too long")
                    .with("limit", humantime::format_duration(self.limits.probe_time))
                    .help("the file is probably damaged; if not, raise `Limits::probe_time`"))
            }
        }
    }

    fn local_file(&self, path: &Path) -> Result<Blob> {
        let real = path.canonicalize().map_err(|e| {
            Error::input(codes::SOURCE_NOT_FOUND, "there is no such file")
                .with("path", path.display())
                .because(e)
        })?;
        if !self.allowed_paths.iter().any(|allowed| real.starts_with(allowed)) {
            return Err(Error::input(
                codes::SOURCE_PATH,
                "the path is in no folder that may be read",
            )
            .with("path", path.display())
            .help("allow its folder with `allow_paths()`, or put the file into a storage"));
        }
        Blob::file(real)
    }

    #[cfg(feature = "http")]
    async fn download(&self, url: &str, most: u64, cx: &RunContext) -> Result<Blob> {
        self.http.fetch(url, most, cx.scratch()).await
    }

    #[cfg(not(feature = "http"))]
    #[expect(clippy::unused_async, reason = "its twin with the feature `http` waits")]
    async fn download(&self, _url: &str, _most: u64, _cx: &RunContext) -> Result<Blob> {
        Err(Error::unsupported(codes::SOURCE_URL, "sources by URL are not built in")
            .help("turn on the feature `http`"))
    }
}

pub(super) fn check_size(field: &'static str, found: u64, allowed: u64) -> Result<()> {
    let code =
        if field == "inline_bytes" { codes::LIMIT_INLINE_BYTES } else { codes::LIMIT_INPUT_BYTES };
    if found > allowed { Err(crate::limits::over(code, field, found, allowed)) } else { Ok(()) }
}

/// How many bytes the next source of a job may have.
struct Left {
    bytes: u64,
    /// That of all sources together, if it is the tighter one.
    of: Option<u64>,
}

impl Left {
    fn after(fetched: u64, limits: &Limits) -> Self {
        let left = limits.job_input_bytes.saturating_sub(fetched);
        let of = (left < limits.input_bytes).then_some(limits.job_input_bytes);
        Self { bytes: left.min(limits.input_bytes), of }
    }

    /// The error that names the limit which was passed.
    fn told(&self, error: Error) -> Error {
        match self.of {
            Some(allowed) if error.code() == codes::LIMIT_INPUT_BYTES => Error::limit(
                codes::LIMIT_JOB_INPUT_BYTES,
                format!("all sources together have more bytes than the limit of {allowed}"),
            )
            .with("limit", "job_input_bytes")
            .help("send less, or raise `Limits::job_input_bytes`"),
            _ => error,
        }
    }
}
