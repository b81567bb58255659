use std::sync::Arc;

use super::attempt::Attempt;
use super::attempted::Attempted;
use super::execution::Execution;
use super::fetch::{Fetched, Sources};
use super::finished::Finished;
use super::outcomes::{Outcomes, check_predecessors};
use super::parts::{PartSpec, part_job};
use super::resources::Executor;
use crate::job::PlanContext;
use crate::media::MediaInfo;
use crate::planner::{self, JobPlan};
use crate::spec::{JobSpec, Pipeline, Source};
use crate::{CancellationToken, Result, RunContext, Timestamp, Work};

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
        let sources = Sources::new(&self.0, &cx, &attempt.fetched, attempt.outcomes.as_deref());
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
        let run = Execution { resources: &self.0, cx: &cx, sources: &sources, attempt, job };
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
            self.0.registry.plan_job(&attempt.spec, &PlanContext::new(sources)).await
        };
        attempt.fetched.pipeline.get_or_try_init(planning).await.cloned()
    }

    /// Plans a job without running it. Fetches its sources to read their headers.
    pub(crate) async fn plan(&self, spec: &JobSpec, outcomes: &dyn Outcomes) -> Result<JobPlan> {
        let cx = self.context(Work::default(), &CancellationToken::new(), None, |_| {});
        let fetched = Fetched::default();
        let sources = Sources::new(&self.0, &cx, &fetched, Some(outcomes));
        let pipeline = self.0.registry.plan_job(spec, &PlanContext::new(&sources)).await?;
        let infos = sources
            .probe_all(&pipeline)
            .await?
            .into_iter()
            .map(|(name, (_, info))| (name, info))
            .collect();
        planner::plan(&pipeline, &infos, &self.0.registry, &self.0.limits)
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
        let deadline = attempt.spec.options.deadline.map(|time| self.0.clock.now().plus(time));
        let work = Work::new(&attempt.job, attempt.fence, part);
        self.context(work, &attempt.cancel, deadline, move |done| observer.progress(done))
    }

    pub(super) fn context(
        &self,
        work: Work,
        cancel: &CancellationToken,
        deadline: Option<Timestamp>,
        on_progress: impl Fn(f32) + Send + Sync + 'static,
    ) -> RunContext {
        RunContext::builder(self.0.cpu.clone(), self.0.scratch.clone())
            .limits(self.0.limits.clone())
            .clock(Arc::clone(&self.0.clock))
            .work(work)
            .cancellation(cancel.clone())
            .on_progress(on_progress)
            .build(deadline)
    }
}
