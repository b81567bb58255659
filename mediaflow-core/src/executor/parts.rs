use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codes;
use crate::id::JobId;
use crate::plan::Explanation;
use crate::report::{OutputReport, SourceReport};
use crate::spec::{Pipeline, Precondition};
use crate::storage::Ticket;
use crate::{Error, Failure, Result};

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
    /// What was found out, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, Value>,
    /// What was not, under the policy `skip`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts_failed: BTreeMap<String, Failure>,
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
    /// What has to be at its place for it to be published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precondition: Option<Precondition>,
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
            Error::input(codes::PART_INPUT, "the part does not say which outputs to make")
                .with("part", self.number)
                .because(e)
        })
    }

    /// Leaves the outputs of this part.
    pub(super) fn narrow(&self, pipeline: &mut Pipeline) -> Result<()> {
        let mut all = std::mem::take(&mut pipeline.outputs);
        for place in self.outputs()? {
            let (place, output) = all.remove_entry(&place).ok_or_else(|| {
                Error::input(codes::PART_INPUT, "the job has no such output any more")
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

/// The job of a ticket, or of a ticket of one of its parts.
pub(super) fn job_of(name: &str) -> Option<JobId> {
    let part = || name.rsplit_once('-').and_then(|(job, _)| job.parse().ok());
    name.parse().ok().or_else(part)
}

/// The name of a part in tickets.
pub(super) fn part_job(job: &str, number: u32) -> String {
    format!("{job}-{number}")
}
