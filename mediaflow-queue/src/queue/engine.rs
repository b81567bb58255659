use async_trait::async_trait;
use mediaflow_core::engine::{Engine, EventStream, Shutdown, Submission, Submitted};
use mediaflow_core::executor::Executor;
use mediaflow_core::inspect::Inspect;
use mediaflow_core::notify::Acknowledged;
use mediaflow_core::report::{BatchReport, JobStatus};
use mediaflow_core::schedule::{Schedule, Scheduled};
use mediaflow_core::spec::JobSpec;
use mediaflow_core::wait::{Signal, Signalled};
use mediaflow_core::{BatchId, JobId, Result};

use super::handle::Queue;
use crate::{jobs, outbox, reader, work};

#[async_trait]
impl Engine for Queue {
    async fn open(&self, executor: &Executor) -> Result<()> {
        self.connect(executor).await
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted> {
        self.jobs()?.submit(&submission).await
    }

    async fn status(&self, job: JobId) -> Result<JobStatus> {
        jobs::status(self.process()?, job).await
    }

    async fn batch(&self, batch: BatchId) -> Result<Option<BatchReport>> {
        jobs::batch(self.process()?, batch).await
    }

    async fn cancel(&self, job: JobId) -> Result<()> {
        jobs::cancel(self.process()?, job).await
    }

    async fn replay(&self, job: JobId, spec: Option<JobSpec>) -> Result<JobId> {
        let spec = jobs::replayable(self.process()?, job, spec).await?;
        self.jobs()?.submit(&Submission::one(spec)).await?.job()
    }

    async fn signal(&self, signal: Signal) -> Result<Signalled> {
        jobs::signal(self.process()?, &signal).await
    }

    async fn schedule(&self, schedule: Schedule) -> Result<()> {
        jobs::schedule(self.process()?, &schedule).await
    }

    async fn unschedule(&self, name: &str) -> Result<bool> {
        jobs::unschedule(self.process()?, name).await
    }

    async fn schedules(&self) -> Result<Vec<Scheduled>> {
        jobs::schedules(self.process()?).await
    }

    async fn acknowledge(&self, what: Acknowledged) -> Result<u64> {
        outbox::acknowledge(self.process()?, &what).await
    }

    async fn pause(&self) -> Result<()> {
        work::pause(self.process()?, true).await
    }

    async fn resume(&self) -> Result<()> {
        work::pause(self.process()?, false).await
    }

    fn events(&self) -> EventStream {
        let process = self.jobs().map(|jobs| std::sync::Arc::downgrade(&jobs.process));
        reader::read(self.broadcast(), process.unwrap_or_default())
    }

    fn inspect(&self) -> &dyn Inspect {
        self
    }

    async fn run(&self, _worker: Executor, shutdown: Shutdown) -> Result<()> {
        work::run(self.jobs()?, shutdown).await
    }
}
