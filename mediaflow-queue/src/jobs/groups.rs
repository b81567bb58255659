use std::sync::Arc;

use mediaflow_core::engine::{Submission, Submitted};
use mediaflow_core::{Event, JobId, Result};

use super::end::{End, EndedJob};
use super::row::ClaimedJob;
use super::start::{NewAttempt, Start};
use super::submit::{NewJob, several};
use crate::db::CommitQueue;
use crate::process::Process;

/// What is done to many jobs at one moment, and shares its transactions.
pub(crate) struct Jobs {
    pub(crate) process: Arc<Process>,
    submit: Arc<CommitQueue<NewJob>>,
    start: Arc<CommitQueue<NewAttempt>>,
    end: Arc<CommitQueue<EndedJob>>,
}

impl Jobs {
    pub(crate) fn new(process: Arc<Process>) -> Self {
        Self {
            submit: CommitQueue::new(&process),
            start: CommitQueue::new(&process),
            end: CommitQueue::new(&process),
            process,
        }
    }

    /// Takes jobs, all or none.
    pub(crate) async fn submit(&self, submission: &Submission) -> Result<Submitted> {
        match &*submission.jobs {
            // Somebody may hold the key for long: nobody else is to wait for that.
            [spec] if !submission.batch && spec.options.idempotency_key.is_none() => {
                let job = self.submit.commit(NewJob(spec.clone())).await?;
                Ok(Submitted::new(vec![job], None))
            }
            _ => several(&self.process, submission).await,
        }
    }

    /// Begins an attempt at a job, with a new token.
    pub(crate) async fn start(&self, job: JobId) -> Result<Start> {
        self.start.commit(NewAttempt(job)).await
    }

    /// Ends a job: its row, its outputs, its events, its batches and River's row in one
    /// transaction.
    ///
    /// `record` has reached its end, and `events` tell of it, the steps of the last moment first.
    pub(crate) async fn end(
        &self,
        claimed: &ClaimedJob,
        events: Vec<Event>,
        river: End,
    ) -> Result<()> {
        self.end.commit(EndedJob { claimed: claimed.clone(), events, river }).await
    }
}
