use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fetch::Sources;
use super::finished::Waiting;
use super::outputs::sha256;
use super::run::stopping;
use super::{Attempt, Executor, Finished};
use crate::plan::Explanation;
use crate::report::{OutputReport, SourceReport};
use crate::spec::{Location, Pipeline};
use crate::storage::Ticket;
use crate::{Error, Result, RunContext};

/// A job with at most this many outputs stays whole: a part costs another fetch and decode of the source.
const WHOLE: usize = 16;

/// The outputs of one part.
const OUTPUTS: usize = 8;

/// A part of a job, which any worker can take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartSpec {
    /// Which part of its job, from 1.
    pub number: u32,
    /// What to do. Today `{"outputs": ["storage/key", ...]}`: the outputs to make.
    pub input: Value,
}

/// What became of a part, as it is stored until the job is assembled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartResult {
    /// Which part of its job.
    pub part: u32,
    /// What it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceReport>,
    /// Its outputs; those that failed under the policy `skip` have the state `failed`.
    pub outputs: Vec<OutputReport>,
    /// What was done.
    pub plan: Vec<Explanation>,
    /// How often a source was decoded.
    pub decodes: u32,
    /// What the report should say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What waits to be published.
    pub artefacts: Vec<Artefact>,
}

/// A result that a part has staged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Artefact {
    /// Where it belongs, `storage/key`.
    pub place: String,
    /// What it is staged under.
    pub ticket: Ticket,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

impl PartSpec {
    /// A part with this input.
    #[must_use]
    pub fn new(number: u32, input: Value) -> Self {
        Self { number, input }
    }

    /// The places of the outputs to make.
    ///
    /// # Errors
    /// `part.input` if the input names none.
    pub fn outputs(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Input {
            outputs: Vec<String>,
        }
        Input::deserialize(&self.input).map(|input| input.outputs).map_err(|e| {
            Error::input("part.input", "the part does not say which outputs to make")
                .with("part", self.number)
                .because(e)
        })
    }

    /// Leaves the outputs of this part.
    pub(super) fn narrow(&self, pipeline: &mut Pipeline) -> Result<()> {
        let mut all = std::mem::take(&mut pipeline.outputs);
        for place in self.outputs()? {
            let (place, output) = all.remove_entry(&place).ok_or_else(|| {
                Error::input("part.input", "the job has no such output any more")
                    .with("part", self.number)
                    .with("output", &place)
                    .help("a job must plan the same outputs in each attempt")
            })?;
            pipeline.outputs.insert(place, output);
        }
        Ok(())
    }

    /// Whom its results are staged for: a part has attempts, and so fences, of its own.
    pub(super) fn ticket_job(&self, job: &str) -> String {
        part_job(job, self.number)
    }
}

fn part_job(job: &str, number: u32) -> String {
    format!("{job}-{number}")
}

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
