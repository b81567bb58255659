use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::graph::{Graph, Node};
use super::job_plan::{JobPlan, PlannedOutput, Unit};
use crate::backend::{Backend, Group, GroupStep};
use crate::operation::Takes;
use crate::plan::Demand;
use crate::spec::Pipeline;
use crate::{Error, Limits, Registry, Result};

/// Puts steps of the same backend and level, behind the same steps that may wait, into one group, plans each group, and orders all by level.
pub(super) fn group(
    pipeline: &Pipeline,
    graph: &Graph,
    registry: &Registry,
    limits: &Limits,
) -> Result<JobPlan> {
    let mut units: Vec<(usize, Unit)> = Vec::new();
    for members in clusters(graph, registry)? {
        units.push((members.level, plan_cluster(pipeline, graph, &members, limits)?));
    }
    for node in graph.steps.iter().filter(|node| node.owner.is_none()) {
        let input = graph.info(&node.from[0])?;
        let estimate = node.op.estimate(input);
        let (name, op, inputs) = (node.name.clone(), node.op.clone(), node.from.clone());
        units.push((node.level, Unit::Step { name, op, inputs, estimate }));
    }
    units.sort_by_key(|(level, _)| *level);
    let outputs = pipeline
        .outputs
        .iter()
        .map(|(place, output)| {
            let expected = graph.info(&output.from)?.clone();
            Ok(PlannedOutput {
                place: place.as_str().into(),
                from: output.from.clone(),
                put: output.put.clone(),
                precondition: output.precondition.clone(),
                expected,
            })
        })
        .collect::<Result<_>>()?;
    Ok(JobPlan { units: units.into_iter().map(|(_, unit)| unit).collect(), outputs })
}

static NOTHING: BTreeSet<String> = BTreeSet::new();

/// What one backend does at one level.
struct Cluster<'a> {
    backend: Arc<dyn Backend>,
    level: usize,
    /// The steps that it hangs on and that may wait.
    behind: &'a BTreeSet<String>,
    nodes: Vec<&'a Node>,
    /// Sources that it only decodes, for steps that run by themselves.
    decodes: Vec<String>,
}

fn clusters<'a>(graph: &'a Graph, registry: &Registry) -> Result<Vec<Cluster<'a>>> {
    let mut clusters: Vec<Cluster<'a>> = Vec::new();
    for node in &graph.steps {
        if let Some(owner) = &node.owner {
            cluster(&mut clusters, owner, node.level, &node.behind).nodes.push(node);
            continue;
        }
        for source in node.from.iter().filter(|from| graph.node(from).is_none()) {
            if node.op.takes() == Takes::Decoded {
                let owner = registry.backend_for_format(&graph.info(source)?.format)?;
                let decodes = &mut cluster(&mut clusters, owner, 0, &NOTHING).decodes;
                if !decodes.contains(source) {
                    decodes.push(source.clone());
                }
            }
        }
    }
    Ok(clusters)
}

fn cluster<'c, 'a>(
    clusters: &'c mut Vec<Cluster<'a>>,
    backend: &Arc<dyn Backend>,
    level: usize,
    behind: &'a BTreeSet<String>,
) -> &'c mut Cluster<'a> {
    let found = clusters
        .iter()
        .position(|c| c.level == level && c.behind == behind && Arc::ptr_eq(&c.backend, backend));
    let index = found.unwrap_or_else(|| {
        clusters.push(Cluster {
            backend: Arc::clone(backend),
            level,
            behind,
            nodes: Vec::new(),
            decodes: Vec::new(),
        });
        clusters.len() - 1
    });
    &mut clusters[index]
}

fn plan_cluster(
    pipeline: &Pipeline,
    graph: &Graph,
    members: &Cluster<'_>,
    limits: &Limits,
) -> Result<Unit> {
    let mut group = Group::new(limits.clone());
    let mut demands: BTreeMap<&str, Demand> = BTreeMap::new();
    let inside = |name: &str| members.nodes.iter().any(|node| node.name == name);
    for node in &members.nodes {
        let wanted = wanted(graph, &node.name);
        let main = node.op.demand(wanted, graph.info(&node.from[0])?);
        for (index, from) in node.from.iter().enumerate().filter(|(_, from)| !inside(from)) {
            let demand = if index == 0 { main } else { Demand::FULL };
            let known = demands.get(from.as_str()).copied().unwrap_or(Demand::NONE);
            demands.insert(from, known.or(demand));
        }
        group.steps.push(GroupStep {
            name: node.name.clone(),
            op: node.op.clone(),
            from: node.from.clone(),
            input: graph.info(&node.from[0])?.clone(),
            output: graph.info(&node.name)?.clone(),
            demand: wanted,
        });
    }
    for source in &members.decodes {
        demands.insert(source, wanted(graph, source));
    }
    for (name, demand) in demands {
        group = group.with_input(name, graph.info(name)?.clone(), demand);
    }
    group.exits = members.decodes.clone();
    group.exits.extend(
        members
            .nodes
            .iter()
            .map(|n| n.name.clone())
            .filter(|n| is_wanted(pipeline, graph, n, &inside)),
    );
    let plan =
        members.backend.plan(&group).map_err(|e| e.with("backend", members.backend.name()))?;
    if group.exits.is_empty() {
        return Err(Error::internal("plan.empty", "a group of steps has no result")
            .with("backend", members.backend.name()));
    }
    let exit = |name: String| graph.info(&name).cloned().map(|info| (name, info));
    Ok(Unit::Group {
        plan,
        backend: members.backend.name().to_owned(),
        inputs: group.inputs.into_iter().map(|input| input.name).collect(),
        exits: group.exits.into_iter().map(exit).collect::<Result<_>>()?,
        steps: group.steps.into_iter().map(|step| step.name).collect(),
    })
}

fn wanted(graph: &Graph, name: &str) -> Demand {
    graph.demands.get(name).copied().unwrap_or(Demand::NONE)
}

/// Whether the result of a step leaves its group: as an output, or into a step outside.
fn is_wanted(
    pipeline: &Pipeline,
    graph: &Graph,
    name: &str,
    inside: &impl Fn(&str) -> bool,
) -> bool {
    pipeline.outputs.values().any(|output| output.from == name)
        || graph
            .steps
            .iter()
            .any(|node| !inside(&node.name) && node.from.iter().any(|from| from == name))
}
