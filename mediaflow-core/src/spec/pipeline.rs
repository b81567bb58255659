use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Accept, Place, Precondition, PutOptions, Source, SourceSet};
use crate::codes;
use crate::media::{Format, MediaInfo, OnDamage};
use crate::{Error, Limits, Result};

/// The name under which steps take from the pipeline's own source.
pub const SOURCE: &str = "source";

/// A graph of named steps from one source to any number of outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Pipeline {
    /// What everything is made from; steps name it `source`. None if all is generated, or made from `inputs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Further inputs by name: a logo, a second clip.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Source>,
    /// Many equal inputs under one name each: the cells of a sheet. Steps take from all of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sets: BTreeMap<String, SourceSet>,
    /// What becomes of sources that are damaged, where a step decodes them. Default `refuse`.
    #[serde(default, skip_serializing_if = "OnDamage::is_refuse")]
    pub on_damage: OnDamage,
    /// What sources have to be, by the name that steps have for them: `source`, an input, or a set, for each of its sources.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accept: BTreeMap<String, Accept>,
    /// The steps by name.
    #[serde(default)]
    pub steps: BTreeMap<String, StepSpec>,
    /// What is kept: from `storage/key` to the step that makes it.
    #[serde(default)]
    pub outputs: BTreeMap<String, OutputSpec>,
    /// What is found out, for the report: from a name to the step that does.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, FactSpec>,
}

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StepSpec {
    /// The wire name of the operation: `resize`.
    pub op: String,
    /// The version of its parameters.
    #[serde(default = "one")]
    pub v: u32,
    /// What it takes from, the main one first: `source`, an input, or another step. Nothing for a generator.
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

/// One fact of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FactSpec {
    /// The step that finds it out.
    pub from: String,
}

impl Pipeline {
    /// Its wire name as a job.
    pub(crate) const WIRE: &str = "pipeline";

    pub(super) fn empty(source: Option<Source>) -> Self {
        let (inputs, sets, steps) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (accept, outputs, facts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let on_damage = OnDamage::default();
        Self { source, inputs, sets, on_damage, accept, steps, outputs, facts }
    }

    /// Checks the graph: names, references, cycles, keys, and the numbers of steps and outputs.
    ///
    /// # Errors
    /// The first mistake, naming the step, output or input.
    pub fn validate(&self, limits: &Limits) -> Result<()> {
        for (name, source) in self.sources() {
            source.validate().map_err(|e| e.with("input", name))?;
        }
        for (name, set) in &self.sets {
            set.validate().map_err(|e| e.with("input", name))?;
        }
        for name in self.inputs.keys().chain(self.sets.keys()) {
            if self.set_of(name).is_none() {
                check_name(name).map_err(|e| e.with("input", name))?;
            }
            let twice = self.inputs.contains_key(name) && self.sets.contains_key(name);
            if twice || self.steps.contains_key(name) {
                return Err(Error::input(
                    codes::SPEC_NAME,
                    "an input and another have the same name",
                )
                .with("input", name)
                .help("rename one of them"));
            }
        }
        for (name, rules) in &self.accept {
            self.check_source(name)
                .and_then(|()| rules.validate())
                .map_err(|e| e.with("accept", name))?;
        }
        if self.is_done() {
            return Err(Error::input(
                codes::SPEC_OUTPUTS,
                "a pipeline without outputs does nothing",
            )
            .help("add one with `.output(\"storage/key\", |media| ...)`"));
        }
        if self.outputs.len() + self.facts.len() > limits.outputs {
            return Err(crate::limits::over(
                codes::LIMIT_OUTPUTS,
                "outputs",
                (self.outputs.len() + self.facts.len()) as u64,
                limits.outputs as u64,
            ));
        }
        let inputs = self.inputs.len() + 1;
        crate::limits::at_most(codes::LIMIT_INPUTS, "inputs", inputs, limits.inputs)?;
        if self.steps.len() > limits.steps {
            return Err(crate::limits::over(
                codes::LIMIT_STEPS,
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
                .parse::<Place>()
                .and_then(|_| self.check_single(&output.from))
                .and_then(|()| output.put.validate())
                .and_then(|()| output.check_precondition(place))
                .map_err(|e| e.with("output", super::shown(place)))?;
        }
        for (name, fact) in &self.facts {
            check_name(name)
                .and_then(|()| self.check_single(&fact.from))
                .map_err(|e| e.with("fact", name))?;
        }
        self.ordered().map(drop)
    }

    /// Whether nothing is asked for.
    pub(crate) fn is_done(&self) -> bool {
        self.outputs.is_empty() && self.facts.is_empty()
    }

    /// The names of what outputs and facts are taken from.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &str> {
        let outputs = self.outputs.values().map(|output| output.from.as_str());
        outputs.chain(self.facts.values().map(|fact| fact.from.as_str()))
    }

    fn check_step(&self, step: &StepSpec) -> Result<()> {
        step.from.iter().try_for_each(|from| self.check_reference(from))?;
        match &step.on_error {
            OnError::Fallback(other) => self.check_single(other),
            OnError::Fail | OnError::Skip => Ok(()),
        }
    }

    fn check_single(&self, name: &str) -> Result<()> {
        if self.sets.contains_key(name) {
            let what = format!("`{name}` is several sources, and one is needed");
            return Err(Error::input(codes::SPEC_REFERENCE, what)
                .help("let a step take from them that makes one thing of all"));
        }
        self.check_reference(name)
    }

    fn check_reference(&self, name: &str) -> Result<()> {
        if self.steps.contains_key(name) || self.sources().any(|(known, _)| known == name) {
            return Ok(());
        }
        let sources = self.sources().map(|(name, _)| name);
        let known = self.steps.keys().map(String::as_str).chain(sources);
        Err(Error::input(codes::SPEC_REFERENCE, format!("there is no step or input `{name}`"))
            .help(crate::suggest::did_you_mean(name, known)))
    }

    /// Whether this is the name of the source, of an input or of a set.
    fn check_source(&self, name: &str) -> Result<()> {
        let known = || {
            let sources = self.sources().map(|(name, _)| name);
            sources.chain(self.sets.keys().map(String::as_str))
        };
        if known().any(|known| known == name) {
            return Ok(());
        }
        Err(Error::input(codes::SPEC_REFERENCE, format!("there is no source or input `{name}`"))
            .help(crate::suggest::did_you_mean(name, known())))
    }

    /// Whether what is known of the source or input of this name keeps the rules for it.
    ///
    /// # Errors
    /// `source.refused`.
    pub(crate) fn check_accepted(&self, name: &str, info: &MediaInfo) -> Result<()> {
        let of_set = || self.accept.get(self.set_of(name)?.0);
        self.accept.get(name).or_else(of_set).map_or(Ok(()), |rules| rules.check(info))
    }

    /// The source, the inputs and those of the sets, with the names that steps have for them.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        let source = self.source.iter().map(|source| (SOURCE, source));
        let inputs = self.inputs.iter().map(|(name, source)| (name.as_str(), source));
        let sets = self.sets.iter();
        let sets = sets.flat_map(|(name, set)| set.of.iter().map(|source| (name.as_str(), source)));
        source.chain(inputs).chain(sets)
    }

    /// The source or input of this name.
    pub(crate) fn source_named(&self, name: &str) -> Result<&Source> {
        let found = self.sources().find(|(known, _)| *known == name);
        found.map(|(_, source)| source).ok_or_else(|| {
            Error::input(codes::SPEC_REFERENCE, format!("there is no step or input `{name}`"))
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
                return Err(Error::input(
                    codes::SPEC_CYCLE,
                    "steps take from one another in a circle",
                )
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

    fn check_precondition(&self, place: &str) -> Result<()> {
        let pattern = place.parse::<Place>().is_ok_and(|place| place.is_pattern());
        match &self.precondition {
            Some(Precondition::IfMatch(_)) if pattern => {
                Err(Error::input(codes::OUTPUT_PATTERN, "several files are not all of one version")
                    .help("a pattern can have the precondition `if_none_match`"))
            }
            precondition => precondition.as_ref().map_or(Ok(()), Precondition::validate),
        }
    }

    /// Whether it needs a worker that knows what is stored with an output.
    pub(super) fn is_plain(&self) -> bool {
        self.put.is_empty() && self.precondition.is_none()
    }
}

/// Refuses a place whose ending is that of another format than what is written there. `is_named` says whether an ending may
/// stand for the format, as far as formats are known.
///
/// # Errors
/// `spec.extension`.
pub(crate) fn check_extension(
    place: &str,
    format: &Format,
    is_named: impl FnOnce(&str) -> bool,
) -> Result<()> {
    let Ok(location) = place.parse::<Place>().and_then(|place| place.file("name", 1)) else {
        return Ok(());
    };
    if is_named(location.key.extension()) {
        return Ok(());
    }
    Err(Error::input(
        codes::SPEC_EXTENSION,
        format!("the ending of the name is not that of {format}"),
    )
    .help(format!("end it with `.{}`, or leave the ending out", format.extension())))
}

fn check_name(name: &str) -> Result<()> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 64 || name == SOURCE || !name.chars().all(valid) {
        return Err(Error::input(
            codes::SPEC_NAME,
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
