use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{JobSpec, Pipeline, Source};
use crate::id::JobId;

/// A job that another one comes after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct After {
    /// The earlier job.
    pub job: JobId,
    /// What becomes of the later one if the earlier one fails or is cancelled.
    #[serde(default, skip_serializing_if = "OnFailure::is_fail")]
    pub on_failure: OnFailure,
}

/// What becomes of a job if one that it comes after fails or is cancelled. One that ended `partial` has not failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnFailure {
    /// It ends without having run, in the same way: it fails with `job.predecessor_failed`, or is cancelled. The default.
    #[default]
    Fail,
    /// It runs all the same.
    Run,
}

impl OnFailure {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde's `skip_serializing_if` passes a reference"
    )]
    fn is_fail(&self) -> bool {
        *self == Self::Fail
    }
}

impl After {
    /// After this job.
    #[must_use]
    pub fn new(job: JobId, on_failure: OnFailure) -> Self {
        Self { job, on_failure }
    }
}

impl JobSpec {
    /// The jobs that this one comes after: those that its options name, and those whose outputs its pipeline reads. A custom
    /// job that reads outputs of others names them in its options.
    #[must_use]
    pub fn predecessors(&self) -> Vec<After> {
        let mut after: Vec<After> = Vec::new();
        let read = self.sources().map(|job| After::new(job, OnFailure::default()));
        for next in self.options.after.iter().cloned().chain(read) {
            if !after.iter().any(|known| known.job == next.job) {
                after.push(next);
            }
        }
        after
    }

    /// Whether it may come after a job of this tenant, and read what that one has made: a tenant's jobs know of no others; one
    /// that is no tenant's is the host's own, and may.
    #[must_use]
    pub fn may_follow(&self, tenant: Option<&str>) -> bool {
        let own = self.options.tenant.as_deref();
        own.is_none_or(|own| tenant == Some(own))
    }

    /// The jobs whose outputs a pipeline reads.
    fn sources(&self) -> impl Iterator<Item = JobId> {
        let with = Some(&self.with).filter(|_| self.kind == Pipeline::WIRE);
        let inputs = with.and_then(|with| with.get("inputs")?.as_object());
        let source = with.and_then(|with| with.get("source"));
        let sets = with.and_then(|with| with.get("sets")?.as_object());
        let lists = sets.into_iter().flat_map(|sets| sets.values());
        let several = lists.filter_map(|set| set.get("of")?.as_array()).flatten();
        let texts = source.into_iter().chain(inputs.into_iter().flat_map(|inputs| inputs.values()));
        let texts = texts.chain(several);
        texts.filter_map(Value::as_str).filter_map(Source::job_of)
    }
}
