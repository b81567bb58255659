use std::sync::Arc;

use super::chain::{Node, Policy};
use super::pipeline::check_extension;
use super::{
    Accept, Chain, FactSpec, OnError, OutputSpec, Pipeline, Precondition, PutOptions, SOURCE,
    Source, SourceSet, StepSpec,
};
use crate::codes;
use crate::media::OnDamage;
use crate::{Error, Limits, Result};

/// Builds a [`Pipeline`] from one chain per output. Equal steps become one.
///
/// ```
/// use mediaflow_core::spec::Pipeline;
///
/// let copy = Pipeline::from("uploads/cat.jpg").output("public/cat.jpg", |photo| photo).build()?;
/// assert_eq!(copy.outputs["public/cat.jpg"].from, "source");
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct PipelineBuilder {
    pipeline: Pipeline,
    /// The place of the output that was added last.
    last: Option<String>,
    mistake: Option<Error>,
}

impl Pipeline {
    /// Begins a pipeline: see [`PipelineBuilder`].
    pub fn from(source: impl Into<Source>) -> PipelineBuilder {
        PipelineBuilder::new(Some(source.into()))
    }

    /// Begins a pipeline that has no source: its chains begin with [`Chain::generate`] or [`Chain::source`].
    pub fn generate() -> PipelineBuilder {
        PipelineBuilder::new(None)
    }
}

impl PipelineBuilder {
    pub(super) fn new(source: Option<Source>) -> Self {
        Self { pipeline: Pipeline::empty(source), last: None, mistake: None }
    }

    /// Adds an output at `storage/key`, made by the steps that `make` chains to the source.
    pub fn output(mut self, place: impl Into<String>, make: impl FnOnce(Chain) -> Chain) -> Self {
        let place = place.into();
        let chain = make(Chain::main());
        if let Some(mistake) = &chain.mistake {
            self.note(Error::from(mistake.0.clone()).with("output", &place));
        }
        if let Node::Step { writes: Some(format), op, .. } = &*chain.end
            && let Err(mistake) = check_extension(&place, format, |ending| format.is_named(ending))
        {
            self.note(mistake.with("op", op).with("output", &place));
        }
        let from = self.add(&chain.end);
        if self.pipeline.outputs.insert(place.clone(), OutputSpec::from_step(from)).is_some() {
            self.note(
                Error::input(codes::SPEC_OUTPUTS, "two outputs have the same place")
                    .with("output", &place),
            );
        }
        self.last = Some(place);
        self
    }

    /// Names many equal sources, which steps of [`Chain::sources`] with the same ones then take from.
    ///
    /// ```
    /// use mediaflow_core::spec::{Pipeline, SourceSet};
    ///
    /// let cells = SourceSet::of(["uploads/cells/*.jpg"]).skipping();
    /// let builder = Pipeline::generate().sources("cells", cells);
    /// # let _ = builder;
    /// ```
    pub fn sources(mut self, name: impl Into<String>, set: SourceSet) -> Self {
        let name = name.into();
        if self.is_taken(&name) {
            let twice = Error::input(codes::SPEC_NAME, "an input and another have the same name");
            self.note(twice.with("input", &name));
        }
        self.pipeline.sets.insert(name, set);
        self
    }

    /// What becomes of sources that are damaged, where a step decodes them. Default: they are refused.
    ///
    /// ```
    /// use mediaflow_core::media::OnDamage;
    /// use mediaflow_core::spec::Pipeline;
    ///
    /// let builder = Pipeline::from("uploads/half.jpg").on_damage(OnDamage::Accept);
    /// # let _ = builder;
    /// ```
    pub fn on_damage(mut self, on_damage: OnDamage) -> Self {
        self.pipeline.on_damage = on_damage;
        self
    }

    /// What the source has to be: else the job fails before anything is decoded, with all rules that are broken.
    ///
    /// ```
    /// use mediaflow_core::spec::{Accept, Pipeline};
    ///
    /// let builder = Pipeline::from("uploads/cat.jpg").accept(Accept::new().bytes(..=20_000_000).width(320..));
    /// # let _ = builder;
    /// ```
    pub fn accept(mut self, rules: Accept) -> Self {
        self.pipeline.accept.insert(SOURCE.to_owned(), rules);
        self
    }

    /// What a further source has to be, which chains take from: a logo.
    pub fn accept_of(mut self, source: impl Into<Source>, rules: Accept) -> Self {
        let name = self.add_input(&source.into());
        self.pipeline.accept.insert(name, rules);
        self
    }

    /// What each source of a set has to be, which chains take from.
    pub fn accept_each(mut self, set: &SourceSet, rules: Accept) -> Self {
        let name = self.add_set(set);
        self.pipeline.accept.insert(name, rules);
        self
    }

    /// Adds a fact, found out by the steps that `make` chains to the source: it stands under this name in the job's report.
    pub fn fact(mut self, name: impl Into<String>, make: impl FnOnce(Chain) -> Chain) -> Self {
        let name = name.into();
        let chain = make(Chain::main());
        if let Some(mistake) = &chain.mistake {
            self.note(Error::from(mistake.0.clone()).with("fact", &name));
        }
        let from = self.add(&chain.end);
        if self.pipeline.facts.insert(name.clone(), FactSpec { from }).is_some() {
            let twice = Error::input(codes::SPEC_FACTS, "two facts have the same name");
            self.note(twice.with("fact", &name));
        }
        self
    }

    /// What is stored with the output that was added last: headers that it is served with, metadata.
    ///
    /// ```
    /// use mediaflow_core::spec::{Pipeline, PutOptions};
    ///
    /// let copy = Pipeline::from("uploads/cat.jpg")
    ///     .output("public/cat.jpg", |photo| photo)
    ///     .put(PutOptions::new().cache_control("public, max-age=31536000, immutable"))
    ///     .build()?;
    /// assert!(copy.outputs["public/cat.jpg"].put.cache_control.is_some());
    /// # Ok::<(), mediaflow_core::Error>(())
    /// ```
    pub fn put(self, options: PutOptions) -> Self {
        self.with_last(|output| output.put = options)
    }

    /// What has to be at its place for the output that was added last to be published. A repeated attempt whose own result
    /// is there already has succeeded.
    pub fn precondition(self, precondition: Precondition) -> Self {
        self.with_last(|output| output.precondition = Some(precondition))
    }

    /// The pipeline.
    ///
    /// # Errors
    /// The first mistake, with its place: the operation, the step, the output.
    pub fn build(self) -> Result<Pipeline> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        self.pipeline.validate(&Limits {
            steps: usize::MAX,
            outputs: usize::MAX,
            inputs: usize::MAX,
            ..Limits::default()
        })?;
        Ok(self.pipeline)
    }

    fn with_last(mut self, change: impl FnOnce(&mut OutputSpec)) -> Self {
        match self.last.as_ref().and_then(|place| self.pipeline.outputs.get_mut(place)) {
            Some(output) => change(output),
            None => self.note(
                Error::input(codes::SPEC_OUTPUTS, "there is no output yet to say this of")
                    .help("call `output()` first"),
            ),
        }
        self
    }

    fn note(&mut self, mistake: Error) {
        self.mistake.get_or_insert(mistake);
    }

    /// Puts a node and all that it takes from into the pipeline; gives its name.
    fn add(&mut self, node: &Arc<Node>) -> String {
        match &**node {
            Node::Main => SOURCE.to_owned(),
            Node::Input(source) => self.add_input(source),
            Node::Set(set) => self.add_set(set),
            Node::Step { op, v, with, from, on_error, .. } => {
                let on_error = match on_error {
                    Policy::Fail => OnError::Fail,
                    Policy::Skip => OnError::Skip,
                    Policy::Fallback(other) => OnError::Fallback(self.add(other)),
                };
                let from = from.iter().map(|from| self.add(from)).collect();
                self.add_step(StepSpec {
                    op: (*op).to_owned(),
                    v: *v,
                    from,
                    with: with.clone(),
                    on_error,
                })
            }
        }
    }

    fn add_input(&mut self, source: &Source) -> String {
        if self.pipeline.source.as_ref() == Some(source) {
            return SOURCE.to_owned();
        }
        if let Some((name, _)) = self.pipeline.inputs.iter().find(|(_, known)| *known == source) {
            return name.clone();
        }
        let name = free_name("input", |name| self.is_taken(name));
        self.pipeline.inputs.insert(name.clone(), source.clone());
        name
    }

    fn add_set(&mut self, set: &SourceSet) -> String {
        if let Some((name, _)) = self.pipeline.sets.iter().find(|(_, known)| *known == set) {
            return name.clone();
        }
        let name = free_name("inputs", |name| self.is_taken(name));
        self.pipeline.sets.insert(name.clone(), set.clone());
        name
    }

    fn add_step(&mut self, step: StepSpec) -> String {
        if let Some((name, _)) = self.pipeline.steps.iter().find(|(_, known)| **known == step) {
            return name.clone();
        }
        let verb =
            step.op.rsplit('.').next().unwrap_or("step").to_ascii_lowercase().replace(' ', "-");
        let name = free_name(&verb, |name| self.is_taken(name));
        self.pipeline.steps.insert(name.clone(), step);
        name
    }

    fn is_taken(&self, name: &str) -> bool {
        name == SOURCE
            || self.pipeline.steps.contains_key(name)
            || self.pipeline.inputs.contains_key(name)
            || self.pipeline.sets.contains_key(name)
    }
}

fn free_name(stem: &str, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(stem) {
        return stem.to_owned();
    }
    let mut number = 2_u32;
    loop {
        let name = format!("{stem}-{number}");
        if !is_taken(&name) {
            return name;
        }
        number += 1;
    }
}
