//! From a pipeline to what will run: which steps belong together, and how much of each input they need.
//!
//! The unit of work is everything that one backend does at one level of the graph, not the step. Steps are looked at
//! from the outputs back to the source, so what nobody asked for is never planned; on the way, the demand of all
//! branches is merged by maximum, so a source is decoded no larger than its largest use.
//!
//! Uses: backend, error, limits, media, operation, plan, registry, spec.

mod graph;
mod grouping;
mod job_plan;

use std::collections::BTreeMap;

pub(crate) use graph::needed_sources;
pub(crate) use job_plan::PlannedOutput;
pub use job_plan::{JobPlan, Unit};

use crate::media::MediaInfo;
use crate::spec::Pipeline;
use crate::{Limits, Registry, Result};
use graph::Graph;

/// Plans a pipeline whose sources have these headers. A step that is among them is taken for done. Pure: nothing is
/// fetched, decoded or written.
///
/// # Errors
/// A step that does not parse, can not be applied, or that no backend can feed; the error names the step.
pub fn plan(
    pipeline: &Pipeline,
    infos: &BTreeMap<String, MediaInfo>,
    registry: &Registry,
    limits: &Limits,
) -> Result<JobPlan> {
    pipeline.validate(limits)?;
    let graph = Graph::build(pipeline, infos, registry)?;
    grouping::group(pipeline, &graph, registry, limits)
}
