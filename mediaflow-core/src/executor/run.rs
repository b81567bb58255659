use std::sync::Arc;

use super::attempted::{Suspended, unsupported};
use super::checkpoint::GroupWait;
use super::execution::{Execution, stopping};
use super::finished::Finished;
use super::rest::{Rest, Slot};
use super::waits::{group_name, is_final};
use crate::operation::{Inputs, OpContext, Outputs};
use crate::planner::{self, JobPlan, PlannedOutput, Unit};
use crate::report::{OutputReport, OutputState};
use crate::spec::{OnError, Pipeline};
use crate::wait::Ran;
use crate::{Error, Failure, Result, RunContext};

/// The share of an attempt's progress that planning takes, and where verification begins.
const PLANNED: f32 = 0.05;
const MADE: f32 = 0.92;

impl Execution<'_> {
    /// Makes every output of the pipeline, or what the policies leave of them. Gives what is needed to go on if some of it
    /// has to wait.
    pub(super) async fn pipeline(
        &self,
        pipeline: Pipeline,
        done: &mut Finished,
    ) -> Result<Option<Suspended>> {
        let mut rest = self.rest(pipeline, done).await?;
        self.resume(&mut rest).await?;
        let (from, to) = self.share(&rest)?;
        let cx = self.cx.part(from, to);
        // Each round replaces at least one failed step by its fallback, so this ends.
        loop {
            self.probe(&mut rest, done).await?;
            if rest.fresh {
                rest.keys = self.content_keys(&rest.pipeline).await?;
                stopping(self.cx, self.reuse(&mut rest, done)).await?;
            }
            if rest.pipeline.outputs.is_empty() {
                break;
            }
            let (registry, limits) = (&self.resources.registry, &self.resources.limits);
            let plan = planner::plan(&rest.pipeline, &rest.infos, registry, limits)?;
            cx.progress(PLANNED);
            match self.plan(plan, &mut rest, done, &cx).await? {
                Some(again) => rest.pipeline = again,
                None => break,
            }
        }
        done.outputs.sort_by(|a, b| a.output.cmp(&b.output));
        if rest.pending.is_empty() {
            return Ok(None);
        }
        self.suspend(rest, done).await.map(Some)
    }

    /// Runs a plan, as far as it need not wait. Gives the pipeline for the outputs that have to be made by a fallback, if
    /// any.
    async fn plan(
        &self,
        plan: JobPlan,
        rest: &mut Rest,
        done: &mut Finished,
        cx: &RunContext,
    ) -> Result<Option<Pipeline>> {
        let count = plan.units.len().max(1) as f32;
        for (index, unit) in plan.units.into_iter().enumerate() {
            let at = |i: usize| PLANNED + (MADE - PLANNED) * i as f32 / count;
            self.unit(unit, rest, done, &cx.part(at(index), at(index + 1))).await?;
        }
        let mut again: Option<Pipeline> = None;
        let total = plan.outputs.len().max(1) as f32;
        for (index, planned) in plan.outputs.iter().enumerate() {
            let place = &*planned.place;
            let made = match self.slot(&planned.from, rest).await? {
                Slot::Ready(media) => {
                    let expected = rest.expected.get(&planned.from).unwrap_or(&planned.expected);
                    let expected = expected.clone();
                    let planned = PlannedOutput { expected, ..planned.clone() };
                    self.keep(&planned, media).await.map_err(Arc::new)
                }
                Slot::Failed(error) => Err(error),
                Slot::Pending | Slot::Staged(_) => {
                    if let Some((place, output)) = rest.pipeline.outputs.remove_entry(place) {
                        rest.pending.insert(place, output);
                    }
                    continue;
                }
            };
            match made {
                Ok((mut report, staged)) => {
                    report.content_key = rest.keys.get(place).cloned().unwrap_or_default();
                    done.outputs.push(report);
                    done.staged.push(staged);
                    rest.made(place);
                }
                Err(error) => {
                    again = self.recover(rest, place, &planned.from, error, again.take(), done)?;
                }
            }
            cx.progress(MADE + (0.99 - MADE) * (index + 1) as f32 / total);
        }
        Ok(again)
    }

    async fn unit(
        &self,
        unit: Unit,
        rest: &mut Rest,
        done: &mut Finished,
        cx: &RunContext,
    ) -> Result<()> {
        let (steps, exits) = (unit.steps(), unit.exits());
        let (inputs, wait) = match &unit {
            Unit::Group { inputs, exits, backend, .. } => {
                let group = group_name(&rest.pipeline, backend, &steps, exits);
                (inputs, Some((group, backend.clone(), exits.clone())))
            }
            Unit::Step { inputs, .. } => (inputs, None),
        };
        let inputs = match self.gather(inputs, rest).await? {
            Gathered::All(inputs) => inputs,
            Gathered::Pending => {
                let pending = exits.into_iter().map(|exit| (exit, Slot::Pending));
                rest.slots.extend(pending);
                return Ok(());
            }
            Gathered::Failed(error) => {
                done.plan.push(unit.explain());
                return self.failed_unit(&steps, exits, error, rest);
            }
        };
        done.plan.push(unit.explain());
        let group = wait.as_ref().map_or("", |(group, ..)| group);
        let cx = cx.of_group(group);
        let ran = {
            let _admitted = self.resources.capacity.admit(unit.estimate(), &cx).await?;
            stopping(&cx, run_unit(unit, inputs, &cx)).await
        };
        let mut outputs = match (ran, wait) {
            (Ok(Ran::Done(outputs)), _) => outputs,
            (Ok(Ran::Waiting(wait)), Some((group, backend, exits))) => {
                let (failures, retry_at) = (0, None);
                let group = GroupWait { group, backend, steps, exits, wait, failures, retry_at };
                return self.waits(group, rest).await;
            }
            (Ok(Ran::Waiting(_)), None) => return Err(unsupported()),
            (Err(error), _) => return self.failed_unit(&steps, exits, Arc::new(error), rest),
        };
        let mut failure = None;
        for exit in exits {
            let slot = match outputs.take(&exit).map_err(|e| e.with("step", &exit)) {
                Ok(media) => Slot::Ready(media),
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => {
                    failure.get_or_insert_with(|| Failure::from(&error));
                    Slot::Failed(Arc::new(error))
                }
            };
            rest.slots.insert(exit, slot);
        }
        self.attempt.observer.steps(&steps, failure.as_ref());
        Ok(())
    }

    fn failed_unit(
        &self,
        steps: &[String],
        exits: Vec<String>,
        error: Arc<Error>,
        rest: &mut Rest,
    ) -> Result<()> {
        if is_final(&error) {
            return Err(owned(error));
        }
        self.attempt.observer.steps(steps, Some(&Failure::from(&*error)));
        let failed = exits.into_iter().map(|exit| (exit, Slot::Failed(Arc::clone(&error))));
        rest.slots.extend(failed);
        Ok(())
    }

    /// What goes into a unit. What is there of it while the rest waits is kept for then.
    async fn gather(&self, names: &[String], rest: &mut Rest) -> Result<Gathered> {
        let mut slots = Vec::with_capacity(names.len());
        for name in names {
            // A source is not fetched for what can not run yet.
            let known = rest.slots.get(name).cloned();
            slots.push((name, known));
        }
        if let Some(Slot::Failed(error)) =
            slots.iter().find_map(|(_, slot)| slot.clone().filter(|s| matches!(s, Slot::Failed(_))))
        {
            return Ok(Gathered::Failed(error));
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
        let mut inputs = Inputs::new();
        for name in names {
            match self.slot(name, rest).await? {
                Slot::Ready(media) => inputs = inputs.and(name.clone(), media),
                Slot::Failed(error) => return Ok(Gathered::Failed(error)),
                Slot::Pending | Slot::Staged(_) => return Ok(Gathered::Pending),
            }
        }
        Ok(Gathered::All(inputs))
    }

    /// Decides by the failed step's policy what becomes of an output that could not be made.
    fn recover(
        &self,
        rest: &mut Rest,
        place: &str,
        from: &str,
        error: Arc<Error>,
        again: Option<Pipeline>,
        done: &mut Finished,
    ) -> Result<Option<Pipeline>> {
        let pipeline = &rest.pipeline;
        let named = error.fact("step").filter(|step| pipeline.steps.contains_key(*step));
        let step = named.unwrap_or(from).to_owned();
        match pipeline.steps.get(&step).map(|step| &step.on_error) {
            None | Some(OnError::Fail) => Err(owned(error).with("output", place)),
            Some(OnError::Skip) => {
                self.cx.warn(format!("{place} was skipped: {error}"));
                let mut report = OutputReport::pending(place);
                report.state = OutputState::Failed;
                report.failure = Some(Failure::from(&*error));
                done.outputs.push(report);
                rest.made(place);
                Ok(again)
            }
            Some(OnError::Fallback(other)) => {
                self.cx
                    .warn(format!("`{step}` failed, so `{other}` was used for {place}: {error}"));
                let fresh = || {
                    let mut fresh = pipeline.clone();
                    fresh.outputs.clear();
                    fresh
                };
                let mut again = again.unwrap_or_else(fresh);
                again.outputs.insert(place.to_owned(), pipeline.outputs[place].clone());
                again.replace(&step, other);
                Ok(Some(again))
            }
        }
    }
}

impl Pipeline {
    /// Lets everything that took from `step` take from `other`.
    fn replace(&mut self, step: &str, other: &str) {
        let steps = self.steps.values_mut().flat_map(|step| step.from.iter_mut());
        let all = steps.chain(self.outputs.values_mut().map(|output| &mut output.from));
        all.filter(|from| *from == step).for_each(|from| other.clone_into(from));
    }
}

/// What goes into a unit.
enum Gathered {
    All(Inputs),
    /// Some of it comes later.
    Pending,
    Failed(Arc<Error>),
}

async fn run_unit(unit: Unit, inputs: Inputs, cx: &RunContext) -> Result<Ran> {
    match unit {
        Unit::Group { plan, .. } => plan.run(inputs, cx).await,
        Unit::Step { name, op, .. } => {
            let mut outputs = op.run(inputs, &OpContext::new(cx.clone(), &name)).await?;
            let result = outputs.take(Outputs::MAIN);
            Ok(Ran::Done(Outputs::new().and(name, result)))
        }
    }
}

/// The error itself if nobody else holds it, else its copy without the cause.
fn owned(error: Arc<Error>) -> Error {
    Arc::try_unwrap(error).unwrap_or_else(|shared| {
        let retry = shared.retry();
        Error::from(Failure::from(&*shared)).retrying(retry)
    })
}
