//! The faster road: a backend claims a connected group of steps and runs them as one plan.
//!
//! Uses: codes, context, error, limits, media, operation, plan, wait.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use crate::codes;
use crate::media::{Format, MediaInfo, Medium, OnDamage};
use crate::operation::{AnyOperation, Inputs};
use crate::plan::{CostClass, Demand, Estimate, Explanation};
use crate::wait::{Ran, Update, Wait};
use crate::{Error, Limits, Result, RunContext};

/// What turns steps into pixels and files: the image backend, the video backend, somebody else's encoder.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Its name in explanations and errors: `image`, `video`.
    fn name(&self) -> &str;

    /// What it can do: asked once, when it is registered. The planner goes by this, never by the name.
    fn capability(&self) -> Capability;

    /// Whether it can do this step on these inputs, as they are when it comes to the step: of files the format is known, of
    /// what other steps give it is [`Format::RAW`]. Only asked of the kinds of its capability. Default: what that says.
    fn claim(&self, _step: &AnyOperation, _inputs: &[MediaInfo]) -> Claim {
        Claim::ByCapability
    }

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
        Err(Error::internal(codes::WAIT_UNSUPPORTED, "this backend has nothing that waits")
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
    /// The kinds of steps that it may claim.
    pub kinds: Vec<&'static str>,
    /// The media that it takes.
    pub media: Vec<Medium>,
    /// The files that it opens itself, at the demand of their group. Others are decoded for it by their [reader](crate::reader).
    pub formats: Vec<Format>,
    /// It gives out inputs decoded, if they are among the [exits](Group::exits).
    pub decodes: bool,
    /// It takes what is decoded for it as it is: frames, sound, pages, pixels of any depth. Others get one picture of 8 bits,
    /// of frames and pages the first.
    pub takes_any: bool,
    /// Its plans may [wait](crate::wait) for work that goes on elsewhere.
    pub waits: bool,
    /// Which kind of work its plans are.
    pub class: CostClass,
}

/// What a backend says to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// It does it.
    Yes,
    /// It leaves it to others.
    No,
    /// What its [capability](Capability) says: it knows the word, and takes the first input's medium.
    ByCapability,
}

impl Capability {
    /// It may claim these steps on these media. Its class is `image`, and it opens no files.
    #[must_use]
    pub fn new(kinds: impl Into<Vec<&'static str>>, media: impl Into<Vec<Medium>>) -> Self {
        Self {
            kinds: kinds.into(),
            media: media.into(),
            formats: Vec::new(),
            decodes: false,
            takes_any: false,
            waits: false,
            class: CostClass::Image,
        }
    }

    /// It opens files of these formats itself.
    #[must_use]
    pub fn opening(self, formats: impl Into<Vec<Format>>) -> Self {
        Self { formats: formats.into(), ..self }
    }

    /// It gives out inputs decoded.
    #[must_use]
    pub fn decoding(self) -> Self {
        Self { decodes: true, ..self }
    }

    /// It takes what is decoded for it as it is.
    #[must_use]
    pub fn taking_any(self) -> Self {
        Self { takes_any: true, ..self }
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

    /// Whether a step is the backend's that says this to it.
    pub(crate) fn claims(&self, said: Claim, step: &AnyOperation, inputs: &[MediaInfo]) -> bool {
        let medium = inputs.first().map(|input| input.medium);
        let takes = || medium.is_none_or(|medium| self.media.contains(&medium));
        self.kinds.contains(&step.kind())
            && match said {
                Claim::Yes => true,
                Claim::No => false,
                Claim::ByCapability => takes(),
            }
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
    /// What becomes of damage in its inputs, for explanations: each file says it itself, too.
    pub on_damage: OnDamage,
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
    /// What its inputs will be, as it gets them, at full demand.
    pub inputs: Vec<MediaInfo>,
    /// What its result will be.
    pub output: MediaInfo,
    /// How much of its result is wanted, over all branches.
    pub demand: Demand,
}

impl Group {
    /// An empty group, for planners and tests.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let (inputs, steps, exits) = (Vec::new(), Vec::new(), Vec::new());
        Self { inputs, steps, exits, limits, on_damage: OnDamage::Refuse }
    }

    /// With damage in its inputs treated in this way.
    #[must_use]
    pub fn with_on_damage(self, on_damage: OnDamage) -> Self {
        Self { on_damage, ..self }
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
    /// `spec.from` if there is nothing of such a name, or what [`AnyOperation::describe`] says.
    pub fn with_step(
        mut self,
        name: impl Into<String>,
        op: AnyOperation,
        from: &[&str],
    ) -> Result<Self> {
        let known = |name: &&str| {
            let made = self.step(name).map(|step| step.output.clone());
            let known = made.or_else(|| Some(self.input(name)?.info.clone().decoded()));
            known.ok_or_else(|| {
                Error::input(codes::SPEC_FROM, "a step takes from nothing").with("from", name)
            })
        };
        let inputs = from.iter().map(known).collect::<Result<Vec<_>>>()?;
        let output = op.describe(&inputs)?;
        let from = from.iter().map(|from| (*from).to_owned()).collect();
        let (name, demand) = (name.into(), Demand::FULL);
        self.steps.push(GroupStep { name, op, from, inputs, output, demand });
        Ok(self)
    }

    /// With this result wanted outside.
    #[must_use]
    pub fn with_exit(mut self, name: impl Into<String>) -> Self {
        self.exits.push(name.into());
        self
    }

    /// Looks at the inputs of which it turns out only now how large they are, and says again what is made of them.
    ///
    /// # Errors
    /// The first step that can not be applied to what there is, and why.
    pub(crate) fn look_at(&mut self, given: &Inputs) -> Result<(), (String, Error)> {
        let mut known: BTreeMap<String, MediaInfo> = BTreeMap::new();
        for input in &mut self.inputs {
            if let Some(media) = given.named(&input.name).filter(|_| input.info.estimated) {
                input.info = media.info();
            }
            known.insert(input.name.clone(), input.info.clone().decoded());
        }
        for step in &mut self.steps {
            let inputs = step.from.iter().zip(&step.inputs);
            let inputs = inputs.map(|(from, said)| known.get(from).unwrap_or(said).clone());
            step.inputs = inputs.collect();
            let output = step.op.describe(&step.inputs);
            step.output =
                output.map_err(|error| (step.name.clone(), error.with("step", &step.name)))?;
            known.insert(step.name.clone(), step.output.clone());
        }
        Ok(())
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
