//! What is asked for: a versioned description of a job, readable without a registry.
//!
//! A [`JobSpec`] names its kind, its version and its parameters. The built-in kind is the [`Pipeline`]: a graph of named
//! steps from one source to any number of outputs, usually made with [`Pipeline::from`] and a [`Chain`] per output.
//!
//! Uses: codes, error, id, limits, media, operation, suggest, time.

mod accept;
mod after;
mod builder;
mod chain;
pub(crate) mod digest;
mod needs;
mod options;
mod pipeline;
mod place;
mod put;
mod schema;
mod sets;
mod shown;
mod source;
mod source_set;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use accept::{Accept, Within};
pub use after::{After, OnFailure};
pub use builder::PipelineBuilder;
pub use chain::Chain;
pub(crate) use needs::Need;
pub use needs::Needs;
pub(crate) use options::setters;
pub use options::{JobOptions, NotifyTarget};
pub(crate) use pipeline::check_extension;
pub use pipeline::{FactSpec, OnError, OutputSpec, Pipeline, SOURCE, StepSpec};
pub use place::Place;
pub use put::{Precondition, PutOptions};
pub use schema::json_schema;
pub(crate) use shown::{quoted, shown};
pub use source::{Key, Location, Source};
pub(crate) use source_set::fits;
pub use source_set::{OnMissing, SourceSet};

use crate::codes;
use crate::limits::{at_most, json_length};
use crate::{Error, Limits, Result};

/// A job as it is stored and sent.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct JobSpec {
    /// The version of this envelope: always `mediaflow.job/1`.
    pub schema: SchemaVersion,
    /// The wire name of the job: `pipeline`, or a custom [`Job::KIND`](crate::Job::KIND).
    pub kind: String,
    /// The version of `with`.
    pub v: u32,
    /// What a worker must know to run it: operations as `kind@version`, and what a custom job names as `class:name`. Whoever
    /// submits it computes this, whatever stands here. See [`JobSpec::needs`] for the whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// The parameters of the job.
    pub with: Value,
    /// How it is run and who is told.
    #[serde(default, skip_serializing_if = "JobOptions::is_default")]
    pub options: JobOptions,
}

/// The version of the envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum SchemaVersion {
    /// The first, and today's.
    #[default]
    #[serde(rename = "mediaflow.job/1")]
    V1,
}

impl JobSpec {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// `spec.json`: not JSON, an unknown field, a missing one, or an envelope of a newer version.
    pub fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(|e| {
            let wrong = quoted(&e.to_string());
            Error::input(codes::SPEC_JSON, format!("the spec can not be read: {wrong}"))
                .help("compare it with the JSON Schema of `mediaflow.job/1`")
        })
    }

    /// Counts what stands in it. What the parameters mean is the job's own business.
    ///
    /// # Errors
    /// As [`JobOptions::check`]; `limit.steps` if it requires more than a job may have steps; `limit.spec_bytes`.
    pub(crate) fn check_size(&self, limits: &Limits) -> Result<()> {
        at_most(codes::LIMIT_STEPS, "steps", self.requires.len(), limits.steps)?;
        for entry in &self.requires {
            at_most(codes::LIMIT_OPTION_BYTES, "option_bytes", entry.len(), limits.option_bytes)
                .map_err(|e| e.with("option", "requires"))?;
        }
        at_most(codes::LIMIT_SPEC_BYTES, "spec_bytes", json_length(&self.with), limits.spec_bytes)?;
        self.options.check(limits)
    }

    /// With these options.
    #[must_use]
    pub fn with_options(mut self, options: JobOptions) -> Self {
        self.options = options;
        self
    }

    /// The same job for another run: at once, made anew, and without the idempotency key, which stands for the first.
    #[must_use]
    pub fn again(mut self) -> Self {
        (self.options.idempotency_key, self.options.run_at) = (None, None);
        self.options.reuse = Some(false);
        self
    }
}

impl fmt::Debug for JobSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URLs in it may hold secrets, and sources whole files.
        f.debug_struct("JobSpec")
            .field("kind", &self.kind)
            .field("v", &self.v)
            .field("requires", &self.requires)
            .field("with", &shown::Shown(&self.with))
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What can be submitted: any [`Job`](crate::Job), or a [`JobSpec`] that was read or given options.
pub trait IntoSpec {
    /// The stored form.
    ///
    /// # Errors
    /// `spec.params` if a job does not serialise.
    fn into_spec(self) -> Result<JobSpec>;
}

impl IntoSpec for JobSpec {
    fn into_spec(self) -> Result<JobSpec> {
        Ok(self)
    }
}
