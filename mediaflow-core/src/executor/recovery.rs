//! What becomes of an output or fact that could not be had.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::finished::Finished;
use super::rest::Rest;
use crate::error::owned;
use crate::planner::{Failed, FailedSink, Sink};
use crate::report::{OutputReport, OutputState};
use crate::spec::{OnError, Pipeline};
use crate::{Failure, Result, RunContext};

/// Decides by policy what becomes of something that hangs on what has failed: the first step on the way from there that says
/// something else than `fail` decides. Gives the pipeline for what is made by a fallback.
///
/// # Errors
/// The policy is to fail.
pub(super) fn recover(
    cx: &RunContext,
    rest: &mut Rest,
    sink: &Sink,
    failed: Failed,
    again: Option<Pipeline>,
    done: &mut Finished,
) -> Result<Option<Pipeline>> {
    let pipeline = &rest.pipeline;
    let (name, from) = match sink {
        Sink::Output(place) => (place, pipeline.outputs.get(place).map(|output| &output.from)),
        Sink::Fact(name) => (name, pipeline.facts.get(name).map(|fact| &fact.from)),
    };
    let Some(from) = from else { return Ok(again) };
    let Failed { origin, error } = failed;
    match policy(pipeline, &origin, from)? {
        Some((_, OnError::Skip)) => {
            cx.warn(format!("{name} was skipped: {error}"));
            match sink {
                Sink::Output(place) => {
                    let mut report = OutputReport::pending(place);
                    report.state = OutputState::Failed;
                    report.failure = Some(Failure::from(&*error));
                    done.outputs.push(report);
                    rest.made(place);
                }
                Sink::Fact(name) => {
                    rest.pipeline.facts.remove(name);
                    done.facts_failed.insert(name.clone(), Failure::from(&*error));
                }
            }
            Ok(again)
        }
        Some((step, OnError::Fallback(other))) => {
            cx.warn(format!("`{step}` failed, so `{other}` was used for {name}: {error}"));
            let fresh = || {
                let mut fresh = pipeline.clone();
                fresh.outputs.clear();
                fresh.facts.clear();
                fresh
            };
            let mut again = again.unwrap_or_else(fresh);
            match sink {
                Sink::Output(place) => {
                    again.outputs.insert(place.clone(), pipeline.outputs[place].clone());
                }
                Sink::Fact(name) => {
                    again.facts.insert(name.clone(), pipeline.facts[name].clone());
                }
            }
            again.replace(step, other);
            Ok(Some(again))
        }
        None | Some((_, OnError::Fail)) => Err(sink.named(owned(error))),
    }
}

/// Lets what failed be made by the fallbacks of its steps; what is skipped stays failed. Gives whether there was one.
///
/// # Errors
/// The policy is to fail.
pub(super) fn fall_back(pipeline: &mut Pipeline, failed: &[FailedSink]) -> Result<bool> {
    let mut fallbacks = Vec::new();
    for FailedSink { sink, failed } in failed {
        let from = match sink {
            Sink::Output(place) => pipeline.outputs.get(place).map(|output| &output.from),
            Sink::Fact(name) => pipeline.facts.get(name).map(|fact| &fact.from),
        };
        let Some(from) = from else { continue };
        match policy(pipeline, &failed.origin, from)? {
            Some((_, OnError::Skip)) => {}
            Some((step, OnError::Fallback(other))) => {
                fallbacks.push((step.to_owned(), other.clone()));
            }
            None | Some((_, OnError::Fail)) => {
                return Err(sink.named(owned(Arc::clone(&failed.error))));
            }
        }
    }
    fallbacks.iter().for_each(|(step, other)| pipeline.replace(step, other));
    Ok(!fallbacks.is_empty())
}

/// The first step on the ways from `origin` to `from` with a policy, and that.
fn policy<'p>(
    pipeline: &'p Pipeline,
    origin: &str,
    from: &str,
) -> Result<Option<(&'p str, &'p OnError)>> {
    let ordered = pipeline.ordered()?;
    let mut hanging = BTreeSet::from([origin]);
    for name in &ordered {
        let takes = &pipeline.steps[*name].from;
        if takes.iter().any(|from| hanging.contains(from.as_str())) {
            hanging.insert(*name);
        }
    }
    let above = above(pipeline, from);
    let between = ordered.into_iter().filter(|name| hanging.contains(name) && above.contains(name));
    let policies = between.map(|name| (name, &pipeline.steps[name].on_error));
    Ok(policies.into_iter().find(|(_, policy)| **policy != OnError::Fail))
}

/// Which step is to blame that a result of a group is not there: the one that the error names, if the result hangs on it, or
/// else the first of the group on the result's own way.
pub(super) fn origin(
    pipeline: &Pipeline,
    steps: &[String],
    error: &crate::Error,
    exit: &str,
) -> String {
    let way = above(pipeline, exit);
    let named = error.fact("step").filter(|step| way.contains(step));
    let first = || steps.iter().map(String::as_str).find(|step| way.contains(step));
    named.or_else(first).unwrap_or(exit).to_owned()
}

/// A step or source, and all that it hangs on.
fn above<'p>(pipeline: &'p Pipeline, name: &'p str) -> BTreeSet<&'p str> {
    let (mut above, mut open) = (BTreeSet::new(), vec![name]);
    while let Some(name) = open.pop() {
        if above.insert(name)
            && let Some(step) = pipeline.steps.get(name)
        {
            open.extend(step.from.iter().map(String::as_str));
        }
    }
    above
}

impl Pipeline {
    /// Lets everything that took from `step` take from `other`.
    fn replace(&mut self, step: &str, other: &str) {
        let steps = self.steps.values_mut().flat_map(|step| step.from.iter_mut());
        let facts = self.facts.values_mut().map(|fact| &mut fact.from);
        let all =
            steps.chain(self.outputs.values_mut().map(|output| &mut output.from)).chain(facts);
        all.filter(|from| *from == step).for_each(|from| other.clone_into(from));
    }
}
