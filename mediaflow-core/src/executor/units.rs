//! Runs the units of a plan: each as soon as what it takes is there, beside those that it does not need.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::attempted::unsupported;
use super::checkpoint::GroupWait;
use super::execution::{Execution, watched};
use super::finished::Finished;
use super::given::given;
use super::recovery::origin;
use super::rest::{Rest, Slot, is_final};
use super::room::Share;
use super::uses::Uses;
use super::waits::group_name;
use crate::error::owned;
use crate::media::{Media, MediaInfo};
use crate::operation::{Inputs, OpContext, Outputs};
use crate::plan::Explanation;
use crate::planner::{Failed, Unit, exit_of};
use crate::spec::Pipeline;
use crate::wait::Ran;
use crate::{Error, Failure, Result, RunContext};

/// A unit that can run: all that it takes is there.
struct Ready {
    unit: Unit,
    inputs: Inputs,
    memory: Vec<Share>,
    about: About,
}

/// What is said of a unit when it has run.
struct About {
    steps: Vec<String>,
    exits: Vec<String>,
    group: Option<Group>,
}

/// A unit that has run.
struct Finish {
    about: About,
    result: Result<Ran>,
    /// The memory of what it has made.
    held: HashMap<String, Share>,
}

/// What is stored of a group if it waits.
struct Group {
    name: String,
    backend: String,
    exits: BTreeMap<String, MediaInfo>,
}

impl Execution<'_> {
    /// Runs all of them, as far as they need not wait for what goes on elsewhere. Their results are in the slots then.
    pub(super) async fn units(
        &self,
        units: Vec<Unit>,
        rest: &mut Rest,
        uses: &mut Uses,
        done: &mut Finished,
        cx: &RunContext,
    ) -> Result<()> {
        let stop = cx.cancellation().child_token();
        let contexts = cx.side_by_side(units.len(), &stop);
        let mut unmade: HashSet<String> = units.iter().flat_map(Unit::exits).collect();
        let mut later: Vec<_> = units.into_iter().zip(contexts).enumerate().collect();
        let (mut running, mut explained) = (FuturesUnordered::new(), BTreeMap::new());
        let failure = loop {
            let mut failure = None;
            for (index, (unit, cx)) in std::mem::take(&mut later) {
                if unit.inputs().iter().any(|input| unmade.contains(input)) {
                    later.push((index, (unit, cx)));
                    continue;
                }
                let exits = unit.exits();
                match self.prepare(unit, rest, uses, (index, &mut explained)).await {
                    Ok(Some(ready)) => {
                        // Some of them may have failed before it began.
                        let begun = &ready.about.exits;
                        unmade.retain(|exit| !exits.contains(exit) || begun.contains(exit));
                        running.push(self.run(ready, cx));
                    }
                    Ok(None) => {
                        cx.progress(1.0);
                        unmade.retain(|exit| !exits.contains(exit));
                    }
                    Err(error) => {
                        failure = Some(error);
                        break;
                    }
                }
            }
            if failure.is_some() {
                break failure;
            }
            let Some(ran) = running.next().await else { break None };
            unmade.retain(|exit| !ran.about.exits.contains(exit));
            if let Err(error) = self.ended(ran, rest).await {
                break Some(error);
            }
        };
        done.plan.extend(explained.into_values());
        let Some(failure) = failure else { return Ok(()) };
        stop.cancel();
        // What was handed over meanwhile is written down, so that it is not handed over again, or can be stopped.
        while let Some(ran) = running.next().await {
            if matches!(ran.result, Ok(Ran::Waiting(_)))
                && let Err(error) = self.ended(ran, rest).await
            {
                tracing::warn!(%error, "work was handed over, and could not be written down");
            }
        }
        Err(failure)
    }

    /// Takes what goes into a unit, unless it can not run: then that stands in its slots.
    async fn prepare(
        &self,
        unit: Unit,
        rest: &mut Rest,
        uses: &mut Uses,
        (index, explained): (usize, &mut BTreeMap<usize, Explanation>),
    ) -> Result<Option<Ready>> {
        let Some(unit) = self.without_failed(unit, rest, uses)? else { return Ok(None) };
        let (steps, exits) = (unit.steps(), unit.exits());
        let (inputs, memory) = match self.gather(&unit.inputs(), rest, uses).await? {
            Gathered::All(inputs, memory) => (inputs, memory),
            Gathered::Pending => {
                let pending = exits.into_iter().map(|exit| (exit, Slot::Pending));
                rest.slots.extend(pending);
                return Ok(None);
            }
            Gathered::Failed(failed) => {
                explained.insert(index, unit.explain());
                if is_final(&failed.error) {
                    return Err(owned(failed.error));
                }
                self.tell(&steps, Some(&failed.error));
                let failed = |exit| (exit, Slot::Failed(failed.clone()));
                rest.slots.extend(exits.into_iter().map(failed));
                return Ok(None);
            }
        };
        let Some(unit) = self.as_given(unit, &inputs, rest)? else { return Ok(None) };
        let (steps, exits) = (unit.steps(), unit.exits());
        explained.insert(index, unit.explain());
        let group = match &unit {
            Unit::Group { backend, exits, .. } => {
                let name = group_name(&rest.pipeline, backend, &steps, exits);
                Some(Group { name, backend: backend.clone(), exits: exits.clone() })
            }
            Unit::Decode { .. } | Unit::Step { .. } => None,
        };
        Ok(Some(Ready { unit, inputs, memory, about: About { steps, exits, group } }))
    }

    async fn run(&self, ready: Ready, whole: RunContext) -> Finish {
        let Ready { unit, inputs, memory, about } = ready;
        let cx = whole.of_group(about.group.as_ref().map_or("", |group| &group.name));
        // Whatever makes the others end makes this one stop.
        let stop = cx.cancellation().clone().drop_guard();
        let capacity = &self.resources.capacity;
        let mut held = HashMap::new();
        let result = match capacity.admit(unit.estimate(), &cx).await {
            Ok(admitted) => {
                // What goes on after a stop still uses it.
                let cx = cx.holding((admitted, memory));
                let result = watched(&cx, run_unit(unit, inputs, &cx)).await;
                if let Ok(Ran::Done(outputs)) = &result {
                    // Before others are let in.
                    let made = outputs.made();
                    held =
                        made.map(|(name, media)| (name.to_owned(), capacity.hold(media))).collect();
                }
                result
            }
            Err(error) => Err(error),
        };
        // What was made may be pulled from later.
        stop.disarm();
        whole.progress(1.0);
        Finish { about, result, held }
    }

    /// Puts what a unit has made into its slots.
    async fn ended(&self, ran: Finish, rest: &mut Rest) -> Result<()> {
        let Finish { about: About { steps, exits, group }, result, mut held } = ran;
        let mut outputs = match (result, group) {
            (Ok(Ran::Done(outputs)), _) => outputs,
            (Ok(Ran::Waiting(wait)), Some(group)) => {
                let (failures, retry_at) = (0, None);
                let Group { name: group, backend, exits } = group;
                let group = GroupWait { group, backend, steps, exits, wait, failures, retry_at };
                return self.waits(group, rest).await;
            }
            (Ok(Ran::Waiting(_)), None) => return Err(unsupported()),
            (Err(error), _) => return self.failed_unit(&steps, exits, error, rest),
        };
        let mut failure = None;
        for exit in exits {
            let slot = match taken(&mut outputs, &exit, &steps, &rest.pipeline) {
                Ok(media) => {
                    rest.held.extend(held.remove(exit_of(&exit)).map(|held| (exit.clone(), held)));
                    Slot::Ready(media)
                }
                Err(failed) if is_final(&failed.error) => return Err(owned(failed.error)),
                Err(failed) => {
                    failure.get_or_insert_with(|| Arc::clone(&failed.error));
                    Slot::Failed(failed)
                }
            };
            rest.slots.insert(exit, slot);
        }
        self.tell(&steps, failure.as_ref());
        Ok(())
    }

    pub(super) fn tell(&self, steps: &[String], failure: Option<&Arc<Error>>) {
        if !steps.is_empty() {
            let failure = failure.map(|error| Failure::from(&**error));
            self.attempt.observer.steps(steps, failure.as_ref());
        }
    }

    /// Nothing of a unit could be made.
    pub(super) fn failed_unit(
        &self,
        steps: &[String],
        exits: Vec<String>,
        error: Error,
        rest: &mut Rest,
    ) -> Result<()> {
        if is_final(&error) {
            return Err(error);
        }
        let error = Arc::new(error);
        self.tell(steps, Some(&error));
        for exit in exits {
            let origin = origin(&rest.pipeline, steps, &error, exit_of(&exit));
            rest.slots.insert(exit, Slot::Failed(Failed { origin, error: Arc::clone(&error) }));
        }
        Ok(())
    }

    /// What goes into a unit. What is there of it while the rest waits is kept for then.
    async fn gather(&self, names: &[String], rest: &mut Rest, uses: &mut Uses) -> Result<Gathered> {
        let mut slots = Vec::with_capacity(names.len());
        for name in names {
            // A source is not fetched for what can not run yet.
            let known = rest.slots.get(name).cloned();
            slots.push((name, known));
        }
        let failed = slots.iter().find_map(|(_, slot)| match slot {
            Some(Slot::Failed(failed)) => Some(failed.clone()),
            _ => None,
        });
        if let Some(failed) = failed {
            names.iter().for_each(|name| drop(uses.used(name, rest)));
            return Ok(Gathered::Failed(failed));
        }
        if slots.iter().any(|(_, slot)| matches!(slot, Some(Slot::Pending))) {
            let there = slots.iter().filter(|(name, slot)| {
                rest.pipeline.steps.contains_key(*name)
                    && matches!(slot, Some(Slot::Ready(_) | Slot::Staged(_)))
            });
            let there: Vec<String> = there.map(|(name, _)| (*name).clone()).collect();
            rest.kept.extend(there);
            return Ok(Gathered::Pending);
        }
        let (mut inputs, mut taken) = (Inputs::new(), Vec::new());
        for name in names {
            match self.slot(name, rest).await? {
                Slot::Ready(media) => {
                    inputs = inputs.and(name.clone(), media);
                    taken.extend(uses.used(name, rest));
                }
                Slot::Failed(failed) => return Ok(Gathered::Failed(failed)),
                Slot::Pending | Slot::Staged(_) => return Ok(Gathered::Pending),
            }
        }
        Ok(Gathered::All(inputs, taken))
    }
}

/// What goes into a unit.
enum Gathered {
    /// With the memory of those that nobody else takes.
    All(Inputs, Vec<Share>),
    /// Some of it comes later.
    Pending,
    Failed(Failed),
}

async fn run_unit(unit: Unit, inputs: Inputs, cx: &RunContext) -> Result<Ran> {
    let inputs = given(&unit, inputs, cx).await?;
    match unit {
        Unit::Group { plan, .. } => plan.run(inputs, cx).await,
        Unit::Decode { reader, slot, demand, .. } => {
            cx.count_decode();
            let file = inputs.into_first()?.into_file()?;
            let decoded = reader.decode(&file, demand, cx).await;
            let decoded = decoded.map_err(|e| e.with("source", exit_of(&slot)));
            Ok(Ran::Done(Outputs::new().and(exit_of(&slot), decoded)))
        }
        Unit::Step { name, op, .. } => {
            let inputs = inputs.renamed(exit_of);
            let mut outputs = op.run(inputs, &OpContext::new(cx.clone(), &name)).await?;
            let result = outputs.take(Outputs::MAIN);
            Ok(Ran::Done(Outputs::new().and(name, result)))
        }
    }
}

/// What a unit gives under this name, or why not.
fn taken(
    outputs: &mut Outputs,
    exit: &str,
    steps: &[String],
    pipeline: &Pipeline,
) -> Result<Media, Failed> {
    let name = exit_of(exit);
    outputs.take(name).map_err(|error| {
        let origin = origin(pipeline, steps, &error, name);
        let error =
            if pipeline.steps.contains_key(name) { error.with("step", name) } else { error };
        Failed::new(origin, error)
    })
}
