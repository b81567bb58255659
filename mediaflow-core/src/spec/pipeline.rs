use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Location, Precondition, PutOptions, Source};
use crate::{Error, Limits, Result};

/// The name under which steps take from the pipeline's own source.
pub const SOURCE: &str = "source";

/// A graph of named steps from one source to any number of outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Pipeline {
    /// What everything is made from; steps name it `source`.
    pub source: Source,
    /// Further inputs by name: a logo, a second clip.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Source>,
    /// The steps by name.
    #[serde(default)]
    pub steps: BTreeMap<String, StepSpec>,
    /// What is kept: from `storage/key` to the step that makes it.
    pub outputs: BTreeMap<String, OutputSpec>,
}

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StepSpec {
    /// The wire name of the operation: `image.resize`.
    pub op: String,
    /// The version of its parameters.
    #[serde(default = "one")]
    pub v: u32,
    /// What it takes from, the main one first: `source`, an input, or another step.
    #[serde(default = "from_source")]
    pub from: Vec<String>,
    /// Its parameters.
    #[serde(default)]
    pub with: Map<String, Value>,
    /// What happens when it fails.
    #[serde(default, skip_serializing_if = "OnError::is_fail")]
    pub on_error: OnError,
}

/// What happens when a step fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnError {
    /// The whole job fails before anything is published. The default.
    #[default]
    Fail,
    /// The outputs that hang on the step fail; the others go on, and the job ends `partial`.
    Skip,
    /// The result of this other step is used in its place.
    Fallback(String),
}

/// One output of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OutputSpec {
    /// The step, or `source`, whose encoded result is kept.
    pub from: String,
    /// What is stored with it.
    #[serde(default, skip_serializing_if = "PutOptions::is_empty")]
    pub put: PutOptions,
    /// What has to be at its place for it to be published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precondition: Option<Precondition>,
}

impl Pipeline {
    /// Its wire name as a job.
    pub(crate) const WIRE: &str = "pipeline";

    pub(super) fn empty(source: Source) -> Self {
        Self { source, inputs: BTreeMap::new(), steps: BTreeMap::new(), outputs: BTreeMap::new() }
    }

    /// Checks the graph: names, references, cycles, keys, and the numbers of steps and outputs.
    ///
    /// # Errors
    /// The first mistake, naming the step, output or input.
    pub fn validate(&self, limits: &Limits) -> Result<()> {
        self.source.validate()?;
        for (name, source) in &self.inputs {
            check_name(name).and_then(|()| source.validate()).map_err(|e| e.with("input", name))?;
        }
        if self.outputs.is_empty() {
            return Err(Error::input("spec.outputs", "a pipeline without outputs does nothing")
                .help("add one with `.output(\"storage/key\", |media| ...)`"));
        }
        if self.outputs.len() > limits.outputs {
            return Err(crate::limits::over(
                "limit.outputs",
                "outputs",
                self.outputs.len() as u64,
                limits.outputs as u64,
            ));
        }
        if self.steps.len() > limits.steps {
            return Err(crate::limits::over(
                "limit.steps",
                "steps",
                self.steps.len() as u64,
                limits.steps as u64,
            ));
        }
        for (name, step) in &self.steps {
            check_name(name)
                .and_then(|()| self.check_step(step))
                .map_err(|e| e.with("step", name))?;
        }
        for (place, output) in &self.outputs {
            place
                .parse::<Location>()
                .and_then(|_| self.check_reference(&output.from))
                .and_then(|()| output.put.validate())
                .and_then(|()| output.precondition.as_ref().map_or(Ok(()), Precondition::validate))
                .map_err(|e| e.with("output", place))?;
        }
        self.ordered().map(drop)
    }

    fn check_step(&self, step: &StepSpec) -> Result<()> {
        if step.from.is_empty() {
            return Err(Error::input("spec.inputs", "a step takes from something")
                .help("name it in `from`"));
        }
        step.from.iter().try_for_each(|from| self.check_reference(from))?;
        match &step.on_error {
            OnError::Fallback(other) => self.check_reference(other),
            OnError::Fail | OnError::Skip => Ok(()),
        }
    }

    fn check_reference(&self, name: &str) -> Result<()> {
        if name == SOURCE || self.inputs.contains_key(name) || self.steps.contains_key(name) {
            return Ok(());
        }
        let known = self.steps.keys().chain(self.inputs.keys()).map(String::as_str).chain([SOURCE]);
        Err(Error::input("spec.reference", format!("there is no step or input `{name}`"))
            .help(crate::suggest::did_you_mean(name, known)))
    }

    /// The source or input of this name.
    pub(crate) fn source_named(&self, name: &str) -> Result<&Source> {
        if name == SOURCE {
            return Ok(&self.source);
        }
        self.inputs.get(name).ok_or_else(|| {
            Error::input("spec.reference", format!("there is no step or input `{name}`"))
        })
    }

    /// The names of the steps, each after those that it takes from or falls back to.
    ///
    /// # Errors
    /// `spec.cycle`, naming a step on it.
    pub fn ordered(&self) -> Result<Vec<&str>> {
        let (mut done, mut order) = (BTreeSet::new(), Vec::with_capacity(self.steps.len()));
        // Kahn's algorithm by rounds: a graph has few steps, and names stay in a stable order.
        while order.len() < self.steps.len() {
            let before = order.len();
            for (name, step) in &self.steps {
                let fallback = match &step.on_error {
                    OnError::Fallback(other) => Some(other),
                    OnError::Fail | OnError::Skip => None,
                };
                let mut needs = step.from.iter().chain(fallback);
                if !done.contains(name.as_str())
                    && needs
                        .all(|from| done.contains(from.as_str()) || !self.steps.contains_key(from))
                {
                    order.push(name.as_str());
                    done.insert(name.as_str());
                }
            }
            if order.len() == before {
                let stuck = self.steps.keys().find(|name| !done.contains(name.as_str()));
                return Err(Error::input("spec.cycle", "steps take from one another in a circle")
                    .with("step", stuck.map_or("", String::as_str)));
            }
        }
        Ok(order)
    }
}

impl OnError {
    fn is_fail(&self) -> bool {
        *self == Self::Fail
    }
}

impl OutputSpec {
    /// Keeps the result of this step.
    #[must_use]
    pub fn from_step(name: impl Into<String>) -> Self {
        Self { from: name.into(), put: PutOptions::new(), precondition: None }
    }

    /// Whether it needs a worker that knows what is stored with an output.
    pub(super) fn is_plain(&self) -> bool {
        self.put.is_empty() && self.precondition.is_none()
    }
}

fn check_name(name: &str) -> Result<()> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 64 || name == SOURCE || !name.chars().all(valid) {
        return Err(Error::input(
            "spec.name",
            format!("`{}` is no name for a step or input", name.escape_debug()),
        )
        .help("use up to 64 lower-case letters, digits, `-` and `_`, and not `source`"));
    }
    Ok(())
}

fn one() -> u32 {
    1
}

fn from_source() -> Vec<String> {
    vec![SOURCE.to_owned()]
}
