//! What a host holds: the builder, the engine's handle, and the handles of its jobs.
//!
//! Uses: codes, context, cpu, engine, error, event, executor, http, id, inspect, limits, media, notify, plan, planner,
//! registry, report, schedule, shutdown, spec, storage, suggest, tenants, time, wait.

mod builder;
mod follow;
mod job;
mod submit;
mod upload;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;
use tokio::task::JoinHandle;

pub use builder::Builder;
pub use job::{BatchHandle, BatchTicket, JobHandle};
pub use submit::JobBuilder;
pub use upload::{Upload, UploadBuilder, UploadSession, Uploaded};

use crate::codes;
use crate::engine::{Engine, EventStream, Shutdown, Submission};
use crate::executor::{Executor, Outcomes};
use crate::id::{BatchId, JobId};
use crate::inspect::Inspect;
use crate::media::MediaInfo;
use crate::notify::Acknowledged;
use crate::planner::JobPlan;
use crate::report::JobStatus;
use crate::schedule::{Cron, Schedule, Scheduled};
use crate::spec::{IntoSpec, JobSpec, Source};
use crate::wait::{Signal, Signalled};
use crate::{Error, Result};

/// A running mediaflow: takes jobs, works on them in the background, and tells of them. Clones share.
///
/// ```
/// use mediaflow_core::Mediaflow;
/// use mediaflow_core::spec::{Pipeline, Source};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> mediaflow_core::Result<()> {
/// let media = Mediaflow::builder().storage("public", "memory:").start().await?;
///
/// let gif = &b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"[..];
/// let copy = Pipeline::from(Source::bytes(gif)).output("public/dot.gif", |picture| picture).build()?;
/// let job = media.submit(copy).await?; // returns at once
/// let report = job.done().await?;
/// assert_eq!(report.outputs[0].bytes, 14);
///
/// media.shutdown(std::time::Duration::from_secs(5)).await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Mediaflow(Arc<Running>);

#[derive(Debug)]
struct Running {
    engine: Arc<dyn Engine>,
    executor: Executor,
    shutdown: Shutdown,
    /// Cancelled when the engine's loop has ended, for whatever reason.
    stopped: crate::CancellationToken,
    task: Mutex<Option<JoinHandle<Result<()>>>>,
}

#[async_trait]
impl Outcomes for Running {
    async fn outcome(&self, job: JobId) -> Result<JobStatus> {
        self.engine.status(job).await
    }
}

impl Mediaflow {
    /// Configures and starts: see [`Builder`].
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Must be called within a tokio runtime.
    fn start(engine: Arc<dyn Engine>, executor: Executor, submit_only: bool) -> Self {
        let (shutdown, stopped) = (Shutdown::new(), crate::CancellationToken::new());
        let running = {
            let (engine, executor, shutdown) =
                (Arc::clone(&engine), executor.clone(), shutdown.clone());
            let stopped = stopped.clone();
            async move {
                let _ended = stopped.drop_guard();
                if submit_only {
                    shutdown.drain.cancelled().await;
                    return Ok(());
                }
                let result = engine.run(executor, shutdown).await;
                if let Err(error) = &result {
                    tracing::error!(%error, "the engine has stopped");
                }
                result
            }
        };
        tokio::spawn(Self::sweep_uploads(executor.clone(), stopped.clone()));
        let task = Mutex::new(Some(tokio::spawn(running)));
        Self(Arc::new(Running { engine, executor, shutdown, stopped, task }))
    }

    /// Submits a job: a [`Pipeline`](crate::spec::Pipeline), a custom [`Job`](crate::Job), or a [`JobSpec`]. Returns at
    /// once, as soon as the job is stored. For options there is [`Mediaflow::job`].
    ///
    /// # Errors
    /// Everything that is wrong with the spec and can be seen without its source; `engine.full`; `engine.stopped`.
    pub async fn submit(&self, job: impl IntoSpec) -> Result<JobHandle> {
        let spec = self.checked(job)?;
        let submitted = self.0.engine.submit(Submission::one(spec)).await?;
        submitted.job().map(|id| self.handle(id))
    }

    /// Submits jobs as one batch. Each has its own events; when all have ended there is one `batch.completed` on top.
    /// Cloudinary's eager derivatives are a batch of one pipeline with an output for each transformation.
    ///
    /// # Errors
    /// As [`Mediaflow::submit`], naming the job by its position; then none was taken. `spec.batch` if it is empty,
    /// `limit.batch_jobs` if there are too many.
    pub async fn eager<J: IntoSpec>(
        &self,
        jobs: impl IntoIterator<Item = J>,
    ) -> Result<BatchHandle> {
        let checked = |(index, job)| {
            // Counted on the way: who sends too many has not all of them read first.
            self.0.executor.check_batch(index + 1)?;
            self.checked(job).map_err(|e| e.with("job", index))
        };
        let specs: Vec<_> = jobs.into_iter().enumerate().map(checked).collect::<Result<_>>()?;
        if specs.is_empty() {
            return Err(Error::input(codes::SPEC_BATCH, "a batch needs at least one job"));
        }
        let submitted = self.0.engine.submit(Submission::batch(specs)).await?;
        let batch = submitted
            .batch
            .ok_or_else(|| Error::internal(codes::ENGINE_SUBMIT, "a submission gave no batch"))?;
        Ok(BatchHandle::new(self.clone(), batch, submitted.jobs))
    }

    /// The handle of a job that was submitted before.
    #[must_use]
    pub fn handle(&self, id: JobId) -> JobHandle {
        JobHandle::new(self.clone(), id)
    }

    /// Submits an ended job again, as a new one: as it was, or changed.
    ///
    /// # Errors
    /// `job.unknown`, `job.not_ended`, and those of [`Mediaflow::submit`].
    pub async fn replay(&self, job: JobId, changed: Option<JobSpec>) -> Result<JobHandle> {
        let changed = changed.map(|spec| self.checked(spec)).transpose()?;
        Ok(self.handle(self.0.engine.replay(job, changed).await?))
    }

    /// Takes what somebody says of work that goes on elsewhere: by a call-back, usually. The job that [waits](crate::wait)
    /// under the key goes on soon, in whichever process. An update whose replay key (such as the id of the message that
    /// brought it) was there before changes nothing, and one that comes before its wait is stored is kept: whoever sends it
    /// can be answered at once, and never has to send it again.
    ///
    /// # Errors
    /// `wait.key`, `wait.replay_key`, `limit.update_bytes`: what is wrong with it; the engine's store can not be reached.
    pub async fn signal(
        &self,
        key: impl Into<String>,
        update: impl Into<Value>,
        replay_key: impl Into<String>,
    ) -> Result<Signalled> {
        let signal = Signal::new(key, update, replay_key);
        signal.check(&self.0.executor.0.limits)?;
        self.0.engine.signal(signal).await
    }

    /// Submits a job by the clock from now on: `media.schedule("nightly", "0 3 * * *", job)`, in UTC or in the
    /// [time zone](Cron::in_zone) of the [`Cron`]. Call it at each start: a schedule of this name is replaced, and each of its
    /// times is run once, by whichever process is first.
    ///
    /// # Errors
    /// `schedule.cron`, `schedule.zone`, `schedule.name`, and those of [`Mediaflow::submit`].
    pub async fn schedule<C>(
        &self,
        name: impl Into<String>,
        cron: C,
        job: impl IntoSpec,
    ) -> Result<()>
    where
        C: TryInto<Cron, Error: Into<Error>>,
    {
        let cron = cron.try_into().map_err(Into::into)?;
        let schedule = Schedule::new(name, cron, self.checked(job)?)?;
        self.0.engine.schedule(schedule).await
    }

    /// Ends a schedule. Gives false if there is none of this name. What it has submitted goes on.
    ///
    /// # Errors
    /// The engine's store can not be reached.
    pub async fn unschedule(&self, name: &str) -> Result<bool> {
        self.0.engine.unschedule(name).await
    }

    /// The schedules, by name: when each runs next, and what it has submitted last.
    ///
    /// # Errors
    /// The engine's store can not be reached.
    pub async fn schedules(&self) -> Result<Vec<Scheduled>> {
        self.0.engine.schedules().await
    }

    /// Somebody takes care of what was told: the [escalations](crate::notify::Route::escalate) of it that have not gone out do
    /// not, and the events of a route count from none again. Gives how many messages are not sent.
    ///
    /// ```
    /// # async fn example(media: mediaflow_core::Mediaflow, job: mediaflow_core::JobId) -> mediaflow_core::Result<()> {
    /// use mediaflow_core::notify::Acknowledged;
    ///
    /// media.acknowledge(Acknowledged::job(job)).await?;
    /// media.acknowledge(Acknowledged::route("team")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `route.acknowledged`: neither a route nor a job is named. The engine's store can not be reached.
    pub async fn acknowledge(&self, what: Acknowledged) -> Result<u64> {
        what.check()?;
        self.0.engine.acknowledge(what).await
    }

    /// What became of a batch, once all its jobs have ended; `None` before.
    ///
    /// # Errors
    /// `batch.unknown`.
    pub async fn batch(&self, batch: BatchId) -> Result<Option<crate::report::BatchReport>> {
        self.0.engine.batch(batch).await
    }

    /// Takes no further jobs from the queue, in any process on the same engine, until [`Mediaflow::resume`]. Those that
    /// run go on, jobs are still accepted, and notifications go out.
    ///
    /// # Errors
    /// The engine's store can not be reached.
    pub async fn pause(&self) -> Result<()> {
        self.0.engine.pause().await
    }

    /// Takes jobs again.
    ///
    /// # Errors
    /// The engine's store can not be reached.
    pub async fn resume(&self) -> Result<()> {
        self.0.engine.resume().await
    }

    /// All events from now on. The stream ends when the engine has stopped here, and never before. Whoever reads too slowly
    /// and has missed some that are not kept any more is told so with the error `events.gap`, and reads on behind the gap;
    /// other errors say that the store can not be read at this moment.
    ///
    /// Progress is among them, also that of jobs that run in other processes, with a delay of up to a second.
    ///
    /// Events of one process come in the order in which it has caused them. [`Mediaflow::follow`] gives them in the order of
    /// the store, and from a known place on.
    #[must_use]
    pub fn events(&self) -> EventStream {
        let reader = (self.0.engine.events(), self.0.stopped.clone());
        stream::unfold(reader, async |(mut events, stopped)| {
            let event = tokio::select! {
                biased;
                event = events.next() => event?,
                () = stopped.cancelled() => return None,
            };
            Some((event, (events, stopped)))
        })
        .boxed()
    }

    /// Lists, histories and numbers: see [`inspect`](crate::inspect).
    #[must_use]
    pub fn inspect(&self) -> &dyn Inspect {
        self.0.engine.inspect()
    }

    /// What a job would do, without doing it: reads the headers of its sources, and decodes and writes nothing.
    /// [`JobPlan`]'s `Display` explains it.
    ///
    /// # Errors
    /// Everything that would make the job fail before its first step.
    pub async fn plan(&self, job: impl IntoSpec) -> Result<JobPlan> {
        let spec = self.checked(job)?;
        self.0.executor.plan(&spec, &*self.0).await
    }

    /// [`Mediaflow::plan`] as text for people: the steps merged, the scale chosen, the crop, memory and cost.
    ///
    /// # Errors
    /// As [`Mediaflow::plan`].
    pub async fn explain(&self, job: impl IntoSpec) -> Result<String> {
        Ok(self.plan(job).await?.to_string())
    }

    /// Reads the headers of a source.
    ///
    /// # Errors
    /// The source can not be fetched or read, or passes a limit.
    pub async fn probe(&self, source: impl Into<Source>) -> Result<MediaInfo> {
        self.0.executor.probe(&source.into(), &*self.0).await
    }

    /// The JSON Schema of the specs that this host understands.
    #[must_use]
    pub fn json_schema(&self) -> Value {
        crate::spec::json_schema(self.0.executor.registry().schemas())
    }

    /// Stops: takes no new jobs, and gives those that run and the notifications that are due `grace` to finish. What
    /// is not done by then is handed back to the engine.
    ///
    /// # Errors
    /// The engine stopped by itself before, with an error.
    pub async fn shutdown(&self, grace: Duration) -> Result<()> {
        self.0.shutdown.drain.cancel();
        let task = self.0.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else {
            self.0.stopped.cancelled().await;
            return Ok(());
        };
        let joined = match tokio::time::timeout(grace, &mut task).await {
            Ok(joined) => joined,
            Err(_) => {
                self.0.shutdown.now.cancel();
                task.await
            }
        };
        joined.map_err(|e| {
            Error::internal(codes::ENGINE_PANICKED, "the engine panicked").because(e)
        })?
    }

    fn checked(&self, job: impl IntoSpec) -> Result<JobSpec> {
        if self.0.stopped.is_cancelled() || self.0.shutdown.drain.is_cancelled() {
            return Err(stopped());
        }
        self.0.executor.check(job.into_spec()?)
    }
}

impl Drop for Running {
    /// Nobody can ask for anything any more: stop at once.
    fn drop(&mut self) {
        self.shutdown.drain.cancel();
        self.shutdown.now.cancel();
    }
}

fn stopped() -> Error {
    Error::transient(codes::ENGINE_STOPPED, "the engine has stopped")
        .help("start it again and submit there")
}
