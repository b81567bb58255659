use std::sync::Arc;

use super::attempt::Attempt;
use super::execution::Execution;
use super::fetch::{Fetched, Sources};
use super::finished::Finished;
use super::parts::PartSpec;
use super::resources::Executor;
use crate::job::PlanContext;
use crate::media::MediaInfo;
use crate::planner::{self, JobPlan};
use crate::spec::{JobSpec, Pipeline, Source};
use crate::{CancellationToken, Result, RunContext, Timestamp};

impl Executor {
    /// Plans and runs a job up to the point where its outputs are verified and staged. The engine then makes sure that
    /// the attempt still counts, and calls [`Finished::publish`].
    ///
    /// # Errors
    /// Why the attempt failed. Nothing is left behind.
    pub async fn attempt(&self, attempt: &Attempt) -> Result<Finished> {
        self.make(attempt, None).await
    }

    /// Makes all outputs, or those of one part.
    pub(super) async fn make(
        &self,
        attempt: &Attempt,
        part: Option<&PartSpec>,
    ) -> Result<Finished> {
        let cx = self.attempt_context(attempt);
        let sources = Sources::new(&self.0, &cx, &attempt.fetched);
        let mut pipeline = self.planned(attempt, &sources).await?;
        let mut done = Finished::new(self, attempt);
        let mut job = attempt.job.clone();
        if let Some(part) = part {
            part.narrow(&mut pipeline)?;
            job = part.ticket_job(&job);
            done.part = part.number;
        }
        let run = Execution { resources: &self.0, cx: &cx, sources: &sources, attempt, job };
        let made = run.pipeline(pipeline, &mut done).await;
        done.decodes = cx.decodes();
        done.warnings.append(&mut cx.take_warnings());
        made.map(|()| done)
    }

    /// What the job wants to be done, decided once for each attempt.
    pub(super) async fn planned(
        &self,
        attempt: &Attempt,
        sources: &Sources<'_>,
    ) -> Result<Pipeline> {
        let planning =
            async || self.0.registry.plan_job(&attempt.spec, &PlanContext::new(sources)).await;
        attempt.fetched.pipeline.get_or_try_init(planning).await.cloned()
    }

    /// Plans a job without running it. Fetches its sources to read their headers.
    pub(crate) async fn plan(&self, spec: &JobSpec) -> Result<JobPlan> {
        let cx = self.context(&CancellationToken::new(), None, |_| {});
        let fetched = Fetched::default();
        let sources = Sources::new(&self.0, &cx, &fetched);
        let pipeline = self.0.registry.plan_job(spec, &PlanContext::new(&sources)).await?;
        let infos = sources
            .probe_all(&pipeline)
            .await?
            .into_iter()
            .map(|(name, (_, info))| (name, info))
            .collect();
        planner::plan(&pipeline, &infos, &self.0.registry, &self.0.limits)
    }

    pub(crate) async fn probe(&self, source: &Source) -> Result<MediaInfo> {
        let cx = self.context(&CancellationToken::new(), None, |_| {});
        Sources::new(&self.0, &cx, &Fetched::default()).get(source).await.map(|(_, info)| info)
    }

    pub(super) fn attempt_context(&self, attempt: &Attempt) -> RunContext {
        let observer = Arc::clone(&attempt.observer);
        let deadline = attempt.spec.options.deadline.map(|time| self.0.clock.now().plus(time));
        self.context(&attempt.cancel, deadline, move |done| observer.progress(done))
    }

    pub(super) fn context(
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
