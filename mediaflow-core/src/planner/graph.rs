use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::backend::Backend;
use crate::media::MediaInfo;
use crate::operation::{AnyOperation, Takes};
use crate::plan::Demand;
use crate::spec::Pipeline;
use crate::{Error, Registry, Result};

/// The steps that outputs hang on, each with what goes in and comes out, how much is wanted, and who runs it.
pub(super) struct Graph {
    /// Each after those that it takes from.
    pub(super) steps: Vec<Node>,
    /// Sources and steps by name: what they are.
    pub(super) infos: BTreeMap<String, MediaInfo>,
    /// Sources and steps by name: how much of them is wanted.
    pub(super) demands: BTreeMap<String, Demand>,
}

pub(super) struct Node {
    pub(super) name: String,
    pub(super) op: AnyOperation,
    pub(super) from: Vec<String>,
    pub(super) owner: Option<Arc<dyn Backend>>,
    pub(super) level: usize,
    /// The steps that it hangs on and that may wait: what hangs on others is not to wait for these.
    pub(super) behind: BTreeSet<String>,
}

impl Graph {
    /// A step in `known` is there already, or on its way: what it takes from is not looked at.
    pub(super) fn build(
        pipeline: &Pipeline,
        known: &BTreeMap<String, MediaInfo>,
        registry: &Registry,
    ) -> Result<Self> {
        let mut graph = Self { steps: Vec::new(), infos: known.clone(), demands: BTreeMap::new() };
        let (needed, _) = needed(pipeline, known);
        for name in pipeline.ordered()?.into_iter().filter(|name| needed.contains(name)) {
            let spec = &pipeline.steps[name];
            let op =
                registry.parse(&spec.op, spec.v, &spec.with).map_err(|e| e.with("step", name))?;
            let output =
                op.describe(graph.info(&spec.from[0])?).map_err(|e| e.with("step", name))?;
            graph.infos.insert(name.to_owned(), output);
            let owner = registry.backend_for_kind(op.kind()).cloned();
            let behind = spec.from.iter().flat_map(|from| graph.behind(from, pipeline, registry));
            let behind = behind.collect();
            let from = spec.from.clone();
            let mut node = Node { name: name.to_owned(), op, from, owner, level: 0, behind };
            node.level = graph.level(&node, registry)?;
            graph.steps.push(node);
        }
        graph.propagate_demand(pipeline)?;
        Ok(graph)
    }

    pub(super) fn info(&self, name: &str) -> Result<&MediaInfo> {
        self.infos.get(name).ok_or_else(|| {
            Error::internal("plan.no_info", "a source was not probed before the plan")
                .with("source", name)
        })
    }

    pub(super) fn node(&self, name: &str) -> Option<&Node> {
        self.steps.iter().find(|node| node.name == name)
    }

    /// The steps that may wait and that whoever takes from this hangs on.
    fn behind(&self, from: &str, pipeline: &Pipeline, registry: &Registry) -> BTreeSet<String> {
        let mut behind = self.node(from).map(|node| node.behind.clone()).unwrap_or_default();
        if pipeline.steps.get(from).is_some_and(|step| registry.may_wait(&step.op)) {
            behind.insert(from.to_owned());
        }
        behind
    }

    /// One more than the highest level that it takes from, unless the same backend can go on in the same plan.
    fn level(&self, node: &Node, registry: &Registry) -> Result<usize> {
        let mut level = 0;
        for from in &node.from {
            let needed = match (self.node(from), &node.owner) {
                (Some(input), Some(owner))
                    if input.owner.as_ref().is_some_and(|o| Arc::ptr_eq(o, owner))
                        && input.behind == node.behind =>
                {
                    input.level
                }
                (Some(input), _) => input.level + 1,
                (None, Some(owner)) => {
                    self.check_readable(node, from, owner)?;
                    0
                }
                // A step that runs by itself and wants pixels waits for the backend that decodes the source.
                (None, None) if node.op.takes() == Takes::Decoded => {
                    registry
                        .backend_for_format(&self.info(from)?.format)
                        .map_err(|e| e.with("step", &node.name))?;
                    1
                }
                (None, None) => 0,
            };
            level = level.max(needed);
        }
        Ok(level)
    }

    fn check_readable(&self, node: &Node, source: &str, owner: &Arc<dyn Backend>) -> Result<()> {
        let format = &self.info(source)?.format;
        if owner.capability().formats.contains(format) {
            return Ok(());
        }
        Err(Error::unsupported(
            "plan.format",
            format!("`{}` can not be applied to {format}", node.op.kind()),
        )
        .with("step", &node.name)
        .with("source", source)
        .help("for a picture from a video take a `poster` first"))
    }

    fn propagate_demand(&mut self, pipeline: &Pipeline) -> Result<()> {
        for output in pipeline.outputs.values() {
            self.demands.insert(output.from.clone(), Demand::FULL);
        }
        for index in (0..self.steps.len()).rev() {
            let node = &self.steps[index];
            let wanted = self.demands.get(&node.name).copied().unwrap_or(Demand::NONE);
            let main = node.op.demand(wanted, self.info(&node.from[0])?);
            let wants: Vec<_> = node
                .from
                .iter()
                .enumerate()
                .map(|(i, f)| (f.clone(), if i == 0 { main } else { Demand::FULL }))
                .collect();
            for (from, demand) in wants {
                let merged = self.demands.get(&from).map_or(demand, |known| known.or(demand));
                self.demands.insert(from, merged);
            }
        }
        Ok(())
    }
}

/// The steps and the sources that the outputs hang on. What is `known` of the steps counts as neither.
fn needed<'p>(
    pipeline: &'p Pipeline,
    known: &BTreeMap<String, MediaInfo>,
) -> (BTreeSet<&'p str>, BTreeSet<&'p str>) {
    let (mut steps, mut sources) = (BTreeSet::new(), BTreeSet::new());
    let mut open: Vec<&str> =
        pipeline.outputs.values().map(|output| output.from.as_str()).collect();
    while let Some(name) = open.pop() {
        match pipeline.steps.get(name) {
            Some(_) if known.contains_key(name) => {}
            Some(step) if steps.insert(name) => {
                open.extend(step.from.iter().map(String::as_str));
            }
            Some(_) => {}
            None => {
                sources.insert(name);
            }
        }
    }
    (steps, sources)
}

/// The names of the sources that the outputs hang on, past the steps that are known.
pub(crate) fn needed_sources(
    pipeline: &Pipeline,
    known: &BTreeMap<String, MediaInfo>,
) -> Vec<String> {
    needed(pipeline, known).1.into_iter().map(str::to_owned).collect()
}
