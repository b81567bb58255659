use std::fmt;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use serde::Serialize;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Mediaflow, stopped};
use crate::codes;
use crate::engine::EventStream;
use crate::event::EventData;
use crate::id::{BatchId, JobId};
use crate::report::{BatchReport, JobState, JobStatus, Report};
use crate::{Error, Event, EventKind, Result};

/// How often whoever waits for an end looks for it. Events tell of it at once, but of another process's one can be lost:
/// its transaction took too long, or this one fell behind.
const LOOK: Duration = Duration::from_secs(5);

/// How often in the end, if the wait is long: many may wait.
const RARELY: Duration = Duration::from_secs(60);

/// How long whoever has missed events waits before it looks.
const BEHIND: Duration = Duration::from_millis(100);

/// Waits for an event, or until there are no more to be read.
async fn heard(events: &mut EventStream, is_it: impl Fn(&Event) -> bool) {
    loop {
        match events.next().await {
            Some(Ok(event)) if is_it(&event) => return,
            Some(Ok(_)) => {}
            // What was missed may be it.
            Some(Err(_)) | None => return sleep(BEHIND).await,
        }
    }
}

/// A job that was submitted. Dropping it changes nothing.
#[derive(Clone)]
pub struct JobHandle {
    media: Mediaflow,
    id: JobId,
}

impl JobHandle {
    pub(super) fn new(media: Mediaflow, id: JobId) -> Self {
        Self { media, id }
    }

    /// The name of the job.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// What is known of it now.
    ///
    /// # Errors
    /// `job.unknown` if the engine has forgotten it.
    pub async fn status(&self) -> Result<JobStatus> {
        self.media.0.engine.status(self.id).await
    }

    /// Cancels it. If it runs it stops within a second or so; if it has ended it stays as it is.
    ///
    /// # Errors
    /// `job.unknown` if the engine has forgotten it.
    pub async fn cancel(&self) -> Result<()> {
        self.media.0.engine.cancel(self.id).await
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What it failed with; `job.cancelled`; `engine.stopped` if the engine stopped before the job ended.
    pub async fn done(&self) -> Result<Report> {
        let status = self.ended().await?;
        let report = status
            .report
            .ok_or_else(|| Error::internal(codes::JOB_NO_REPORT, "an ended job has no report"))?;
        match (report.state, &report.failure) {
            (JobState::Cancelled, _) => Err(Error::cancelled().with("job", self.id)),
            (_, Some(failure)) => Err(Error::from(failure.clone()).with("job", self.id)),
            // The state decides: what a newer version has written may have no cause.
            (JobState::Failed, None) => {
                let error = Error::internal(
                    codes::JOB_FAILED,
                    "the job failed, and its report does not say why",
                );
                Err(error.with("job", self.id))
            }
            _ => Ok(*report),
        }
    }

    /// Waits for its end, whichever it is.
    ///
    /// # Errors
    /// `engine.stopped` if the engine stopped before; `job.unknown`.
    pub async fn ended(&self) -> Result<JobStatus> {
        let mut look = LOOK;
        loop {
            // Subscribe first, look second: an end between the two is in the stream.
            let mut events = self.media.0.engine.events();
            let status = self.status().await?;
            if status.state.is_terminal() {
                return Ok(status);
            }
            let ended = |event: &Event| event.job == Some(self.id) && event.kind.is_terminal();
            tokio::select! {
                () = heard(&mut events, ended) => {}
                () = sleep(look) => look = (look * 2).min(RARELY),
                () = self.media.0.stopped.cancelled() => {
                    let status = self.status().await?;
                    return if status.state.is_terminal() { Ok(status) } else { Err(stopped().with("job", self.id)) };
                }
            }
        }
    }

    /// How far it is, from 0 to 1, each time that changes. Never goes back; ends with the job, and with 1 only if it
    /// succeeded; ends with the engine, too.
    #[must_use]
    pub fn progress(&self) -> BoxStream<'static, f32> {
        let watched = Watched {
            handle: self.clone(),
            events: self.media.0.engine.events(),
            last: None,
            look_at: Instant::now(),
            look: LOOK,
        };
        stream::unfold(Some(watched), async |watched| watched?.next().await).boxed()
    }
}

/// A job whose progress somebody reads.
struct Watched {
    handle: JobHandle,
    events: EventStream,
    /// What was told last.
    last: Option<f32>,
    /// When the job itself is looked at, whatever the events tell.
    look_at: Instant,
    look: Duration,
}

impl Watched {
    /// What is told next, and what is watched then, if that was not the last.
    async fn next(mut self) -> Option<(f32, Option<Self>)> {
        loop {
            let stopped = self.handle.media.0.stopped.clone();
            let over = tokio::select! {
                biased;
                () = sleep_until(self.look_at) => false,
                event = self.events.next() => match event {
                    Some(Ok(event)) if event.job != Some(self.handle.id) => continue,
                    Some(Ok(event)) if event.kind.is_terminal() => false,
                    Some(Ok(event)) => match event.data {
                        EventData::Progress(done) if self.last < Some(done) => {
                            self.last = Some(done);
                            return Some((done, Some(self)));
                        }
                        _ => continue,
                    },
                    Some(Err(_)) => {
                        sleep(BEHIND).await;
                        false
                    }
                    None => {
                        sleep(BEHIND).await;
                        self.events = self.handle.media.0.engine.events();
                        false
                    }
                },
                () = stopped.cancelled() => true,
            };
            self.look_at = Instant::now() + self.look;
            self.look = (self.look * 2).min(RARELY);
            let status = self.handle.status().await.ok()?;
            let ended = status.state.is_terminal();
            // Before anything else, what is known already; in the end, nothing unless it has succeeded.
            let news = self.last < Some(status.progress);
            if news && (self.last.is_none() || !ended || status.progress >= 1.0) {
                self.last = Some(status.progress);
                return Some((status.progress, (!ended && !over).then_some(self)));
            }
            if ended || over {
                return None;
            }
        }
    }
}

impl fmt::Debug for JobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A batch that was submitted. Dropping it changes nothing.
#[derive(Clone)]
pub struct BatchHandle {
    media: Mediaflow,
    id: BatchId,
    jobs: Vec<JobId>,
}

/// What an asynchronous media API answers at once: `{"status": "processing", "batch_id": "..."}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BatchTicket {
    /// Always `processing`.
    pub status: &'static str,
    /// The name of the batch.
    pub batch_id: BatchId,
}

impl BatchHandle {
    pub(super) fn new(media: Mediaflow, id: BatchId, jobs: Vec<JobId>) -> Self {
        Self { media, id, jobs }
    }

    /// The name of the batch.
    #[must_use]
    pub fn id(&self) -> BatchId {
        self.id
    }

    /// What to answer to whoever asked for it.
    #[must_use]
    pub fn ticket(&self) -> BatchTicket {
        BatchTicket { status: "processing", batch_id: self.id }
    }

    /// Its jobs, in the order of submission.
    pub fn jobs(&self) -> impl Iterator<Item = JobHandle> {
        self.jobs.iter().map(|id| self.media.handle(*id))
    }

    /// Waits until all its jobs have ended, however they end.
    ///
    /// # Errors
    /// `engine.stopped` if the engine stopped before; `batch.unknown`.
    pub async fn done(&self) -> Result<BatchReport> {
        let mut look = LOOK;
        loop {
            // Subscribe first, look second: an end between the two is in the stream.
            let mut events = self.media.0.engine.events();
            if let Some(report) = self.media.batch(self.id).await? {
                return Ok(report);
            }
            let ended = |event: &Event| {
                event.batch == Some(self.id) && event.kind == EventKind::BatchCompleted
            };
            tokio::select! {
                () = heard(&mut events, ended) => {}
                () = sleep(look) => look = (look * 2).min(RARELY),
                () = self.media.0.stopped.cancelled() => {
                    let report = self.media.batch(self.id).await?;
                    return report.ok_or_else(|| stopped().with("batch", self.id));
                }
            }
        }
    }
}

impl fmt::Debug for BatchHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchHandle").field("id", &self.id).finish_non_exhaustive()
    }
}
