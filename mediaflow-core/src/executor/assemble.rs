use std::collections::BTreeSet;

use serde_json::json;

use super::attempt::Attempt;
use super::attempted::Attempted;
use super::execution::{ending, stopping};
use super::fetch::Sources;
use super::finished::{Finished, StagedOutput};
use super::parts::{Artefact, PartResult, PartSpec, job_of, part_job};
use super::resources::{Executor, Resources};
use crate::checksum::sha256;
use crate::codes;
use crate::id::JobId;
use crate::spec::Location;
use crate::storage::GetOptions;
use crate::{Error, Result, RunContext};

/// A job with at most this many outputs stays whole: a part costs another fetch and decode of the source.
const WHOLE: usize = 16;

/// The outputs of one part.
const OUTPUTS: usize = 8;

impl Executor {
    /// The parts of a job that is worth spreading over workers: one with more than 16 outputs, in parts of 8. Gives none
    /// for another, for one with facts or with sets of sources, or for one of which some may be made elsewhere: it is made whole by
    /// [`Executor::attempt`] with the same `attempt`, without a second plan.
    ///
    /// # Errors
    /// The job can not be planned.
    pub async fn split(&self, attempt: &Attempt) -> Result<Vec<PartSpec>> {
        let cx = self.attempt_context(attempt, 0);
        let sources = Sources::new(&self.0, &cx, &attempt.fetched, attempt.outcomes.as_deref());
        if attempt.checkpoint.is_some() || !attempt.waits.is_empty() {
            return Ok(Vec::new());
        }
        let pipeline = self.planned(attempt, &sources).await?;
        // Each part would look by itself for what is there of a set.
        let whole = pipeline.outputs.len() <= WHOLE
            || !pipeline.facts.is_empty()
            || !pipeline.sets.is_empty();
        if whole || self.0.may_wait(&pipeline) {
            return Ok(Vec::new());
        }
        pipeline.validate(&self.0.limits)?;
        let places: Vec<_> = pipeline.outputs.into_keys().collect();
        let parts = places.chunks(OUTPUTS).zip(1..);
        Ok(parts.map(|(outputs, n)| PartSpec::new(n, json!({ "outputs": outputs }))).collect())
    }

    /// Makes the outputs of one part. `attempt` has the job's name, and the fence of this attempt at the part. The
    /// engine stores what [`Finished::detach`] gives.
    ///
    /// # Errors
    /// Why the attempt failed. Nothing is left behind.
    pub async fn part(&self, attempt: &Attempt, part: &PartSpec) -> Result<Finished> {
        self.make(attempt, Some(part))
            .await
            .and_then(Attempted::finished)
            .map_err(|e| e.with("part", part.number))
    }

    /// Puts a job together from the results of all its parts. What was published by an attempt that was cut off counts,
    /// so this can run until it succeeds; the engine then calls [`Finished::publish`].
    ///
    /// # Errors
    /// `part.lost` (transient, with the fact `part`): a result is neither staged nor at its place, so its part has to be
    /// made again. `storage.io`.
    pub async fn assemble(&self, attempt: &Attempt, parts: Vec<PartResult>) -> Result<Finished> {
        let cx = self.attempt_context(attempt, 0);
        ending(&cx, self.assemble_in(&cx, attempt, parts)).await
    }

    async fn assemble_in(
        &self,
        cx: &RunContext,
        attempt: &Attempt,
        mut parts: Vec<PartResult>,
    ) -> Result<Finished> {
        let mut done = Finished::new(self, attempt);
        parts.sort_by_key(|part| part.part);
        for part in parts {
            cx.check()?;
            for artefact in part.artefacts {
                let made = part.outputs.iter().find_map(|output| output.file_at(&artefact.place));
                let bytes = made.map_or(self.0.limits.input_bytes, |made| made.bytes);
                let taken_up = stopping(cx, self.0.take_up(artefact, bytes, cx)).await;
                done.staged.extend(taken_up.map_err(|e| e.with("part", part.part))?);
            }
            done.source = done.source.or(part.source);
            done.outputs.extend(part.outputs);
            done.facts.extend(part.facts);
            done.facts_failed.extend(part.facts_failed);
            done.plan.extend(part.plan);
            done.decodes += part.decodes;
            // Resources of one source have the same to say of it.
            let known = |warning: &String| done.warnings.contains(warning);
            let mut fresh = part.warnings;
            fresh.retain(|warning| !known(warning));
            done.warnings.append(&mut fresh);
        }
        done.outputs.sort_by(|a, b| a.output.cmp(&b.output));
        Ok(done)
    }

    /// Discards all that is staged for jobs and their parts, in every storage: for jobs that have ended without being
    /// published. A storage that can not do it now is passed over with a warning.
    pub async fn discard(&self, jobs: impl IntoIterator<Item: ToString> + Send) {
        let jobs: BTreeSet<_> = jobs.into_iter().map(|job| job.to_string()).collect();
        if jobs.is_empty() {
            return;
        }
        for (storage, at) in self.0.storages.iter() {
            if let Err(error) = at.discard(&jobs).await {
                tracing::warn!(?jobs, storage, %error, "staged results could not be discarded");
            }
        }
    }

    /// Discards what attempts at a part have staged, up to one that does not count any more. Later ones keep theirs.
    pub async fn discard_part(&self, job: JobId, number: u32, upto: u64) {
        let part = part_job(&job.to_string(), number);
        for (storage, at) in self.0.storages.iter() {
            if let Err(error) = at.revoke(&part, upto.saturating_add(1)).await {
                tracing::warn!(part, storage, %error, "a staged result could not be discarded");
            }
        }
    }

    /// The jobs for which something is staged in any storage, by whatever process. One that can not tell now is passed
    /// over.
    pub async fn staged(&self) -> BTreeSet<JobId> {
        let mut jobs = BTreeSet::new();
        for (storage, at) in self.0.storages.iter() {
            match at.staged_for().await {
                Ok(names) => jobs.extend(names.iter().filter_map(|name| job_of(name))),
                Err(error) => tracing::warn!(storage, %error, "what is staged can not be listed"),
            }
        }
        jobs
    }
}

impl Resources {
    /// What is staged; `None` if it has been published already.
    pub(super) async fn take_up(
        &self,
        artefact: Artefact,
        bytes: u64,
        cx: &RunContext,
    ) -> Result<Option<StagedOutput>> {
        let location: Location = artefact.place.parse()?;
        let storage = self.storages.of(&location)?;
        match storage.staged(&location.key, &artefact.ticket).await {
            Ok(staged) => return Ok(Some(StagedOutput::taken_up(artefact, bytes, staged))),
            Err(error) if error.code() == codes::STORAGE_NOT_FOUND => {}
            Err(error) => return Err(error.with("output", artefact.place)),
        }
        let options = GetOptions::new().limit(bytes);
        let published = match storage.get(&location.key, &options, cx.scratch()).await {
            Ok(blob) => cx.cpu(move |cx| sha256(&blob, cx)).await? == artefact.sha256,
            Err(error)
                if [codes::STORAGE_NOT_FOUND, codes::LIMIT_INPUT_BYTES].contains(&error.code()) =>
            {
                false
            }
            Err(error) => return Err(error.with("output", artefact.place)),
        };
        if published {
            return Ok(None);
        }
        Err(Error::transient(codes::PART_LOST, "a result of a part is gone")
            .with("output", artefact.place)
            .with("ticket", artefact.ticket)
            .help("the part has to be made again"))
    }
}
