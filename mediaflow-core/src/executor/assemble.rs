use serde_json::json;

use super::attempt::Attempt;
use super::digest::sha256;
use super::execution::stopping;
use super::fetch::Sources;
use super::finished::{Finished, Waiting};
use super::parts::{Artefact, PartResult, PartSpec, part_job};
use super::resources::Executor;
use crate::spec::Location;
use crate::{Error, Result, RunContext};

/// A job with at most this many outputs stays whole: a part costs another fetch and decode of the source.
const WHOLE: usize = 16;

/// The outputs of one part.
const OUTPUTS: usize = 8;

impl Executor {
    /// The parts of a job that is worth spreading over workers: one with more than 16 outputs, in parts of 8. Gives none
    /// for another, which is made whole by [`Executor::attempt`] with the same `attempt`, without a second plan.
    ///
    /// # Errors
    /// The job can not be planned.
    pub async fn split(&self, attempt: &Attempt) -> Result<Vec<PartSpec>> {
        let cx = self.attempt_context(attempt);
        let sources = Sources::new(&self.0, &cx, &attempt.fetched);
        let pipeline = self.planned(attempt, &sources).await?;
        if pipeline.outputs.len() <= WHOLE {
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
        self.make(attempt, Some(part)).await.map_err(|e| e.with("part", part.number))
    }

    /// Puts a job together from the results of all its parts. What was published by an attempt that was cut off counts,
    /// so this can run until it succeeds; the engine then calls [`Finished::publish`].
    ///
    /// # Errors
    /// `part.lost` (transient, with the fact `part`): a result is neither staged nor at its place, so its part has to be
    /// made again. `storage.io`.
    pub async fn assemble(
        &self,
        attempt: &Attempt,
        mut parts: Vec<PartResult>,
    ) -> Result<Finished> {
        let cx = self.attempt_context(attempt);
        let mut done = Finished::new(self, attempt);
        parts.sort_by_key(|part| part.part);
        for part in parts {
            cx.check()?;
            for artefact in part.artefacts {
                let taken_up = stopping(&cx, self.take_up(artefact, &cx)).await;
                done.staged.extend(taken_up.map_err(|e| e.with("part", part.part))?);
            }
            done.source = done.source.or(part.source);
            done.outputs.extend(part.outputs);
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

    /// Discards all that is staged for a job and its parts, in every storage: for a job that has ended without being
    /// published. A storage that can not do it now is passed over with a warning.
    pub async fn discard(&self, job: &str, parts: u32) {
        for (storage, at) in self.0.storages.iter() {
            for job in std::iter::once(job.to_owned()).chain((1..=parts).map(|n| part_job(job, n)))
            {
                if let Err(error) = at.revoke(&job, u64::MAX).await {
                    tracing::warn!(%job, storage, %error, "staged results could not be discarded");
                }
            }
        }
    }

    /// What is staged; `None` if it has been published already.
    async fn take_up(&self, artefact: Artefact, cx: &RunContext) -> Result<Option<Waiting>> {
        let location: Location = artefact.place.parse()?;
        let storage = self.0.storages.of(&location)?;
        match storage.staged(&location.key, &artefact.ticket).await {
            Ok(staged) => return Ok(Some(Waiting::taken_up(artefact, staged))),
            Err(error) if error.code() == "storage.not_found" => {}
            Err(error) => return Err(error.with("output", artefact.place)),
        }
        let published = match storage.get(&location.key).await {
            Ok(blob) => cx.cpu(move |cx| sha256(&blob, cx)).await? == artefact.sha256,
            Err(error) if error.code() == "storage.not_found" => false,
            Err(error) => return Err(error.with("output", artefact.place)),
        };
        if published {
            return Ok(None);
        }
        Err(Error::transient("part.lost", "a result of a part is gone")
            .with("output", artefact.place)
            .with("ticket", artefact.ticket)
            .help("the part has to be made again"))
    }
}
