use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use tokio::time::timeout;

use super::attempt::Attempt;
use super::execution::{ENDING, MOMENT, TRIES};
use super::parts::{Artefact, PartResult};
use super::resources::Executor;
use crate::checksum::sha256;
use crate::codes;
use crate::plan::Explanation;
use crate::report::{OutputReport, SourceReport};
use crate::spec::{Location, Place, Precondition};
use crate::storage::{GetOptions, Staged, StagedFile, Storage, Ticket};
use crate::{CancellationToken, Error, Failure, Result, Retry, Work};

/// An attempt whose outputs are made, verified and staged, but not yet visible. Dropping it discards them, unless they
/// were made as [parts](Executor::assemble): those wait for another try.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// What it was made from.
    pub source: Option<SourceReport>,
    /// The outputs; those that failed under the policy `skip` have the state `failed`.
    pub outputs: Vec<OutputReport>,
    /// What was found out, by name.
    pub facts: BTreeMap<String, Value>,
    /// What was not, under the policy `skip`.
    pub facts_failed: BTreeMap<String, Failure>,
    /// What was done.
    pub plan: Vec<Explanation>,
    /// How often a source was decoded.
    pub decodes: u32,
    /// What the report should say.
    pub warnings: Vec<String>,
    pub(super) staged: Vec<StagedOutput>,
    /// The number of the part, 0 for a whole job.
    pub(super) part: u32,
    /// Several attempts have made it, each its share, under tickets with a name of their own.
    pub(super) in_turns: bool,
    job: String,
    fence: u64,
    cancel: CancellationToken,
    executor: Executor,
}

impl Finished {
    pub(super) fn new(executor: &Executor, attempt: &Attempt) -> Self {
        Self {
            source: None,
            outputs: Vec::new(),
            facts: BTreeMap::new(),
            facts_failed: BTreeMap::new(),
            plan: Vec::new(),
            decodes: 0,
            warnings: Vec::new(),
            staged: Vec::new(),
            part: 0,
            in_turns: false,
            job: attempt.job.clone(),
            fence: attempt.fence,
            cancel: attempt.cancel.clone(),
            executor: executor.clone(),
        }
    }

    /// Makes the outputs visible, each in one act; one of several files as far as its storage can, and else file by file, the main
    /// one last. First all that earlier attempts have staged is revoked, so that none
    /// of them can publish over these.
    ///
    /// If an output can not be published, those before it stay where they are: each is whole and verified, and it may
    /// have replaced an older version, which would be lost if it were removed again. The attempt can be repeated, and
    /// publishes over them. The error names them as facts `published`, so that a job which fails in the end can say what
    /// is there.
    ///
    /// What fails and may pass is done again a few times by itself, because what was made is still there. Once the attempt is
    /// cancelled, what is under way has some seconds to end; whether it was published then is not known.
    ///
    /// # Errors
    /// `storage.io`, `storage.precondition` if something else is at a place than has to be, `storage.timeout` after
    /// [`Limits::publish_time`](crate::Limits::publish_time), or `storage.revoked` if a later attempt has taken over; each names
    /// the output. `job.cancelled`.
    pub async fn publish(&mut self) -> Result<()> {
        self.in_time(self.revoke_earlier()).await?;
        let mut published = Vec::new();
        for report in self.outputs.iter().filter(|report| !report.files.is_empty()) {
            match self.in_time(self.publish_together(report)).await {
                Ok(mut places) => published.append(&mut places),
                Err(error) => return Err(naming(error, &report.output, &published)),
            }
        }
        for mut output in std::mem::take(&mut self.staged) {
            if output.staged.is_none() || published.contains(&output.place) {
                continue;
            }
            if let Err(error) = self.in_time(self.publish_one(&mut output)).await {
                // A storage that hangs is left alone.
                timeout(MOMENT, self.give_up(&output)).await.unwrap_or_default();
                return Err(naming(error, &output.place, &published));
            }
            published.push(std::mem::take(&mut output.place));
        }
        Ok(())
    }

    /// Publishes an output of several files in one act, where the storage can, and tries it again if that fails and may pass.
    /// Gives the places of those files.
    async fn publish_together(&self, report: &OutputReport) -> Result<Vec<String>> {
        let waits = |output: &&StagedOutput| {
            output.staged.is_some() && report.file_at(&output.place).is_some()
        };
        let waiting: Vec<_> = self.staged.iter().filter(waits).collect();
        let Some(first) = waiting.first() else { return Ok(Vec::new()) };
        let storage = Arc::clone(self.executor.0.storages.of(&first.location()?)?);
        let mut files = Vec::with_capacity(waiting.len());
        for output in &waiting {
            let (ticket, precondition) = (output.ticket.clone(), output.precondition.clone());
            files.push(StagedFile::new(output.location()?.key, ticket, precondition));
        }
        let mut tries = 0;
        loop {
            let error = match storage.publish_together(&files).await {
                Ok(true) => break,
                Ok(false) => return Ok(Vec::new()),
                Err(error) => error,
            };
            tries += 1;
            // It may have been done before, and only the answer was lost.
            let done = tries > 1
                || [codes::STORAGE_PRECONDITION, codes::STORAGE_REVOKED].contains(&error.code());
            if done && self.are_there(&waiting).await {
                break;
            }
            let passes = error.retry() != Retry::Never && error.code() != codes::STORAGE_REVOKED;
            if tries >= TRIES || !passes {
                return Err(error);
            }
            tracing::warn!(output = report.output, %error, "an output could not be published; trying again");
            let clock = &self.executor.0.clock;
            let until = clock.monotonic().saturating_add(self.executor.0.retry.wait(tries));
            clock.sleep_until_monotonic(until).await;
        }
        Ok(waiting.iter().map(|output| output.place.clone()).collect())
    }

    async fn are_there(&self, outputs: &[&StagedOutput]) -> bool {
        for output in outputs {
            if !self.is_there(output).await {
                return false;
            }
        }
        true
    }

    /// Publishes an output, and tries it again if that fails and may pass.
    async fn publish_one(&self, output: &mut StagedOutput) -> Result<()> {
        let location = output.location()?;
        let mut tries = 0;
        while let Some(staged) = output.staged.take() {
            let Err(error) = staged.publish(output.precondition.as_ref()).await else { break };
            if error.code() == codes::STORAGE_PRECONDITION && self.is_there(output).await {
                self.give_up(output).await;
                break;
            }
            tries += 1;
            let passes = error.retry() != Retry::Never && error.code() != codes::STORAGE_REVOKED;
            if tries >= TRIES || !passes {
                return Err(error);
            }
            tracing::warn!(output = output.place, %error, "an output could not be published; trying again");
            let clock = &self.executor.0.clock;
            let until = clock.monotonic().saturating_add(self.executor.0.retry.wait(tries));
            clock.sleep_until_monotonic(until).await;
            match self.storage(&location)?.staged(&location.key, &output.ticket).await {
                Ok(staged) => output.staged = Some(staged),
                // It had been published, and only the answer was lost.
                Err(_) if self.is_there(output).await => break,
                Err(_) => return Err(error),
            }
        }
        Ok(())
    }

    /// Bounds what is done with a storage: whoever cancels the job, or stops the process, waits for it.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.executor.0.limits.publish_time;
        let mut work = std::pin::pin!(timeout(limit, work));
        let late = |_| {
            Err(Error::transient(codes::STORAGE_TIMEOUT, "publishing took too long")
                .with("limit", "publish_time")
                .with("time", humantime::format_duration(limit))
                .help("look at the storage, or raise `Limits::publish_time`"))
        };
        tokio::select! {
            biased;
            done = &mut work => done.unwrap_or_else(late),
            () = self.cancel.cancelled() => match timeout(ENDING, work).await {
                Ok(done) => done.unwrap_or_else(late),
                Err(_) => Err(Error::cancelled()),
            },
        }
    }

    /// Leaves the outputs staged, for [`Executor::assemble`] on whatever worker.
    #[must_use]
    pub fn detach(mut self) -> PartResult {
        self.set_aside()
    }

    /// Leaves the outputs staged, and takes all that is known of them out.
    pub(super) fn set_aside(&mut self) -> PartResult {
        let staged = std::mem::take(&mut self.staged);
        PartResult {
            part: self.part,
            source: self.source.take(),
            outputs: std::mem::take(&mut self.outputs),
            facts: std::mem::take(&mut self.facts),
            facts_failed: std::mem::take(&mut self.facts_failed),
            plan: std::mem::take(&mut self.plan),
            decodes: self.decodes,
            warnings: std::mem::take(&mut self.warnings),
            artefacts: staged.into_iter().map(StagedOutput::detach).collect(),
        }
    }

    async fn revoke_earlier(&self) -> Result<()> {
        let mut places = BTreeSet::new();
        for output in &self.outputs {
            let storage = output.output.parse::<Place>()?.storage;
            places.insert((storage, self.job.as_str(), self.fence));
        }
        for output in &self.staged {
            let (storage, ticket) = (output.location()?.storage, &output.ticket);
            places.insert((storage, ticket.job(), ticket.fence()));
        }
        for (storage, job, fence) in &places {
            if *fence > 1 {
                self.executor.0.storages.named(storage)?.revoke(job, *fence).await?;
            }
        }
        if self.in_turns {
            let ours: BTreeSet<_> = places.iter().map(|(_, job, _)| *job).collect();
            let storages: BTreeSet<_> = places.iter().map(|(storage, ..)| storage).collect();
            for storage in storages {
                self.revoke_others(storage, &ours).await?;
            }
        }
        Ok(())
    }

    /// Revokes what attempts at this job have staged that are not the ones whose results these are.
    async fn revoke_others(&self, storage: &str, ours: &BTreeSet<&str>) -> Result<()> {
        let storage = self.executor.0.storages.named(storage)?;
        let job = BTreeSet::from([self.job.clone()]);
        for name in storage.staged_for().await? {
            if Ticket::is_for(&name, &job) && !ours.contains(name.as_str()) {
                storage.revoke(&name, u64::MAX).await?;
            }
        }
        Ok(())
    }

    /// Whether an output is at its place already: an earlier attempt may have published it, and nobody heard of it.
    async fn is_there(&self, output: &StagedOutput) -> bool {
        let executor = &self.executor;
        let found = async {
            let location = output.location()?;
            let (storage, options) =
                (self.storage(&location)?, GetOptions::new().limit(output.bytes));
            let blob = storage.get(&location.key, &options, &executor.0.scratch).await?;
            let cx = executor.context(Work::default(), &CancellationToken::new(), None, |_| {});
            cx.cpu(move |cx| sha256(&blob, cx)).await
        };
        found.await.is_ok_and(|found| found == output.sha256)
    }

    /// Discards an output that could not be published, unless it is kept.
    async fn give_up(&self, output: &StagedOutput) {
        let taken_up = async {
            let location = output.location()?;
            self.storage(&location)?.staged(&location.key, &output.ticket).await
        };
        match taken_up.await {
            Ok(staged) if output.kept => staged.keep(),
            // It is gone already if it was revoked; what is left otherwise is revoked by the next attempt.
            Ok(_) | Err(_) => {}
        }
    }

    fn storage(&self, location: &Location) -> Result<&dyn Storage> {
        self.executor.0.storages.of(location).map(|storage| &**storage)
    }
}

/// The error of an output that could not be published, with those that were before it.
fn naming(error: Error, output: &str, published: &[String]) -> Error {
    let error = error.with("output", output);
    published.iter().fold(error, |e, place| e.with_further(PUBLISHED, place))
}

/// The fact of an error that names an output which was published before it.
const PUBLISHED: &str = "published";

/// The places of the outputs that were published, and stay, although the attempt failed.
pub(crate) fn published(failure: &Failure) -> impl Iterator<Item = &str> {
    failure.facts.iter().filter(|(name, _)| name == PUBLISHED).map(|(_, place)| place.as_str())
}

/// The failure of an attempt, with what this and earlier ones have published.
pub(crate) fn with_published(mut failure: Failure, earlier: Option<&Failure>) -> Failure {
    for place in earlier.into_iter().flat_map(published) {
        if !published(&failure).any(|known| known == place) {
            failure.facts.push((PUBLISHED.to_owned(), place.to_owned()));
        }
    }
    failure
}

/// An output that waits to be published.
#[derive(Debug)]
pub(super) struct StagedOutput {
    place: String,
    pub(super) ticket: Ticket,
    sha256: String,
    bytes: u64,
    precondition: Option<Precondition>,
    staged: Option<Box<dyn Staged>>,
    /// It outlives this value.
    kept: bool,
}

impl StagedOutput {
    pub(super) fn new(
        report: &OutputReport,
        ticket: Ticket,
        precondition: Option<Precondition>,
        staged: Box<dyn Staged>,
    ) -> Self {
        let (place, sha256) = (report.output.clone(), report.sha256.clone());
        let (bytes, staged) = (report.bytes, Some(staged));
        Self { place, ticket, sha256, bytes, precondition, staged, kept: false }
    }

    /// An output that a part has left.
    pub(super) fn taken_up(artefact: Artefact, bytes: u64, staged: Box<dyn Staged>) -> Self {
        let Artefact { place, ticket, sha256, precondition } = artefact;
        Self { place, ticket, sha256, bytes, precondition, staged: Some(staged), kept: true }
    }

    /// Where it belongs, `storage/key`.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    fn detach(mut self) -> Artefact {
        self.kept = true;
        let place = std::mem::take(&mut self.place);
        let sha256 = std::mem::take(&mut self.sha256);
        let precondition = self.precondition.take();
        Artefact { place, ticket: self.ticket.clone(), sha256, precondition }
    }

    fn location(&self) -> Result<Location, Error> {
        self.place.parse()
    }
}

impl Drop for StagedOutput {
    fn drop(&mut self) {
        if let Some(staged) = self.staged.take().filter(|_| self.kept) {
            staged.keep();
        }
    }
}
