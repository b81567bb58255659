use std::fmt;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use serde::Serialize;

use super::{Mediaflow, stopped};
use crate::event::EventData;
use crate::id::{BatchId, JobId};
use crate::report::{BatchReport, JobState, JobStatus, Report};
use crate::{Error, EventKind, Result};

/// How often whoever waits for an end looks for it. Events tell of it at once, but of another process's one can be lost:
/// its transaction took too long, or this one fell behind.
const LOOK: Duration = Duration::from_secs(5);

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
            .ok_or_else(|| Error::internal("job.no_report", "an ended job has no report"))?;
        match (report.state, &report.failure) {
            (JobState::Cancelled, _) => Err(Error::cancelled().with("job", self.id)),
            (_, Some(failure)) => Err(Error::from(failure.clone()).with("job", self.id)),
            _ => Ok(*report),
        }
    }

    /// Waits for its end, whichever it is.
    ///
    /// # Errors
    /// `engine.stopped` if the engine stopped before; `job.unknown`.
    pub async fn ended(&self) -> Result<JobStatus> {
        loop {
            // Subscribe first, look second: an end between the two is in the stream.
            let mut events = self.media.0.engine.events();
            let status = self.status().await?;
            if status.state.is_terminal() {
                return Ok(status);
            }
            let ended = async {
                while let Some(event) = events.next().await {
                    if event.job == Some(self.id) && event.kind.is_terminal() {
                        break;
                    }
                }
            };
            tokio::select! {
                () = ended => {}
                () = tokio::time::sleep(LOOK) => {}
                () = self.media.0.stopped.cancelled() => {
                    let status = self.status().await?;
                    return if status.state.is_terminal() { Ok(status) } else { Err(stopped().with("job", self.id)) };
                }
            }
        }
    }

    /// How far it is, from 0 to 1, each time that changes. Never goes back; ends with the job, and with 1 only if it
    /// succeeded.
    #[must_use]
    pub fn progress(&self) -> BoxStream<'static, f32> {
        let events = self.media.0.engine.events();
        let (id, handle) = (self.id, self.clone());
        let start = Some((events, handle, true));
        stream::unfold(start, move |state| async move {
            let (mut events, handle, first) = state?;
            if first {
                // The stream begins with what is known already.
                let status = handle.status().await.ok()?;
                let next =
                    if status.state.is_terminal() { None } else { Some((events, handle, false)) };
                return Some((status.progress, next));
            }
            while let Some(event) = events.next().await {
                if event.job != Some(id) {
                    continue;
                }
                match (event.kind, &event.data) {
                    (EventKind::JobProgress, EventData::Progress(done)) => {
                        return Some((*done, Some((events, handle, false))));
                    }
                    (kind, _) if kind.is_terminal() => {
                        let progress = handle.status().await.ok()?.progress;
                        return (progress >= 1.0).then_some((progress, None));
                    }
                    _ => {}
                }
            }
            None
        })
        .boxed()
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
        self.jobs.iter().map(|id| self.media.job(*id))
    }

    /// Waits until all its jobs have ended, however they end.
    ///
    /// # Errors
    /// `engine.stopped` if the engine stopped before; `batch.unknown`.
    pub async fn done(&self) -> Result<BatchReport> {
        for job in self.jobs() {
            job.ended().await?;
        }
        let report = self.media.batch(self.id).await?;
        report.ok_or_else(|| {
            Error::internal("batch.no_report", "an ended batch has no report")
                .with("batch", self.id)
        })
    }
}

impl fmt::Debug for BatchHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchHandle").field("id", &self.id).finish_non_exhaustive()
    }
}
