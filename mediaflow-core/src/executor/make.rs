use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::attempt::Attempt;
use super::attempted::Attempted;
use super::execution::{Execution, ending, stopping};
use super::fetch::{Fetched, Sources};
use super::finished::Finished;
use super::outcomes::{Outcomes, check_predecessors};
use super::parts::{PartSpec, part_job};
use super::recovery::fall_back;
use super::resources::Executor;
use super::rest::{Missing, missing};
use crate::job::PlanContext;
use crate::media::MediaInfo;
use crate::planner::{self, JobPlan, Known, needed_sources};
use crate::spec::{JobSpec, Pipeline, Source};
use crate::{CancellationToken, Result, RunContext, Work};

impl Executor {
    /// Plans and runs a job up to the point where its outputs are verified and staged. The engine then makes sure that
    /// the attempt still counts, and calls [`Finished::publish`].
    ///
    /// # Errors
    /// Why the attempt failed. Nothing is left behind.
    pub async fn attempt(&self, attempt: &Attempt) -> Result<Attempted> {
        self.make(attempt, None).await
    }

    /// Makes all outputs, or those of one part.
    pub(super) async fn make(
        &self,
        attempt: &Attempt,
        part: Option<&PartSpec>,
    ) -> Result<Attempted> {
        let cx = self.attempt_context(attempt, part.map_or(0, |part| part.number));
        ending(&cx, self.make_in(&cx, attempt, part)).await
    }

    async fn make_in(
        &self,
        cx: &RunContext,
        attempt: &Attempt,
        part: Option<&PartSpec>,
    ) -> Result<Attempted> {
        let sources = Sources::new(&self.0, cx, &attempt.fetched, attempt.outcomes.as_deref());
        let mut pipeline = match &attempt.checkpoint {
            Some(checkpoint) => checkpoint.pipeline.clone(),
            None => self.planned(attempt, &sources).await?,
        };
        let mut done = Finished::new(self, attempt);
        let mut job = attempt.job.clone();
        if let Some(part) = part {
            part.narrow(&mut pipeline)?;
            job = part.ticket_job(&job);
            done.part = part.number;
        } else if self.0.may_wait(&pipeline) {
            // Each attempt has a name of its own, so that a later one can publish what earlier ones have made.
            job = part_job(&job, u32::try_from(attempt.fence).unwrap_or(u32::MAX));
            done.in_turns = true;
        }
        let run = Execution { resources: &self.0, cx, sources: &sources, attempt, job };
        match run.pipeline(pipeline, &mut done).await? {
            None => {
                done.decodes += cx.decodes();
                done.warnings.append(&mut cx.take_warnings());
                Ok(Attempted::Finished(done))
            }
            Some(mut suspended) => {
                suspended.checkpoint.made.decodes += cx.decodes();
                suspended.checkpoint.made.warnings.append(&mut cx.take_warnings());
                Ok(Attempted::Waiting(suspended))
            }
        }
    }

    /// What the job wants to be done, decided once for each attempt.
    pub(super) async fn planned(
        &self,
        attempt: &Attempt,
        sources: &Sources<'_>,
    ) -> Result<Pipeline> {
        let planning = async || {
            check_predecessors(&attempt.spec, attempt.outcomes.as_deref()).await?;
            let pipeline =
                self.0.registry.plan_job(&attempt.spec, &PlanContext::new(sources)).await?;
            self.check_planned(&pipeline)?;
            self.0.expand(pipeline).await
        };
        let planned = attempt.fetched.pipeline.get_or_try_init(planning);
        stopping(sources.context(), async { planned.await.cloned() }).await
    }

    /// Plans a job without running it. Fetches its sources to read their headers. What can not be had is told as the policies
    /// have it: left out, or made by a fallback.
    pub(crate) async fn plan(&self, spec: &JobSpec, outcomes: &dyn Outcomes) -> Result<JobPlan> {
        let cx = self.context(Work::default(), &CancellationToken::new(), None, |_| {});
        let fetched = Fetched::default();
        let sources = Sources::new(&self.0, &cx, &fetched, Some(outcomes));
        let context = PlanContext::new(&sources);
        let pipeline = stopping(&cx, self.0.registry.plan_job(spec, &context)).await?;
        self.check_planned(&pipeline)?;
        let mut pipeline = stopping(&cx, self.0.expand(pipeline)).await?;
        let (mut infos, mut failed) = (BTreeMap::new(), BTreeMap::new());
        // Each round replaces at least one failed step by its fallback, so this ends.
        loop {
            let needed = needed_sources(&pipeline, &infos).into_iter();
            let needed =
                needed.filter(|name| !infos.contains_key(name) && !failed.contains_key(name));
            let needed = needed.map(|name| {
                let source = pipeline.source_named(&name)?.clone();
                Ok((name, source))
            });
            for (name, found) in sources.get_all(needed.collect::<Result<_>>()?).await {
                let error = match found {
                    Ok((_, info)) => {
                        infos.insert(name, info);
                        continue;
                    }
                    Err(error) => error,
                };
                if let Missing::Failed(name, why) = missing(&mut pipeline, name, error)? {
                    failed.insert(name, why);
                }
            }
            let known = Known { infos: &infos, failed: &failed };
            let plan = planner::plan_known(&pipeline, &known, &self.0.registry, &self.0.limits)?;
            if !fall_back(&mut pipeline, &plan.failed)? {
                return Ok(plan);
            }
        }
    }

    pub(crate) async fn probe(
        &self,
        source: &Source,
        outcomes: &dyn Outcomes,
    ) -> Result<MediaInfo> {
        let cx = self.context(Work::default(), &CancellationToken::new(), None, |_| {});
        let fetched = Fetched::default();
        let sources = Sources::new(&self.0, &cx, &fetched, Some(outcomes));
        sources.get(source).await.map(|(_, info)| info)
    }

    pub(super) fn attempt_context(&self, attempt: &Attempt, part: u32) -> RunContext {
        let observer = Arc::clone(&attempt.observer);
        // Stored specs may be older than the host's limit.
        let asked = attempt.spec.options.deadline;
        let allowed = asked.map(|time| time.min(self.0.limits.deadline));
        let work = Work::new(&attempt.job, attempt.fence, part);
        self.context(work, &attempt.cancel, allowed, move |done| observer.progress(done))
    }

    pub(super) fn context(
        &self,
        work: Work,
        cancel: &CancellationToken,
        allowed: Option<Duration>,
        on_progress: impl Fn(f32) + Send + Sync + 'static,
    ) -> RunContext {
        RunContext::builder(self.0.cpu.clone(), self.0.scratch.clone())
            .limits(self.0.limits.clone())
            .clock(Arc::clone(&self.0.clock))
            .work(work)
            .cancellation(cancel.clone())
            .on_progress(on_progress)
            .build(allowed)
    }
}
