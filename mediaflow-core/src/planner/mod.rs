//! From a pipeline to what will run: which steps belong together, and how much of each input they need.
//!
//! The unit of work is everything that one backend does at one level of the graph, not the step. Steps are looked at
//! from the outputs back to the source, so what nobody asked for is never planned; on the way, the demand of all
//! branches is merged by maximum, so a source is decoded no larger than its largest use.
//!
//! A source that can not be had, or a step that can not be done, fails what hangs on it and nothing else: what becomes of
//! an output is for the policies to say.
//!
//! Uses: backend, codes, error, limits, media, operation, plan, reader, registry, spec.

mod failed;
mod graph;
mod grouping;
mod job_plan;

use std::collections::BTreeMap;

pub(crate) use failed::{Failed, FailedSink, Known, Sink};
pub(crate) use graph::{exit_of, needed_sources};
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
/// A step that does not parse, can not be applied, or that nobody does; the error names the step.
pub fn plan(
    pipeline: &Pipeline,
    infos: &BTreeMap<String, MediaInfo>,
    registry: &Registry,
    limits: &Limits,
) -> Result<JobPlan> {
    let known = Known { infos, failed: &BTreeMap::new() };
    let mut plan = plan_known(pipeline, &known, registry, limits)?;
    match plan.failed.pop() {
        Some(FailedSink { sink, failed }) => Err(sink.named(crate::error::owned(failed.error))),
        None => Ok(plan),
    }
}

/// Plans as much of a pipeline as can be done.
///
/// # Errors
/// The pipeline makes no sense as a whole.
pub(crate) fn plan_known(
    pipeline: &Pipeline,
    known: &Known<'_>,
    registry: &Registry,
    limits: &Limits,
) -> Result<JobPlan> {
    pipeline.validate(limits)?;
    let mut failed = known.failed.clone();
    // Each round finds at least one more step that can not be done, so this ends.
    loop {
        let known = Known { infos: known.infos, failed: &failed };
        let graph = Graph::build(pipeline, &known, registry)?;
        match grouping::group(pipeline, &graph, limits)? {
            grouping::Grouped::Planned(plan) => return Ok(plan),
            grouping::Grouped::Refused(refused) => failed.extend(refused),
        }
    }
}
