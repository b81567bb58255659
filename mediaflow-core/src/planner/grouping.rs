use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::failed::{Failed, FailedSink, Sink};
use super::graph::{Decoder, Graph, Node, exit_of};
use super::job_plan::{JobPlan, PlannedOutput, Unit};
use crate::backend::{Group, GroupStep};
use crate::codes;
use crate::media::MediaInfo;
use crate::plan::Demand;
use crate::registry::Registered;
use crate::spec::Pipeline;
use crate::{Error, Limits, Result};

/// What became of planning the groups.
pub(super) enum Grouped {
    Planned(JobPlan),
    /// Steps that their backend can not do.
    Refused(BTreeMap<String, Failed>),
}

/// Puts steps of the same backend and level, behind the same steps that may wait, into one group, plans each group, and
/// orders all by level.
pub(super) fn group(pipeline: &Pipeline, graph: &Graph, limits: &Limits) -> Result<Grouped> {
    let mut units: Vec<(usize, Unit)> = Vec::new();
    for (slot, decoder) in &graph.decodes {
        if let Decoder::Reader(reader) = decoder {
            let (slot, info, demand) =
                (slot.clone(), graph.info(slot)?.clone(), graph.wanted(slot));
            units.push((0, Unit::Decode { reader: Arc::clone(reader), slot, info, demand }));
        }
    }
    for members in clusters(graph) {
        match plan_cluster(pipeline, graph, &members, limits)? {
            Ok(unit) => units.push((members.level, unit)),
            Err(error) => return Ok(Grouped::Refused(members.blame(error))),
        }
    }
    for node in graph.steps.iter().filter(|node| node.owner.is_none()) {
        let estimate = node.op.estimate(&node.inputs);
        let (name, op, inputs) = (node.name.clone(), node.op.clone(), node.from.clone());
        units.push((node.level, Unit::Step { name, op, inputs, estimate }));
    }
    units.sort_by_key(|(level, _)| *level);
    let (mut outputs, mut failed) = (Vec::new(), Vec::new());
    for (place, output) in &pipeline.outputs {
        if let Some(why) = graph.failed.get(&output.from) {
            failed.push(FailedSink { sink: Sink::Output(place.clone()), failed: why.clone() });
            continue;
        }
        outputs.push(PlannedOutput {
            place: place.as_str().into(),
            from: output.from.clone(),
            put: output.put.clone(),
            precondition: output.precondition.clone(),
            expected: expected(graph.info(&output.from)?),
        });
    }
    let mut facts = Vec::new();
    for (name, fact) in &pipeline.facts {
        match graph.failed.get(&fact.from) {
            Some(why) => {
                failed.push(FailedSink { sink: Sink::Fact(name.clone()), failed: why.clone() });
            }
            None => facts.push((name.clone(), fact.from.clone())),
        }
    }
    let units = units.into_iter().map(|(_, unit)| unit).collect();
    Ok(Grouped::Planned(JobPlan { units, outputs, facts, failed }))
}

/// What is expected of an output: of one whose size turns out while it is made, any.
fn expected(info: &MediaInfo) -> MediaInfo {
    if info.estimated { info.clone().with_size(0, 0) } else { info.clone() }
}

static NOTHING: BTreeSet<String> = BTreeSet::new();

/// What one backend does at one level.
struct Cluster<'a> {
    owner: Registered,
    level: usize,
    /// The steps that it hangs on and that may wait.
    behind: &'a BTreeSet<String>,
    nodes: Vec<&'a Node>,
    /// Sources that it gives out decoded, for steps of others.
    decodes: Vec<&'a str>,
}

impl Cluster<'_> {
    /// The step that an error names, or else all, and the sources that are to be decoded.
    fn blame(&self, error: Error) -> BTreeMap<String, Failed> {
        let error = error.with("backend", self.owner.backend.name());
        let step = error.fact("step").map(str::to_owned);
        let blamed = self.nodes.iter().find(|node| Some(&node.name) == step.as_ref());
        let error = Arc::new(error);
        let failed = |name: &str| {
            let error = Arc::clone(&error);
            (name.to_owned(), Failed { origin: name.to_owned(), error })
        };
        if let Some(node) = blamed {
            return BTreeMap::from([failed(&node.name)]);
        }
        let steps = self.nodes.iter().map(|node| node.name.as_str());
        steps.chain(self.decodes.iter().map(|slot| exit_of(slot))).map(failed).collect()
    }
}

fn clusters(graph: &Graph) -> Vec<Cluster<'_>> {
    let mut clusters: Vec<Cluster<'_>> = Vec::new();
    for node in &graph.steps {
        if let Some(owner) = &node.owner {
            cluster(&mut clusters, owner, node.level, &node.behind).nodes.push(node);
        }
    }
    for (slot, decoder) in &graph.decodes {
        if let Decoder::Backend(backend) = decoder {
            cluster(&mut clusters, backend, 0, &NOTHING).decodes.push(slot);
        }
    }
    clusters
}

fn cluster<'c, 'a>(
    clusters: &'c mut Vec<Cluster<'a>>,
    owner: &Registered,
    level: usize,
    behind: &'a BTreeSet<String>,
) -> &'c mut Cluster<'a> {
    let found =
        clusters.iter().position(|c| c.level == level && c.behind == behind && c.owner.is(owner));
    let index = found.unwrap_or_else(|| {
        let (owner, nodes, decodes) = (owner.clone(), Vec::new(), Vec::new());
        clusters.push(Cluster { owner, level, behind, nodes, decodes });
        clusters.len() - 1
    });
    &mut clusters[index]
}

/// The unit of a cluster, or the error of a backend that can not do it.
fn plan_cluster(
    pipeline: &Pipeline,
    graph: &Graph,
    members: &Cluster<'_>,
    limits: &Limits,
) -> Result<Result<Unit>> {
    let mut group = Group::new(limits.clone()).with_on_damage(pipeline.on_damage);
    let mut demands: BTreeMap<&str, Demand> = BTreeMap::new();
    let mut want = |name, demand: Demand| {
        let known = demands.entry(name).or_insert(Demand::NONE);
        *known = known.or(demand);
    };
    let inside = |name: &str| members.nodes.iter().any(|node| node.name == name);
    for node in &members.nodes {
        let wanted = graph.wanted(&node.name);
        let needed = node.demands(wanted);
        for (from, demand) in node.from.iter().zip(needed).filter(|(from, _)| !inside(from)) {
            want(from.as_str(), demand);
        }
        group.steps.push(GroupStep {
            name: node.name.clone(),
            op: node.op.clone(),
            from: node.from.clone(),
            inputs: node.inputs.clone(),
            output: graph.info(&node.name)?.clone(),
            demand: wanted,
        });
    }
    for slot in &members.decodes {
        want(exit_of(slot), graph.wanted(slot));
    }
    for (name, demand) in demands {
        group = group.with_input(name, graph.info(name)?.clone(), demand);
    }
    let steps = members.nodes.iter().map(|node| node.name.as_str());
    let steps = steps.filter(|name| is_wanted(pipeline, graph, name, &inside));
    let slots: Vec<&str> = members.decodes.iter().copied().chain(steps).collect();
    group.exits = slots.iter().map(|slot| exit_of(slot).to_owned()).collect();
    let plan = match members.owner.backend.plan(&group) {
        Ok(plan) => plan,
        Err(error) => return Ok(Err(error)),
    };
    if slots.is_empty() {
        return Err(Error::internal(codes::PLAN_EMPTY, "a group of steps has no result")
            .with("backend", members.owner.backend.name()));
    }
    let exit = |slot: &&str| graph.info(slot).map(|info| ((*slot).to_owned(), info.clone()));
    Ok(Ok(Unit::Group {
        plan,
        backend: members.owner.backend.name().to_owned(),
        inputs: group.inputs.iter().map(|input| input.name.clone()).collect(),
        exits: slots.iter().map(exit).collect::<Result<_>>()?,
        steps: group.steps.iter().map(|step| step.name.clone()).collect(),
        takes_any: members.owner.capability.takes_any,
        group: Box::new(group),
    }))
}

/// Whether the result of a step leaves its group: as an output, or into a step outside.
fn is_wanted(
    pipeline: &Pipeline,
    graph: &Graph,
    name: &str,
    inside: &impl Fn(&str) -> bool,
) -> bool {
    pipeline.wanted().any(|wanted| wanted == name)
        || graph
            .steps
            .iter()
            .any(|node| !inside(&node.name) && node.from.iter().any(|from| from == name))
}
