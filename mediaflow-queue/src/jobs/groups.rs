use std::sync::Arc;

use mediaflow_core::engine::{Submission, Submitted};
use mediaflow_core::spec::JobSpec;
use mediaflow_core::{Error, Event, JobId, Result, codes};

use super::end::{Ended, EndedJob};
use super::row::ClaimedJob;
use super::start::{Begun, Start, begin};
use super::submit::{Taken, each, several, tell};
use super::{batch, one_statement};
use crate::db::{CommitQueue, GroupCommit};
use crate::events;
use crate::failpoint::failpoint;
use crate::process::Process;

/// What is done to many jobs at one moment, and shares its transactions.
pub(crate) struct Jobs {
    pub(crate) process: Arc<Process>,
    submit: Arc<CommitQueue<Change>>,
    start: Arc<CommitQueue<Change>>,
    end: Arc<CommitQueue<Change>>,
}

impl Jobs {
    pub(crate) fn new(process: Arc<Process>) -> Self {
        let submit = CommitQueue::new(&process);
        // A file has one writer at a time, and each commit waits for the disk: there, all share one. A server does several at
        // the same moment, and each kind locks other rows.
        let other = || match process.db.file() {
            Some(_) => Arc::clone(&submit),
            None => CommitQueue::new(&process),
        };
        Self { start: other(), end: other(), submit, process }
    }

    /// Takes jobs, all or none.
    pub(crate) async fn submit(&self, submission: &Submission) -> Result<Submitted> {
        match &*submission.jobs {
            // Somebody may hold the key for long: nobody else is to wait for that.
            [spec] if !submission.batch && spec.options.idempotency_key.is_none() => {
                match self.submit.commit(Change::Submit(Box::new(spec.clone()))).await? {
                    Changed::Submitted(job) => Ok(Submitted::new(vec![job], None)),
                    _ => Err(mixed_up()),
                }
            }
            _ => match batch::parts(submission)? {
                Some(parts) => batch::submit(&self.process, submission, &parts).await,
                None => several(&self.process, submission).await,
            },
        }
    }

    /// Begins an attempt at a job, with a new token.
    pub(crate) async fn start(&self, job: JobId) -> Result<Start> {
        match self.start.commit(Change::Start(job)).await? {
            Changed::Started(start) => Ok(start),
            _ => Err(mixed_up()),
        }
    }

    /// Ends a job: its row, its outputs, its events and its batches in one transaction.
    ///
    /// `record` has reached its end, and `events` tell of it, the steps of the last moment first.
    pub(crate) async fn end(&self, claimed: &ClaimedJob, events: Vec<Event>) -> Result<()> {
        let ended = EndedJob { claimed: claimed.clone(), events };
        self.end.commit(Change::End(Box::new(ended))).await.map(drop)
    }
}

/// One of what a transaction does.
#[derive(Debug)]
enum Change {
    Submit(Box<JobSpec>),
    Start(JobId),
    End(Box<EndedJob>),
}

/// What came of it.
enum Changed {
    Submitted(JobId),
    Started(Start),
    Ended,
}

impl GroupCommit for Change {
    type Context = Process;
    type Done = Changed;

    async fn commit(process: &Process, items: &[Self]) -> Result<Vec<Changed>> {
        let (mut specs, mut jobs, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for item in items {
            match item {
                Self::Submit(spec) => specs.push(&**spec),
                Self::Start(job) => jobs.push(*job),
                Self::End(ended) => ends.push(&**ended),
            }
        }
        if specs.len() == items.len()
            && let Some(taken) = one_statement::submit(process, &specs).await?
        {
            let submitted = taken.jobs.iter().map(|(job, _)| Changed::Submitted(*job)).collect();
            tell(process, taken, specs.iter().copied()).await;
            return Ok(submitted);
        }
        let mut transaction = process.db.begin().await?;
        let mut tx = transaction.tx();
        let (mut taken, mut begun, mut ended) = (None::<Taken>, None::<Begun>, None::<Ended>);
        if !ends.is_empty() {
            match (EndedJob::end(process, &mut tx, &ends).await, items) {
                (Err(error), [Self::End(one)]) if error.code() == codes::QUEUE_FENCED => {
                    drop(transaction);
                    return one.told_already(process).await.map(|()| vec![Changed::Ended]);
                }
                (done, _) => ended = Some(done?),
            }
        }
        if !jobs.is_empty() {
            begun = Some(begin(process, &mut tx, &jobs, false).await?);
        }
        if !specs.is_empty() {
            taken = Some(each(process, &mut tx, specs.iter().copied()).await?);
        }
        let mut events = Vec::new();
        events.extend(ended.iter().flat_map(|ended| &ended.events).cloned());
        events.extend(begun.iter().flat_map(|begun| &begun.events).cloned());
        events.extend(taken.iter().flat_map(|taken| &taken.events).cloned());
        events::record(process, &mut tx, &events).await?;
        if ended.is_some() {
            failpoint("end.outbox");
        }
        if taken.is_some() {
            failpoint("submit.outbox");
        }
        transaction.commit().await?;
        if let Some(ended) = ended {
            failpoint("end.commit");
            ended.tell(process);
        }
        let mut starts = Vec::new();
        if let Some(begun) = begun {
            process.committed(begun.events);
            process.all_queued(&begun.queues);
            starts = begun.starts;
        }
        let mut submitted = Vec::new();
        if let Some(taken) = taken {
            submitted.extend(taken.jobs.iter().map(|(job, _)| *job));
            tell(process, taken, specs.iter().copied()).await;
        }
        let (mut starts, mut submitted) = (starts.into_iter(), submitted.into_iter());
        let changed = items.iter().map(|item| match item {
            Self::Submit(_) => submitted.next().map(Changed::Submitted),
            Self::Start(_) => starts.next().map(Changed::Started),
            Self::End(_) => Some(Changed::Ended),
        });
        changed.map(|changed| changed.ok_or_else(mixed_up)).collect()
    }
}

fn mixed_up() -> Error {
    Error::internal(codes::QUEUE_DATABASE, "a transaction gave the result of another one")
}
