use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Failed, Known};
use crate::codes;
use crate::media::{Format, MediaInfo};
use crate::operation::{AnyOperation, Takes};
use crate::plan::Demand;
use crate::reader::Reader;
use crate::registry::Registered;
use crate::spec::{Pipeline, StepSpec};
use crate::{Error, Registry, Result};

/// What is behind the name of a source that is wanted decoded, as a picture, and not as the file that it is.
const DECODED: &str = ":decoded";

/// The same, as frames, sound or pages: whatever its reader gives.
const WHOLE: &str = ":whole";

/// The name under which the plan of a backend gives what lies under this name in the job: that of the source itself, if it
/// is to be decoded.
pub(crate) fn exit_of(slot: &str) -> &str {
    slot.strip_suffix(DECODED).or_else(|| slot.strip_suffix(WHOLE)).unwrap_or(slot)
}

/// The steps that outputs hang on, each with what goes in and comes out, how much is wanted, and who runs it.
pub(super) struct Graph {
    /// Each after those that it takes from.
    pub(super) steps: Vec<Node>,
    /// Sources that somebody wants decoded, by the name of what is decoded.
    pub(super) decodes: BTreeMap<String, Decoder>,
    /// Sources, what is decoded of them, and steps, by name: what they are.
    pub(super) infos: BTreeMap<String, MediaInfo>,
    /// The same: how much of them is wanted.
    pub(super) demands: BTreeMap<String, Demand>,
    /// Sources and steps that can not be had, with what failed first.
    pub(super) failed: BTreeMap<String, Failed>,
}

pub(super) struct Node {
    pub(super) name: String,
    pub(super) op: AnyOperation,
    /// The names of what it takes: steps, sources, and decoded sources.
    pub(super) from: Vec<String>,
    /// What that is, as the step gets it.
    pub(super) inputs: Vec<MediaInfo>,
    pub(super) owner: Option<Registered>,
    pub(super) level: usize,
    /// The steps that it hangs on and that may wait: what hangs on others is not to wait for these.
    pub(super) behind: BTreeSet<String>,
}

impl Node {
    /// How much of each input is wanted for so much of its result.
    pub(super) fn demands(&self, wanted: Demand) -> Vec<Demand> {
        let mut demands = self.op.demand(wanted, &self.inputs);
        if !takes_more_than_a_picture(&self.op, self.owner.as_ref()) {
            demands.iter_mut().for_each(|demand| *demand = demand.first());
        }
        demands
    }

    /// Whether it is this step of which it turns out only while it runs how large its result is.
    fn is_estimate(&self) -> bool {
        let inputs: Vec<_> =
            self.inputs.iter().map(|input| input.clone().with_estimated(false)).collect();
        self.op.describe(&inputs).is_ok_and(|output| output.estimated)
    }
}

fn takes_more_than_a_picture(op: &AnyOperation, owner: Option<&Registered>) -> bool {
    match owner {
        Some(owner) => owner.capability.takes_any,
        None => op.takes() != Takes::Decoded,
    }
}

/// Who decodes a source.
#[derive(Clone)]
pub(super) enum Decoder {
    /// A backend that opens it in any case, or could.
    Backend(Registered),
    Reader(Arc<dyn Reader>),
}

impl Graph {
    /// A step that is known is there already, or on its way: what it takes from is not looked at.
    pub(super) fn build(
        pipeline: &Pipeline,
        known: &Known<'_>,
        registry: &Registry,
    ) -> Result<Self> {
        let mut graph = Self {
            steps: Vec::new(),
            decodes: BTreeMap::new(),
            infos: known.infos.clone(),
            demands: BTreeMap::new(),
            failed: known.failed.clone(),
        };
        let (needed, _) = needed(pipeline, known.infos);
        for name in pipeline.ordered()?.into_iter().filter(|name| needed.contains(name)) {
            if graph.failed.contains_key(name) {
                continue;
            }
            let spec = &pipeline.steps[name];
            if let Some(failed) = spec.from.iter().find_map(|from| graph.failed.get(from)) {
                let failed = failed.clone();
                graph.failed.insert(name.to_owned(), failed);
                continue;
            }
            match graph.step(name, spec, pipeline, registry) {
                Ok((node, output)) => {
                    graph.infos.insert(name.to_owned(), output);
                    graph.steps.push(node);
                }
                Err(error) => {
                    let failed = Failed::new(name, error.with("step", name));
                    graph.failed.insert(name.to_owned(), failed);
                }
            }
        }
        graph.leave_out_what_nobody_takes(pipeline);
        graph.propagate_demand(pipeline);
        Ok(graph)
    }

    /// What only fed a step that can not be done is not done either.
    fn leave_out_what_nobody_takes(&mut self, pipeline: &Pipeline) {
        let mut taken: BTreeSet<String> = pipeline.wanted().map(str::to_owned).collect();
        let mut left = Vec::new();
        for node in std::mem::take(&mut self.steps).into_iter().rev() {
            if taken.contains(&node.name) {
                taken.extend(node.from.iter().cloned());
                left.push(node);
            }
        }
        left.reverse();
        self.steps = left;
        self.decodes.retain(|slot, _| taken.contains(slot));
    }

    pub(super) fn info(&self, name: &str) -> Result<&MediaInfo> {
        self.infos.get(name).ok_or_else(|| {
            Error::internal(codes::PLAN_NO_INFO, "a source was not probed before the plan")
                .with("source", name)
        })
    }

    pub(super) fn node(&self, name: &str) -> Option<&Node> {
        self.steps.iter().find(|node| node.name == name)
    }

    pub(super) fn wanted(&self, name: &str) -> Demand {
        self.demands.get(name).copied().unwrap_or(Demand::NONE)
    }

    /// A step, and what it gives.
    fn step(
        &mut self,
        name: &str,
        spec: &StepSpec,
        pipeline: &Pipeline,
        registry: &Registry,
    ) -> Result<(Node, MediaInfo)> {
        let op = registry.parse_step(name, spec, pipeline)?;
        let infos = spec.from.iter().map(|from| self.info(from).cloned());
        let infos = infos.collect::<Result<Vec<_>>>()?;
        if let Some(wrong) = infos.first().filter(|input| !op.takes_medium(input.medium)) {
            return Err(op.not_for(wrong.medium));
        }
        let owner = registry.backend_for(&op, &infos)?.cloned();
        let (mut from, mut inputs) = (Vec::new(), Vec::new());
        for (name, info) in spec.from.iter().zip(infos) {
            let (slot, input) = if pipeline.steps.contains_key(name) {
                (name.clone(), info)
            } else {
                self.source(name, info, &op, owner.as_ref(), registry)?
            };
            from.push(slot);
            inputs.push(input);
        }
        let output = op.describe(&inputs)?;
        let behind = spec.from.iter().flat_map(|from| self.behind(from, pipeline, registry));
        let behind = behind.collect();
        let mut node = Node { name: name.to_owned(), op, from, inputs, owner, level: 0, behind };
        node.level = node.from.iter().map(|from| self.level(&node, from)).max().unwrap_or(0);
        Ok((node, output))
    }

    /// How a step takes a source: the name of that, and what it is.
    fn source(
        &mut self,
        name: &str,
        info: MediaInfo,
        op: &AnyOperation,
        owner: Option<&Registered>,
        registry: &Registry,
    ) -> Result<(String, MediaInfo)> {
        match owner {
            Some(owner) if owner.capability.formats.contains(&info.format) => {
                return Ok((name.to_owned(), info.decoded()));
            }
            None if op.takes() == Takes::Encoded => return Ok((name.to_owned(), info)),
            // What another attempt has left is decoded already.
            _ if info.format == Format::RAW => return Ok((name.to_owned(), info)),
            _ => {}
        }
        let whole = takes_more_than_a_picture(op, owner);
        let slot = format!("{name}{}", if whole { WHOLE } else { DECODED });
        if !self.decodes.contains_key(&slot) {
            let decoder = match registry.decoding_backend(&info.format) {
                Some(backend) if !whole => Decoder::Backend(backend.clone()),
                _ => {
                    let reader = registry.reader_of(&info.format);
                    Decoder::Reader(Arc::clone(reader.map_err(|e| e.with("source", name))?))
                }
            };
            self.decodes.insert(slot.clone(), decoder);
            self.infos.insert(slot.clone(), info.clone().decoded());
        }
        Ok((slot, info.decoded()))
    }

    /// The steps that may wait and that whoever takes from this hangs on.
    fn behind(&self, from: &str, pipeline: &Pipeline, registry: &Registry) -> BTreeSet<String> {
        let mut behind = self.node(from).map(|node| node.behind.clone()).unwrap_or_default();
        if pipeline.steps.get(from).is_some_and(|step| registry.may_wait(&step.op)) {
            behind.insert(from.to_owned());
        }
        behind
    }

    /// One more than that of what it takes from, unless the same backend can go on in the same plan: it is planned again once the
    /// size is known of what it takes.
    fn level(&self, node: &Node, from: &str) -> usize {
        let Some(input) = self.node(from) else {
            return usize::from(self.decodes.contains_key(from));
        };
        let goes_on = match (&input.owner, &node.owner) {
            (Some(before), Some(owner)) => {
                before.is(owner) && input.behind == node.behind && !input.is_estimate()
            }
            _ => false,
        };
        input.level + usize::from(!goes_on)
    }

    fn propagate_demand(&mut self, pipeline: &Pipeline) {
        for from in pipeline.wanted() {
            self.demands.insert(from.to_owned(), Demand::FULL);
        }
        for node in self.steps.iter().rev() {
            let wanted = self.demands.get(&node.name).copied().unwrap_or(Demand::NONE);
            for (from, demand) in node.from.iter().zip(node.demands(wanted)) {
                let merged = self.demands.get(from).map_or(demand, |known| known.or(demand));
                self.demands.insert(from.clone(), merged);
            }
        }
    }
}

/// The steps and the sources that the outputs hang on. What is `known` of the steps counts as neither.
fn needed<'p>(
    pipeline: &'p Pipeline,
    known: &BTreeMap<String, MediaInfo>,
) -> (BTreeSet<&'p str>, BTreeSet<&'p str>) {
    let (mut steps, mut sources) = (BTreeSet::new(), BTreeSet::new());
    let mut open: Vec<&str> = pipeline.wanted().collect();
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
