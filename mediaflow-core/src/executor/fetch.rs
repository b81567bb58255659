use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use tokio::sync::{Mutex, OnceCell};

use super::digest::sha256;
use super::outcomes::{Outcomes, output_of};
use super::resources::Resources;
use crate::id::JobId;
use crate::job::Prober;
use crate::media::{Blob, MediaFile, MediaInfo};
use crate::planner::needed_sources;
use crate::spec::{Location, Pipeline, Source};
use crate::storage::GetOptions;
use crate::{Error, Limits, Result, RunContext};

/// Sources by their names in a pipeline.
pub(super) type Probed = BTreeMap<String, (MediaFile, MediaInfo)>;

/// What one attempt knows of its job and its sources.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    /// What the job wants to be done.
    pub(super) pipeline: OnceCell<Pipeline>,
    known: Mutex<HashMap<Source, (MediaFile, MediaInfo)>>,
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

    /// The file, and what its headers say.
    pub(crate) async fn get(&self, source: &Source) -> Result<(MediaFile, MediaInfo)> {
        // Held over the fetch on purpose: a second asker waits for the first's result.
        let mut known = self.fetched.known.lock().await;
        if let Some(found) = known.get(source) {
            return Ok(found.clone());
        }
        let fetching = async {
            let file = match source {
                Source::Output { job, output } => self.output(source, *job, output).await?,
                _ => self.resources.fetch(source, self.cx).await?,
            };
            let info = self.resources.probe(&file).await?;
            Ok((file, info))
        };
        let found = tokio::select! {
            found = fetching => found.map_err(|e: Error| e.with("source", source))?,
            error = self.cx.stopped() => return Err(error),
        };
        known.insert(source.clone(), found.clone());
        Ok(found)
    }

    /// What another job has made, if that is still what is at its place.
    async fn output(&self, source: &Source, job: JobId, output: &str) -> Result<MediaFile> {
        let made = output_of(job, output, self.outcomes).await?;
        let file = self.resources.fetch(&Source::Key(made.output), self.cx).await?;
        let blob = file.blob().clone();
        let hash = self.cx.cpu(move |cx| sha256(&blob, cx)).await?;
        if hash != made.sha256 {
            return Err(Error::input("source.changed", "what the job has made was replaced since"));
        }
        self.fetched.hashes.lock().await.insert(source.clone(), hash);
        Ok(file)
    }

    /// All that its outputs need.
    pub(super) async fn probe_all(&self, pipeline: &Pipeline) -> Result<Probed> {
        let mut probed = Probed::new();
        for name in needed_sources(pipeline, &BTreeMap::new()) {
            let source = pipeline.source_named(&name)?;
            probed.insert(name, self.get(source).await?);
        }
        Ok(probed)
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
    async fn fetch(&self, source: &Source, cx: &RunContext) -> Result<MediaFile> {
        let blob = match source {
            Source::Key(text) => {
                let location: Location = text.parse()?;
                let options = GetOptions::new().limit(self.limits.input_bytes);
                self.storages.of(&location)?.get(&location.key, &options, cx.scratch()).await?
            }
            Source::Path(path) => self.local_file(path)?,
            Source::Bytes(bytes) => {
                check_size("inline_bytes", bytes.len() as u64, self.limits.inline_bytes)?;
                Blob::bytes(bytes.clone())
            }
            Source::Url(url) => self.download(url, cx).await?,
            Source::Output { .. } => {
                return Err(Error::internal("source.output", "an output was not looked up"));
            }
        };
        check_size("input_bytes", blob.len(), self.limits.input_bytes)?;
        let name = source.to_string();
        cx.cpu(move |_| MediaFile::sniff(name, blob)).await
    }

    /// Reads the headers, within the limit of time.
    pub(super) async fn probe(&self, file: &MediaFile) -> Result<MediaInfo> {
        let Ok(backend) = self.registry.backend_for_format(file.format()) else {
            // Nobody here decodes it, but a step that takes encoded files may still want it.
            return Ok(MediaInfo::new(file.format().clone()).with_bytes(file.blob().len()));
        };
        let probing = backend.probe(file, &self.limits);
        match tokio::time::timeout(self.limits.probe_time, probing).await {
            Ok(info) => info,
            Err(_) => Err(Error::limit("limit.probe_time", "reading the headers took too long")
                .with("limit", humantime::format_duration(self.limits.probe_time))
                .help("the file is probably damaged; if not, raise `Limits::probe_time`")),
        }
    }

    fn local_file(&self, path: &Path) -> Result<Blob> {
        let real = path.canonicalize().map_err(|e| {
            Error::input("source.not_found", "there is no such file")
                .with("path", path.display())
                .because(e)
        })?;
        if !self.allowed_paths.iter().any(|allowed| real.starts_with(allowed)) {
            return Err(Error::input("source.path", "the path is in no folder that may be read")
                .with("path", path.display())
                .help("allow its folder with `allow_paths()`, or put the file into a storage"));
        }
        Blob::file(real)
    }

    #[cfg(feature = "http")]
    async fn download(&self, url: &str, cx: &RunContext) -> Result<Blob> {
        self.http.fetch(url, self.limits.input_bytes, cx.scratch()).await
    }

    #[cfg(not(feature = "http"))]
    #[expect(clippy::unused_async, reason = "its twin with the feature `http` waits")]
    async fn download(&self, _url: &str, _cx: &RunContext) -> Result<Blob> {
        Err(Error::unsupported("source.url", "sources by URL are not built in")
            .help("turn on the feature `http`"))
    }
}

fn check_size(field: &'static str, found: u64, allowed: u64) -> Result<()> {
    let code = if field == "inline_bytes" { "limit.inline_bytes" } else { "limit.input_bytes" };
    if found > allowed { Err(crate::limits::over(code, field, found, allowed)) } else { Ok(()) }
}

/// Checks what can be checked of a spec's inline sources before it is stored.
pub(crate) fn check_inline(source: &Source, limits: &Limits) -> Result<()> {
    match source {
        Source::Bytes(bytes) => check_size("inline_bytes", bytes.len() as u64, limits.inline_bytes),
        Source::Key(_) | Source::Url(_) | Source::Path(_) | Source::Output { .. } => Ok(()),
    }
}
