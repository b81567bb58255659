use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::failed::{FailedSink, Sink};
use super::graph::exit_of;
use crate::backend::{Group, Plan};
use crate::media::MediaInfo;
use crate::operation::AnyOperation;
use crate::plan::{Demand, Estimate, Explanation, Stage};
use crate::reader::Reader;
use crate::spec::{Precondition, PutOptions};

/// What a job will do: its units in order, and what is kept. `Display` explains it to people.
#[derive(Debug)]
#[non_exhaustive]
pub struct JobPlan {
    pub(crate) units: Vec<Unit>,
    pub(crate) outputs: Vec<PlannedOutput>,
    /// Facts by name, with the step that finds them out.
    pub(crate) facts: Vec<(String, String)>,
    /// What can not be had.
    pub(crate) failed: Vec<FailedSink>,
}

/// One thing that runs as a whole.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unit {
    /// A group of steps that a backend runs.
    Group {
        /// What will run.
        plan: Box<dyn Plan>,
        /// What it was planned for.
        group: Box<Group>,
        /// The name of the backend that runs it.
        backend: String,
        /// The names of what goes in.
        inputs: Vec<String>,
        /// What comes out, by name.
        exits: BTreeMap<String, MediaInfo>,
        /// The names of the steps in it.
        steps: Vec<String>,
        /// Whether inputs come as they are decoded, or as one picture each.
        takes_any: bool,
    },
    /// A source that its reader decodes, for steps that do not open such files themselves.
    Decode {
        /// Who decodes it.
        reader: Arc<dyn Reader>,
        /// The name of what is decoded.
        slot: String,
        /// What that is, at its full size.
        info: MediaInfo,
        /// How much of it is wanted.
        demand: Demand,
    },
    /// A step that runs by itself.
    Step {
        /// Its name.
        name: String,
        /// What will run.
        op: AnyOperation,
        /// The names of what goes in.
        inputs: Vec<String>,
        /// What it will cost.
        estimate: Estimate,
    },
}

/// Something that is kept.
#[derive(Clone, Debug)]
pub(crate) struct PlannedOutput {
    /// `storage/key`.
    pub(crate) place: Arc<str>,
    /// The step or source that makes it.
    pub(crate) from: String,
    /// What is stored with it.
    pub(crate) put: PutOptions,
    /// What has to be at its place.
    pub(crate) precondition: Option<Precondition>,
    /// What it will be.
    pub(crate) expected: MediaInfo,
}

impl JobPlan {
    /// What happens, unit by unit.
    #[must_use]
    pub fn explain(&self) -> Vec<Explanation> {
        self.units.iter().map(Unit::explain).collect()
    }

    /// The units: each behind those that it takes from.
    #[must_use]
    pub fn into_units(self) -> Vec<Unit> {
        self.units
    }

    /// What it will cost as a whole, if the units run one after the other; those that do not need one another may run at the same
    /// time, each admitted by itself.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        self.units.iter().map(Unit::estimate).fold(Estimate::cpu(0), Estimate::then)
    }
}

impl Unit {
    pub(crate) fn explain(&self) -> Explanation {
        match self {
            Self::Group { plan, .. } => plan.explain(),
            Self::Decode { reader, slot, info, .. } => {
                let stage = Stage::new("decode", format!("`{}`", exit_of(slot)));
                Explanation::new(reader.name(), self.estimate())
                    .with_decodes(1)
                    .with_stage(stage.with_size(info.width, info.height))
            }
            Self::Step { name, op, estimate, .. } => Explanation::new(op.kind(), *estimate)
                .with_stage(Stage::new("run", "a step that no backend claims").with_steps([name])),
        }
    }

    pub(crate) fn estimate(&self) -> Estimate {
        match self {
            Self::Group { plan, .. } => plan.estimate(),
            Self::Decode { info, .. } => {
                Estimate::cpu(info.decoded_bytes().saturating_add(info.decoder_bytes))
            }
            Self::Step { estimate, .. } => *estimate,
        }
    }

    /// The names of what goes in.
    pub(crate) fn inputs(&self) -> Vec<String> {
        match self {
            Self::Group { inputs, .. } | Self::Step { inputs, .. } => inputs.clone(),
            Self::Decode { slot, .. } => vec![exit_of(slot).to_owned()],
        }
    }

    /// The names of what comes out.
    pub(crate) fn exits(&self) -> Vec<String> {
        match self {
            Self::Group { exits, .. } => exits.keys().cloned().collect(),
            Self::Decode { slot, .. } => vec![slot.clone()],
            Self::Step { name, .. } => vec![name.clone()],
        }
    }

    pub(crate) fn steps(&self) -> Vec<String> {
        match self {
            Self::Group { steps, .. } => steps.clone(),
            Self::Decode { .. } => Vec::new(),
            Self::Step { name, .. } => vec![name.clone()],
        }
    }
}

impl fmt::Display for JobPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for explanation in self.explain() {
            writeln!(f, "{explanation}")?;
        }
        for output in &self.outputs {
            writeln!(f, "  keep      {} <- {}", output.place, output.from)?;
        }
        for FailedSink { sink, failed } in &self.failed {
            let (Sink::Output(name) | Sink::Fact(name)) = sink;
            writeln!(f, "  left out  {name}: {}", failed.error)?;
        }
        for (name, from) in &self.facts {
            writeln!(f, "  tell      {name} <- {from}")?;
        }
        Ok(())
    }
}
