//! The faster road: a backend claims a connected group of steps on its sources and runs them as one plan.

use std::fmt;

use async_trait::async_trait;

use crate::media::{Format, MediaFile, MediaInfo};
use crate::operation::{AnyOperation, Inputs};
use crate::plan::{CostClass, Demand, Estimate, Explanation};
use crate::wait::{Ran, Update, Wait};
use crate::{Error, Limits, Result, RunContext};

/// What turns steps into pixels and files: the image backend, the video backend, somebody else's encoder.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Its name in explanations and errors: `image`, `video`.
    fn name(&self) -> &str;

    /// What it can do. The planner asks this, never the name.
    fn capability(&self) -> Capability;

    /// Reads the headers of a file, within [`Limits::probe_time`] and without decoding.
    ///
    /// # Errors
    /// What is wrong with the file, or which limit it passes.
    async fn probe(&self, file: &MediaFile, limits: &Limits) -> Result<MediaInfo>;

    /// Looks at a result before it is published: it decodes, and it has the size, length and streams of `expected`
    /// (a zero or missing field expects nothing). Returns what it found.
    ///
    /// # Errors
    /// `verify.*`: what differs.
    async fn verify(
        &self,
        file: &MediaFile,
        expected: &MediaInfo,
        cx: &RunContext,
    ) -> Result<MediaInfo>;

    /// Plans a group; nothing runs.
    ///
    /// # Errors
    /// The group can not be done; the error names the step.
    fn plan(&self, group: &Group) -> Result<Box<dyn Plan>>;

    /// Goes on with a group whose [`Plan::run`] gave this wait, in whatever process: because of an update, or without one
    /// because [`Wait::poll_at`] has come. Short: it fetches results, or waits on with a new state. May be called twice for
    /// the same update.
    ///
    /// # Errors
    /// [`Update::unreadable`]: the update is dropped, and the work waits on. One that may pass is tried again, and the
    /// work waits on meanwhile; any other is the group's.
    async fn resume(&self, wait: &Wait, _update: Option<&Update>, _cx: &RunContext) -> Result<Ran> {
        Err(Error::internal("wait.unsupported", "this backend has nothing that waits")
            .with("backend", self.name())
            .with("key", &wait.key))
    }

    /// Stops work that nobody waits for any more: its job was cancelled or has failed, or its time is over. May be called
    /// twice, and for work that has ended.
    ///
    /// # Errors
    /// It is tried again if it may pass.
    async fn abandon(&self, _wait: &Wait) -> Result<()> {
        Ok(())
    }
}

/// A group of steps, ready to run.
#[async_trait]
pub trait Plan: fmt::Debug + Send + Sync {
    /// What it will do.
    fn explain(&self) -> Explanation;

    /// What it will cost: for admission.
    fn estimate(&self) -> Estimate;

    /// Does it. `inputs` has the media of each [`GroupInput`] under its name; the outputs have one result for each
    /// name in [`Group::exits`]. An error as a whole means that no exit could be made.
    ///
    /// A backend whose [capability](Capability::waits) says so may give a [`Wait`] instead, once it has handed the work
    /// over: [`Backend::resume`] goes on. What it hands over under [`RunContext::idempotency_key`] is begun once, however
    /// often this runs.
    ///
    /// # Errors
    /// What went wrong; the fact `step` names the step.
    async fn run(self: Box<Self>, inputs: Inputs, cx: &RunContext) -> Result<Ran>;
}

/// What a backend can do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Capability {
    /// The kinds of steps that it claims.
    pub kinds: Vec<&'static str>,
    /// The formats that it probes and decodes.
    pub formats: Vec<Format>,
    /// Its plans may [wait](crate::wait) for work that goes on elsewhere.
    pub waits: bool,
    /// Which kind of work its plans are.
    pub class: CostClass,
}

impl Capability {
    /// It claims these steps and reads these formats. Its class is `image`.
    #[must_use]
    pub fn new(kinds: impl Into<Vec<&'static str>>, formats: impl Into<Vec<Format>>) -> Self {
        let (kinds, formats) = (kinds.into(), formats.into());
        Self { kinds, formats, waits: false, class: CostClass::Image }
    }

    /// Its plans may wait.
    #[must_use]
    pub fn waiting(self) -> Self {
        Self { waits: true, ..self }
    }

    /// Its plans are this kind of work.
    #[must_use]
    pub fn class(self, class: CostClass) -> Self {
        Self { class, ..self }
    }
}

/// A connected part of a pipeline that one backend runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Group {
    /// What comes in from outside.
    pub inputs: Vec<GroupInput>,
    /// The steps, each after those that it takes from. May be empty: then inputs are only decoded.
    pub steps: Vec<GroupStep>,
    /// The names of the steps, or inputs, whose results are wanted outside. An input among them is to be decoded.
    pub exits: Vec<String>,
    /// The limits of the engine.
    pub limits: Limits,
}

/// Something that comes into a group.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GroupInput {
    /// Its name in [`GroupStep::from`] and in the inputs of [`Plan::run`].
    pub name: String,
    /// What is known of it. The format [`Format::RAW`] says that it comes decoded.
    pub info: MediaInfo,
    /// How much of it is wanted, over all branches.
    pub demand: Demand,
}

/// One step of a group.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GroupStep {
    /// Its name in the pipeline.
    pub name: String,
    /// What it does.
    pub op: AnyOperation,
    /// The names of the steps and inputs that it takes from, the main one first.
    pub from: Vec<String>,
    /// What its main input will be, at full demand.
    pub input: MediaInfo,
    /// What its result will be.
    pub output: MediaInfo,
    /// How much of its result is wanted, over all branches.
    pub demand: Demand,
}

impl Group {
    /// An empty group, for planners and tests.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { inputs: Vec::new(), steps: Vec::new(), exits: Vec::new(), limits }
    }

    /// With one more input.
    #[must_use]
    pub fn with_input(mut self, name: impl Into<String>, info: MediaInfo, demand: Demand) -> Self {
        self.inputs.push(GroupInput { name: name.into(), info, demand });
        self
    }

    /// With one more step, which takes from these steps or inputs, the main one first. All of its result is wanted.
    ///
    /// # Errors
    /// `spec.from` if there is nothing of the main name, or what [`AnyOperation::describe`] says.
    pub fn with_step(
        mut self,
        name: impl Into<String>,
        op: AnyOperation,
        from: &[&str],
    ) -> Result<Self> {
        let main = from.first().copied().unwrap_or_default();
        let known = self
            .step(main)
            .map(|step| &step.output)
            .or_else(|| self.input(main).map(|input| &input.info));
        let input = known.cloned().ok_or_else(|| {
            Error::input("spec.from", "a step takes from nothing").with("from", main)
        })?;
        let output = op.describe(&input)?;
        let from = from.iter().map(|from| (*from).to_owned()).collect();
        self.steps.push(GroupStep {
            name: name.into(),
            op,
            from,
            input,
            output,
            demand: Demand::FULL,
        });
        Ok(self)
    }

    /// With this result wanted outside.
    #[must_use]
    pub fn with_exit(mut self, name: impl Into<String>) -> Self {
        self.exits.push(name.into());
        self
    }

    /// The input of this name.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<&GroupInput> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// The step of this name.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<&GroupStep> {
        self.steps.iter().find(|step| step.name == name)
    }
}
