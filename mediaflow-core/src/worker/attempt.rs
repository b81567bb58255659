use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::fetch::Sources;
use super::{Parts, Worker};
use crate::job::PlanContext;
use crate::media::{Media, MediaInfo};
use crate::operation::{Inputs, OpContext, Outputs};
use crate::plan::Explanation;
use crate::planner::{self, JobPlan, Unit};
use crate::report::{OutputReport, SourceReport};
use crate::spec::{JobSpec, OnError, Pipeline, SOURCE, Source};
use crate::storage::Staged;
use crate::{CancellationToken, Error, ErrorKind, Failure, Result, RunContext, Timestamp};

/// One attempt at a job.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// What to do.
    pub spec: JobSpec,
    /// Cancels it.
    pub cancel: CancellationToken,
    /// Is told what happens meanwhile.
    pub observer: Arc<dyn Observer>,
}

/// Is told what happens during an attempt. Called from any thread; must not block.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// The work is this far, from 0 to 1. Only grows within an attempt.
    fn progress(&self, done: f32);

    /// A step, or steps that ran as one, are done, or failed.
    fn steps(&self, steps: &[String], failure: Option<&Failure>);
}

impl Attempt {
    /// An attempt that nobody watches.
    #[must_use]
    pub fn new(spec: JobSpec, cancel: CancellationToken, observer: Arc<dyn Observer>) -> Self {
        Self { spec, cancel, observer }
    }
}

/// An attempt whose outputs are made, verified and staged, but not yet visible. Dropping it discards them.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// What it was made from.
    pub source: Option<SourceReport>,
    /// The outputs; those that failed under the policy `skip` have the state `failed`.
    pub outputs: Vec<OutputReport>,
    /// What was done.
    pub plan: Vec<Explanation>,
    /// How often a source was decoded.
    pub decodes: u32,
    /// What the report should say.
    pub warnings: Vec<String>,
    pub(super) staged: Vec<(String, Box<dyn Staged>)>,
    worker: Worker,
}

impl Worker {
    /// Plans and runs a job up to the point where its outputs are verified and staged. The engine then makes sure that
    /// the attempt still counts, and calls [`Finished::publish`].
    ///
    /// # Errors
    /// Why the attempt failed. Nothing is left behind.
    pub async fn attempt(&self, attempt: &Attempt) -> Result<Finished> {
        let observer = Arc::clone(&attempt.observer);
        let deadline = attempt.spec.options.deadline.map(|time| self.0.clock.now().plus(time));
        let cx = self.context(&attempt.cancel, deadline, move |done| observer.progress(done));
        let sources = Sources::new(&self.0, &cx);
        let pipeline = self.0.registry.plan_job(&attempt.spec, &PlanContext::new(&sources)).await?;
        let mut done = Finished {
            source: None,
            outputs: Vec::new(),
            plan: Vec::new(),
            decodes: 0,
            warnings: Vec::new(),
            staged: Vec::new(),
            worker: self.clone(),
        };
        let made = Run { parts: &self.0, cx: &cx, sources: &sources, attempt }
            .pipeline(pipeline, &mut done)
            .await;
        done.decodes = cx.decodes();
        done.warnings.append(&mut cx.take_warnings());
        made.map(|()| done)
    }

    /// Plans a job without running it. Fetches its sources to read their headers.
    pub(crate) async fn plan(&self, spec: &JobSpec) -> Result<JobPlan> {
        let cx = self.context(&CancellationToken::new(), None, |_| {});
        let sources = Sources::new(&self.0, &cx);
        let pipeline = self.0.registry.plan_job(spec, &PlanContext::new(&sources)).await?;
        let infos = probe_all(&pipeline, &sources)
            .await?
            .into_iter()
            .map(|(name, (_, info))| (name, info))
            .collect();
        planner::plan(&pipeline, &infos, &self.0.registry, &self.0.limits)
    }

    pub(crate) async fn probe(&self, source: &Source) -> Result<MediaInfo> {
        let cx = self.context(&CancellationToken::new(), None, |_| {});
        Sources::new(&self.0, &cx).get(source).await.map(|(_, info)| info)
    }

    fn context(
        &self,
        cancel: &CancellationToken,
        deadline: Option<Timestamp>,
        on_progress: impl Fn(f32) + Send + Sync + 'static,
    ) -> RunContext {
        RunContext::builder(self.0.cpu.clone(), self.0.scratch.clone())
            .limits(self.0.limits.clone())
            .clock(Arc::clone(&self.0.clock))
            .cancellation(cancel.clone())
            .on_progress(on_progress)
            .build(deadline)
    }
}

impl Finished {
    /// Makes the outputs visible, each in one act. If one can not be published, those before it are removed again.
    ///
    /// # Errors
    /// `storage.io`, naming the output.
    pub async fn publish(&mut self) -> Result<()> {
        let mut published: Vec<String> = Vec::new();
        for (place, staged) in std::mem::take(&mut self.staged) {
            if let Err(error) = staged.publish().await {
                for place in published {
                    let removed = self.worker.0.remove(&place).await;
                    tracing::warn!(output = %place, ?removed, "removed, because a later output could not be published");
                }
                return Err(error.with("output", place));
            }
            published.push(place);
        }
        Ok(())
    }
}

impl Parts {
    async fn remove(&self, place: &str) -> Result<()> {
        let location = place.parse()?;
        self.storages.of(&location)?.delete(&location.key).await
    }
}

type Shared<T> = Result<T, Arc<Error>>;
type Probed = BTreeMap<String, (crate::media::MediaFile, MediaInfo)>;

/// What one attempt has at hand.
pub(super) struct Run<'a> {
    pub(super) parts: &'a Parts,
    pub(super) cx: &'a RunContext,
    sources: &'a Sources<'a>,
    attempt: &'a Attempt,
}

/// How long work that was stopped may take to end by itself.
const MOMENT: Duration = Duration::from_secs(2);

/// The share of an attempt's progress that planning takes, and where verification begins.
const PLANNED: f32 = 0.05;
const MADE: f32 = 0.92;

impl Run<'_> {
    /// Makes every output of the pipeline, or what the policies leave of them.
    async fn pipeline(&self, mut pipeline: Pipeline, done: &mut Finished) -> Result<()> {
        // Each round replaces at least one failed step by its fallback, so this ends.
        loop {
            let probed = probe_all(&pipeline, self.sources).await?;
            if let Some((file, info)) = probed.get(SOURCE) {
                done.source =
                    Some(SourceReport { name: file.name().to_owned(), info: info.clone() });
            }
            let infos =
                probed.iter().map(|(name, (_, info))| (name.clone(), info.clone())).collect();
            let plan = planner::plan(&pipeline, &infos, &self.parts.registry, &self.parts.limits)?;
            done.plan.extend(plan.explain());
            self.cx.progress(PLANNED);
            match self.plan(plan, probed, &pipeline, done).await? {
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
                Ok((report, staged)) => {
                    done.outputs.push(report);
                    done.staged.push((planned.place.to_string(), staged));
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
                let _admitted = self.parts.admit(estimate, cx).await?;
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
                report.state = crate::report::OutputState::Failed;
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

async fn probe_all(pipeline: &Pipeline, sources: &Sources<'_>) -> Result<Probed> {
    let mut probed = BTreeMap::new();
    for name in planner::needed_sources(pipeline) {
        let source =
            if name == SOURCE { Some(&pipeline.source) } else { pipeline.inputs.get(&name) };
        let source = source.ok_or_else(|| {
            Error::input("spec.reference", format!("there is no step or input `{name}`"))
        })?;
        probed.insert(name, sources.get(source).await?);
    }
    Ok(probed)
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

/// Waits for work, but not for ever: once its job is cancelled or past its deadline, the work has a moment to end by
/// itself and to clean up; then it is dropped.
pub(super) async fn stopping<T>(
    cx: &RunContext,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        result = &mut work => result,
        error = cx.stopped() => tokio::time::timeout(MOMENT, work).await.unwrap_or(Err(error)),
    }
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
