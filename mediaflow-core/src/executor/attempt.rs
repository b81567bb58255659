use std::fmt;
use std::sync::Arc;

use super::fetch::{Fetched, Sources};
use super::run::{Execution, probe_all};
use super::{Executor, Finished, PartSpec, Recall};
use crate::id::JobId;
use crate::job::PlanContext;
use crate::media::MediaInfo;
use crate::planner::{self, JobPlan};
use crate::spec::{JobSpec, Pipeline, Source};
use crate::{CancellationToken, Failure, Result, RunContext, Timestamp};

/// One attempt at a job. Clones share what was fetched for it, which is kept as long as one of them lives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// What to do.
    pub spec: JobSpec,
    /// Cancels it.
    pub cancel: CancellationToken,
    /// Is told what happens meanwhile.
    pub observer: Arc<dyn Observer>,
    /// The job's name in the [tickets](crate::storage::Ticket) of what is staged. Default: one that nobody else has.
    pub job: String,
    /// Which attempt it is, in these tickets: a later one has a higher fence, and revokes what is staged under lower ones
    /// before it publishes. Default 1.
    pub fence: u64,
    /// Knows the results of earlier work. Default: nobody does.
    pub recall: Option<Arc<dyn Recall>>,
    pub(super) fetched: Arc<Fetched>,
}

/// Is told what happens during an attempt. Called from any thread; must not block.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// The work is this far, from 0 to 1. Only grows within an attempt.
    fn progress(&self, done: f32);

    /// A step, or steps that ran as one, are done, or failed.
    fn steps(&self, steps: &[String], failure: Option<&Failure>);
}

impl Attempt {
    /// The only attempt at a job that nobody else knows.
    #[must_use]
    pub fn new(spec: JobSpec, cancel: CancellationToken, observer: Arc<dyn Observer>) -> Self {
        let (job, fetched) = (JobId::new().to_string(), Arc::default());
        Self { spec, cancel, observer, job, fence: 1, recall: None, fetched }
    }

    /// An attempt at a job that others may have attempted, or may attempt, too: on other workers, and at the same time
    /// if this one is taken for dead. Every attempt needs a higher fence than those before. The job's name has letters,
    /// digits, `-` and `_`, at most 80.
    #[must_use]
    pub fn fenced(mut self, job: impl Into<String>, fence: u64) -> Self {
        (self.job, self.fence) = (job.into(), fence);
        self
    }

    /// Asks for results of earlier, equal work, and puts [content keys](Recall) into the reports.
    #[must_use]
    pub fn recalling(mut self, recall: Arc<dyn Recall>) -> Self {
        self.recall = Some(recall);
        self
    }
}

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
        let infos = probe_all(&pipeline, &sources)
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
