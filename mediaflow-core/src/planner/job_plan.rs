use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::backend::Plan;
use crate::media::MediaInfo;
use crate::operation::AnyOperation;
use crate::plan::{Estimate, Explanation, Stage};
use crate::spec::{Precondition, PutOptions};

/// What a job will do: its units in order, and what is kept. `Display` explains it to people.
#[derive(Debug)]
#[non_exhaustive]
pub struct JobPlan {
    pub(crate) units: Vec<Unit>,
    pub(crate) outputs: Vec<PlannedOutput>,
}

/// One thing that runs as a whole.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unit {
    /// A group of steps that a backend runs.
    Group {
        /// What will run.
        plan: Box<dyn Plan>,
        /// The name of the backend that runs it.
        backend: String,
        /// The names of what goes in.
        inputs: Vec<String>,
        /// What comes out, by name.
        exits: BTreeMap<String, MediaInfo>,
        /// The names of the steps in it.
        steps: Vec<String>,
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

    /// The units, in the order in which they run.
    #[must_use]
    pub fn into_units(self) -> Vec<Unit> {
        self.units
    }

    /// What it will cost as a whole: the units run one after the other.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        self.units.iter().map(Unit::estimate).fold(Estimate::cpu(0), Estimate::then)
    }
}

impl Unit {
    pub(crate) fn explain(&self) -> Explanation {
        match self {
            Self::Group { plan, .. } => plan.explain(),
            Self::Step { name, op, estimate, .. } => Explanation::new(op.kind(), *estimate)
                .with_stage(Stage::new("run", "a step that no backend claims").with_steps([name])),
        }
    }

    pub(crate) fn estimate(&self) -> Estimate {
        match self {
            Self::Group { plan, .. } => plan.estimate(),
            Self::Step { estimate, .. } => *estimate,
        }
    }

    /// The names of what comes out.
    pub(crate) fn exits(&self) -> Vec<String> {
        match self {
            Self::Group { exits, .. } => exits.keys().cloned().collect(),
            Self::Step { name, .. } => vec![name.clone()],
        }
    }

    pub(crate) fn steps(&self) -> Vec<String> {
        match self {
            Self::Group { steps, .. } => steps.clone(),
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
        Ok(())
    }
}
