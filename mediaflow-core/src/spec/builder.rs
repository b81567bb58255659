use std::sync::Arc;

use super::chain::{Node, Policy};
use super::{
    Chain, OnError, OutputSpec, Pipeline, Precondition, PutOptions, SOURCE, Source, StepSpec,
};
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
        PipelineBuilder::new(source.into())
    }
}

impl PipelineBuilder {
    pub(super) fn new(source: Source) -> Self {
        Self { pipeline: Pipeline::empty(source), last: None, mistake: None }
    }

    /// Adds an output at `storage/key`, made by the steps that `make` chains to the source.
    pub fn output(mut self, place: impl Into<String>, make: impl FnOnce(Chain) -> Chain) -> Self {
        let place = place.into();
        let chain = make(Chain::main());
        if let Some(mistake) = &chain.mistake {
            self.note(Error::from(mistake.0.clone()).with("output", &place));
        }
        let from = self.add(&chain.end);
        if self.pipeline.outputs.insert(place.clone(), OutputSpec::from_step(from)).is_some() {
            self.note(
                Error::input("spec.outputs", "two outputs have the same place")
                    .with("output", &place),
            );
        }
        self.last = Some(place);
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
            ..Limits::default()
        })?;
        Ok(self.pipeline)
    }

    fn with_last(mut self, change: impl FnOnce(&mut OutputSpec)) -> Self {
        match self.last.as_ref().and_then(|place| self.pipeline.outputs.get_mut(place)) {
            Some(output) => change(output),
            None => self.note(
                Error::input("spec.outputs", "there is no output yet to say this of")
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
            Node::Step { op, v, with, from, on_error } => {
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
        if *source == self.pipeline.source {
            return SOURCE.to_owned();
        }
        if let Some((name, _)) = self.pipeline.inputs.iter().find(|(_, known)| *known == source) {
            return name.clone();
        }
        let name = free_name("input", |name| self.is_taken(name));
        self.pipeline.inputs.insert(name.clone(), source.clone());
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
