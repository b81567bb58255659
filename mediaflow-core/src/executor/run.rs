use std::collections::HashMap;
use std::sync::Arc;

use super::execution::{Execution, stopping};
use super::fetch::Probed;
use super::finished::Finished;
use super::recall::Keys;
use crate::media::Media;
use crate::operation::{Inputs, OpContext, Outputs};
use crate::planner::{self, JobPlan, Unit};
use crate::report::{OutputReport, OutputState, SourceReport};
use crate::spec::{OnError, Pipeline, SOURCE};
use crate::{Error, ErrorKind, Failure, Result, RunContext};

type Shared<T> = Result<T, Arc<Error>>;

/// The share of an attempt's progress that planning takes, and where verification begins.
const PLANNED: f32 = 0.05;
const MADE: f32 = 0.92;

impl Execution<'_> {
    /// Makes every output of the pipeline, or what the policies leave of them.
    pub(super) async fn pipeline(&self, mut pipeline: Pipeline, done: &mut Finished) -> Result<()> {
        // Each round replaces at least one failed step by its fallback, so this ends.
        loop {
            let probed = self.sources.probe_all(&pipeline).await?;
            if let Some((file, info)) = probed.get(SOURCE) {
                done.source =
                    Some(SourceReport { name: file.name().to_owned(), info: info.clone() });
            }
            let keys = self.content_keys(&pipeline).await?;
            stopping(self.cx, self.reuse(&mut pipeline, &keys, done)).await?;
            if pipeline.outputs.is_empty() {
                break;
            }
            let infos =
                probed.iter().map(|(name, (_, info))| (name.clone(), info.clone())).collect();
            let plan =
                planner::plan(&pipeline, &infos, &self.resources.registry, &self.resources.limits)?;
            done.plan.extend(plan.explain());
            self.cx.progress(PLANNED);
            match self.plan(plan, probed, &pipeline, &keys, done).await? {
                Some(again) => pipeline = again,
                None => break,
            }
        }
        done.outputs.sort_by(|a, b| a.output.cmp(&b.output));
        Ok(())
    }

    /// Runs a plan. Gives the pipeline for the outputs that have to be made by a fallback, if any.
    async fn plan(
        &self,
        plan: JobPlan,
        probed: Probed,
        pipeline: &Pipeline,
        keys: &Keys,
        done: &mut Finished,
    ) -> Result<Option<Pipeline>> {
        let mut media: HashMap<String, Shared<Media>> =
            probed.into_iter().map(|(name, (file, _))| (name, Ok(Media::File(file)))).collect();
        let count = plan.units.len().max(1) as f32;
        for (index, unit) in plan.units.into_iter().enumerate() {
            let at = |i: usize| PLANNED + (MADE - PLANNED) * i as f32 / count;
            self.unit(unit, &mut media, &self.cx.part(at(index), at(index + 1))).await?;
        }
        let mut again: Option<Pipeline> = None;
        let total = plan.outputs.len().max(1) as f32;
        for (index, planned) in plan.outputs.iter().enumerate() {
            let made = match media.get(&planned.from) {
                Some(Ok(media)) => self.keep(planned, media.clone()).await.map_err(Arc::new),
                Some(Err(error)) => Err(Arc::clone(error)),
                None => Err(Arc::new(Error::internal("plan.no_result", "nothing made an output"))),
            };
            match made {
                Ok((mut report, waiting)) => {
                    report.content_key = keys.get(&*planned.place).cloned().unwrap_or_default();
                    done.outputs.push(report);
                    done.staged.push(waiting);
                }
                Err(error) => {
                    let place = &*planned.place;
                    let retry =
                        self.recover(pipeline, place, &planned.from, error, again.take(), done)?;
                    again = retry;
                }
            }
            self.cx.progress(MADE + (0.99 - MADE) * (index + 1) as f32 / total);
        }
        Ok(again)
    }

    async fn unit(
        &self,
        unit: Unit,
        media: &mut HashMap<String, Shared<Media>>,
        cx: &RunContext,
    ) -> Result<()> {
        let steps = unit.steps();
        let estimate = unit.estimate();
        let (inputs, exits) = match &unit {
            Unit::Group { inputs, exits, .. } => (inputs.clone(), exits.clone()),
            Unit::Step { name, inputs, .. } => (inputs.clone(), vec![name.clone()]),
        };
        let results: Shared<Outputs> = match gather(&inputs, media) {
            Ok(inputs) => {
                let _admitted = self.resources.capacity.admit(estimate, cx).await?;
                stopping(cx, run_unit(unit, inputs, cx)).await.map_err(Arc::new)
            }
            Err(error) => Err(error),
        };
        let mut failure = None;
        match results {
            Ok(mut outputs) => {
                for exit in exits {
                    let result = outputs.take(&exit).map_err(|e| Arc::new(e.with("step", &exit)));
                    if let Err(error) = &result {
                        stop_if_final(error)?;
                        failure.get_or_insert_with(|| Failure::from(&**error));
                    }
                    media.insert(exit, result);
                }
            }
            Err(error) => {
                stop_if_final(&error)?;
                failure = Some(Failure::from(&*error));
                media.extend(exits.into_iter().map(|exit| (exit, Err(Arc::clone(&error)))));
            }
        }
        self.attempt.observer.steps(&steps, failure.as_ref());
        Ok(())
    }

    /// Decides by the failed step's policy what becomes of an output that could not be made.
    fn recover(
        &self,
        pipeline: &Pipeline,
        place: &str,
        from: &str,
        error: Arc<Error>,
        again: Option<Pipeline>,
        done: &mut Finished,
    ) -> Result<Option<Pipeline>> {
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

fn gather(names: &[String], media: &HashMap<String, Shared<Media>>) -> Shared<Inputs> {
    names.iter().try_fold(Inputs::new(), |inputs, name| match media.get(name) {
        Some(Ok(media)) => Ok(inputs.and(name.clone(), media.clone())),
        Some(Err(error)) => Err(Arc::clone(error)),
        None => Err(Arc::new(
            Error::internal("plan.order", "a step ran before its input").with("input", name),
        )),
    })
}

async fn run_unit(unit: Unit, inputs: Inputs, cx: &RunContext) -> Result<Outputs> {
    match unit {
        Unit::Group { plan, .. } => plan.run(inputs, cx).await,
        Unit::Step { name, op, .. } => {
            let mut outputs = op.run(inputs, &OpContext::new(cx.clone(), &name)).await?;
            let result = outputs.take(Outputs::MAIN);
            Ok(Outputs::new().and(name, result))
        }
    }
}

/// A cancellation or a deadline ends the job, whatever the policies of its steps are.
fn stop_if_final(error: &Arc<Error>) -> Result<()> {
    if error.kind() == ErrorKind::Cancelled || error.code() == "job.deadline" {
        return Err(owned(Arc::clone(error)));
    }
    Ok(())
}

/// The error itself if nobody else holds it, else its copy without the cause.
fn owned(error: Arc<Error>) -> Error {
    Arc::try_unwrap(error).unwrap_or_else(|shared| {
        let retry = shared.retry();
        Error::from(Failure::from(&*shared)).retrying(retry)
    })
}
