use std::collections::BTreeSet;

use super::attempt::Attempt;
use super::digest::sha256;
use super::parts::{Artefact, PartResult};
use super::resources::Executor;
use crate::plan::Explanation;
use crate::report::{OutputReport, SourceReport};
use crate::spec::{Location, Precondition};
use crate::storage::{GetOptions, Staged, Storage, Ticket};
use crate::{CancellationToken, Error, Failure, Result, Work};

/// An attempt whose outputs are made, verified and staged, but not yet visible. Dropping it discards them, unless they
/// were made as [parts](Executor::assemble): those wait for another try.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// What it was made from.
    pub source: Option<SourceReport>,
    /// The outputs; those that failed under the policy `skip` have the state `failed`.
    pub outputs: Vec<OutputReport>,
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
    executor: Executor,
}

impl Finished {
    pub(super) fn new(executor: &Executor, attempt: &Attempt) -> Self {
        Self {
            source: None,
            outputs: Vec::new(),
            plan: Vec::new(),
            decodes: 0,
            warnings: Vec::new(),
            staged: Vec::new(),
            part: 0,
            in_turns: false,
            job: attempt.job.clone(),
            fence: attempt.fence,
            executor: executor.clone(),
        }
    }

    /// Makes the outputs visible, each in one act. First all that earlier attempts have staged is revoked, so that none
    /// of them can publish over these.
    ///
    /// If an output can not be published, those before it stay where they are: each is whole and verified, and it may
    /// have replaced an older version, which would be lost if it were removed again. The attempt can be repeated, and
    /// publishes over them. The error names them as facts `published`, so that a job which fails in the end can say what
    /// is there.
    ///
    /// # Errors
    /// `storage.io`, `storage.precondition` if something else is at a place than has to be, or `storage.revoked` if a later
    /// attempt has taken over; each names the output.
    pub async fn publish(&mut self) -> Result<()> {
        self.revoke_earlier().await?;
        let mut published = Vec::new();
        for mut output in std::mem::take(&mut self.staged) {
            let Some(staged) = output.staged.take() else { continue };
            if let Err(error) = staged.publish(output.precondition.as_ref()).await {
                self.give_up(&output).await;
                if error.code() == "storage.precondition" && self.is_there(&output).await {
                    published.push(std::mem::take(&mut output.place));
                    continue;
                }
                let error = error.with("output", &output.place);
                return Err(published.iter().fold(error, |e, place| e.with(PUBLISHED, place)));
            }
            published.push(std::mem::take(&mut output.place));
        }
        Ok(())
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
            plan: std::mem::take(&mut self.plan),
            decodes: self.decodes,
            warnings: std::mem::take(&mut self.warnings),
            artefacts: staged.into_iter().map(StagedOutput::detach).collect(),
        }
    }

    async fn revoke_earlier(&self) -> Result<()> {
        let mut places = BTreeSet::new();
        for output in &self.outputs {
            let storage = output.output.parse::<Location>()?.storage;
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
