use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use super::MemoryEngine;
use super::jobs::Entry;
use crate::engine::{Submission, Submitted};
use crate::event::{Event, EventData, EventKind};
use crate::id::{BatchId, JobId};
use crate::report::{BatchReport, JobState, JobStatus};
use crate::spec::JobSpec;
use crate::worker::{Attempt, Finished, RetryPolicy};
use crate::{CancellationToken, Error, ErrorKind, Failure, Result, Retry, Timestamp};

/// All jobs. Every method leaves it consistent, and leaves the events that it has caused in `events`.
#[derive(Default)]
pub(super) struct State {
    jobs: HashMap<JobId, Entry>,
    /// Jobs that can start, the most urgent first: by priority, then by age.
    ready: BTreeMap<(Reverse<i16>, JobId), ()>,
    /// Jobs that wait for their next attempt.
    later: BTreeMap<(Timestamp, JobId), ()>,
    batches: HashMap<BatchId, Vec<JobId>>,
    keys: HashMap<String, JobId>,
    /// Ended jobs, the oldest first.
    ended: VecDeque<JobId>,
    events: VecDeque<Event>,
}

/// Something to do for the loop that takes jobs.
pub(super) struct Taken {
    pub(super) job: JobId,
    pub(super) spec: JobSpec,
    pub(super) cancel: CancellationToken,
}

impl State {
    pub(super) fn waiting(&self) -> usize {
        self.ready.len() + self.later.len()
    }

    pub(super) fn take_events(&mut self) -> VecDeque<Event> {
        std::mem::take(&mut self.events)
    }

    pub(super) fn push_event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(super) fn submit(&mut self, submission: Submission, now: Timestamp) -> Submitted {
        let batch = submission.batch.then(BatchId::new);
        let jobs: Vec<_> =
            submission.jobs.into_iter().map(|spec| self.submit_one(spec, batch, now)).collect();
        if let Some(batch) = batch {
            self.batches.insert(batch, jobs.clone());
            // All of it may have been done before, under the same idempotency keys.
            self.end_batch(batch, now);
        }
        Submitted::new(jobs, batch)
    }

    fn submit_one(&mut self, spec: JobSpec, batch: Option<BatchId>, now: Timestamp) -> JobId {
        if let Some(known) =
            spec.options.idempotency_key.as_ref().and_then(|key| self.keys.get(key))
        {
            return *known;
        }
        let entry = Entry::new(spec, batch, now);
        let id = entry.id;
        if let Some(key) = &entry.spec.options.idempotency_key {
            self.keys.insert(key.clone(), id);
        }
        self.events.push_back(entry.event(EventKind::JobCreated, now, EventData::None));
        self.ready.insert((Reverse(entry.spec.options.priority), id), ());
        self.jobs.insert(id, entry);
        id
    }

    pub(super) fn status(&self, job: JobId) -> Result<JobStatus> {
        self.jobs.get(&job).map(Entry::status).ok_or_else(|| unknown(job))
    }

    pub(super) fn batch(&self, batch: BatchId) -> Result<Option<BatchReport>> {
        let jobs = self.batches.get(&batch).ok_or_else(|| {
            Error::input("batch.unknown", "there is no such batch")
                .with("batch", batch)
                .help(FORGOTTEN)
        })?;
        let reports: Option<Vec<_>> = jobs
            .iter()
            .map(|job| self.jobs.get(job).and_then(|entry| entry.report.clone()))
            .collect();
        Ok(reports.map(|reports| BatchReport::new(batch, reports)))
    }

    pub(super) fn cancel(&mut self, job: JobId, now: Timestamp) -> Result<()> {
        let entry = self.jobs.get_mut(&job).ok_or_else(|| unknown(job))?;
        if entry.state.is_terminal() {
            return Ok(());
        }
        entry.cancelled = true;
        match &entry.running {
            Some(running) => running.cancel(),
            None => {
                self.ready.remove(&(Reverse(entry.spec.options.priority), job));
                self.later.retain(|(_, waiting), ()| *waiting != job);
                self.end(job, JobState::Cancelled, None, now);
            }
        }
        Ok(())
    }

    pub(super) fn replayable(&self, job: JobId, spec: Option<JobSpec>) -> Result<JobSpec> {
        let entry = self.jobs.get(&job).ok_or_else(|| unknown(job))?;
        if !entry.state.is_terminal() {
            return Err(Error::input("job.not_ended", "only a job that has ended can be replayed")
                .with("job", job)
                .help("wait for its end, or cancel it"));
        }
        let mut spec = spec.unwrap_or_else(|| entry.spec.clone());
        // The old key stands for the old job.
        spec.options.idempotency_key = None;
        Ok(spec)
    }

    /// Takes the most urgent job that is due.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Taken> {
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let (_, job) = *entry.key();
            entry.remove();
            if let Some(entry) = self.jobs.get(&job) {
                self.ready.insert((Reverse(entry.spec.options.priority), job), ());
            }
        }
        let ((_, job), ()) = self.ready.pop_first()?;
        let entry = self.jobs.get_mut(&job)?;
        let cancel = CancellationToken::new();
        entry.attempts += 1;
        (entry.state, entry.started_at, entry.running) =
            (JobState::Running, Some(now), Some(cancel.clone()));
        self.events.push_back(entry.event(EventKind::JobStarted, now, EventData::None));
        Some(Taken { job, spec: entry.spec.clone(), cancel })
    }

    /// When the next job that waits is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.later.first_key_value().map(|((due, _), ())| *due)
    }

    /// Notes progress, with an event for each whole percent.
    pub(super) fn progress(&mut self, job: JobId, done: f32, now: Timestamp) {
        let Some(entry) = self.jobs.get_mut(&job).filter(|entry| entry.state == JobState::Running)
        else {
            return;
        };
        // Whole percents are enough for anybody, and 1 is kept for success.
        let done = (done * 100.0).floor().min(99.0) / 100.0;
        if done > entry.progress {
            entry.progress = done;
            self.events.push_back(entry.event(
                EventKind::JobProgress,
                now,
                EventData::Progress(done),
            ));
        }
    }

    pub(super) fn steps(
        &mut self,
        job: JobId,
        steps: &[String],
        failure: Option<&Failure>,
        now: Timestamp,
    ) {
        let Some(entry) = self.jobs.get(&job) else { return };
        let kind = if failure.is_some() { EventKind::StepFailed } else { EventKind::StepCompleted };
        let data = EventData::Step { steps: steps.to_vec(), failure: failure.cloned() };
        self.events.push_back(entry.event(kind, now, data));
    }

    /// Ends an attempt that was published.
    pub(super) fn succeeded(&mut self, job: JobId, made: Finished, now: Timestamp) {
        let whole =
            made.outputs.iter().all(|output| output.state == crate::report::OutputState::Published);
        let any =
            made.outputs.iter().any(|output| output.state == crate::report::OutputState::Published);
        let state = match (whole, any) {
            (true, _) => JobState::Succeeded,
            (false, true) => JobState::Partial,
            (false, false) => JobState::Failed,
        };
        self.end(job, state, Some(made), now);
    }

    /// Ends an attempt that failed: the job waits for the next one, is handed back, or ends.
    pub(super) fn failed(
        &mut self,
        job: JobId,
        error: &Error,
        retry: &RetryPolicy,
        handed_back: bool,
        now: Timestamp,
    ) {
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        entry.running = None;
        if error.kind() == ErrorKind::Cancelled && handed_back && !entry.cancelled {
            // Not the job's fault: the attempt does not count.
            entry.attempts -= 1;
            entry.state = JobState::Queued;
            self.ready.insert((Reverse(entry.spec.options.priority), job), ());
            return;
        }
        if entry.cancelled {
            self.end(job, JobState::Cancelled, None, now);
            return;
        }
        entry.failure = Some(Failure::from(error));
        let attempts = entry.spec.options.max_attempts.unwrap_or(retry.max_attempts);
        let wait = match error.retry() {
            Retry::Never => None,
            Retry::Backoff => Some(retry.wait(entry.attempts)),
            Retry::After(asked) => {
                Some(retry.wait(entry.attempts).max(asked.min(Duration::from_secs(3600))))
            }
        };
        match wait.filter(|_| entry.attempts < attempts) {
            Some(wait) => {
                entry.state = JobState::Queued;
                self.later.insert((now.plus(wait), job), ());
            }
            None => self.end(job, JobState::Failed, None, now),
        }
    }

    fn end(&mut self, job: JobId, state: JobState, made: Option<Finished>, now: Timestamp) {
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        self.events.extend(entry.end(state, made, now));
        let batch = entry.batch;
        self.ended.push_back(job);
        if let Some(batch) = batch {
            self.end_batch(batch, now);
        }
        self.forget();
    }

    fn end_batch(&mut self, batch: BatchId, now: Timestamp) {
        let Ok(Some(report)) = self.batch(batch) else { return };
        let first = self
            .batches
            .get(&batch)
            .and_then(|jobs| jobs.first())
            .and_then(|job| self.jobs.get(job));
        let options = first.map(|entry| entry.spec.options.clone()).unwrap_or_default();
        let event = Event::new(EventKind::BatchCompleted, now, EventData::Batch(Box::new(report)));
        self.events.push_back(event.about_batch(batch, &options));
    }

    /// Drops the oldest ended jobs. A batch goes with the first of its jobs that goes.
    fn forget(&mut self) {
        while self.ended.len() > MemoryEngine::HISTORY {
            let Some(entry) = self.ended.pop_front().and_then(|job| self.jobs.remove(&job)) else {
                continue;
            };
            if let Some(key) = &entry.spec.options.idempotency_key {
                self.keys.remove(key);
            }
            if let Some(batch) = entry.batch {
                self.batches.remove(&batch);
            }
        }
    }
}

impl Taken {
    pub(super) fn attempt(self, observer: std::sync::Arc<dyn crate::worker::Observer>) -> Attempt {
        Attempt::new(self.spec, self.cancel, observer)
    }
}

const FORGOTTEN: &str =
    "the in-memory engine forgets its oldest jobs, and all of them when the process ends";

fn unknown(job: JobId) -> Error {
    Error::input("job.unknown", "there is no such job").with("job", job).help(FORGOTTEN)
}
