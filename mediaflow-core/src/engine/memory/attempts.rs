use std::sync::Arc;

use super::state::State;
use crate::engine::Next;
use crate::executor::{
    Attempt, Checkpoint, Finished, GroupWait, Journal, KnownWait, Observer, Outcomes, RetryPolicy,
    Suspended,
};
use crate::id::JobId;
use crate::plan::CostClass;
use crate::report::JobState;
use crate::spec::JobSpec;
use crate::wait::{Signal, Signalled};
use crate::{CancellationToken, Error, ErrorKind, Failure, Result, Timestamp};

/// Something to do for the loop that takes jobs.
pub(super) struct Taken {
    pub(super) job: JobId,
    pub(super) spec: JobSpec,
    pub(super) cancel: CancellationToken,
    fence: u64,
    checkpoint: Option<Checkpoint>,
    waits: Vec<KnownWait>,
}

impl State {
    /// Lets start what is due.
    pub(super) fn look(&mut self, now: Timestamp) {
        self.run_schedules(now);
        if self.paused {
            return;
        }
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let (_, job) = *entry.key();
            entry.remove();
            if let Some(entry) = self.jobs.get(&job) {
                self.ready.add(&entry.candidate);
            }
        }
        for job in self.waits.take_due(now) {
            self.go_on(job);
        }
    }

    /// Takes the most urgent job of a class.
    pub(super) fn take(&mut self, class: CostClass, now: Timestamp) -> Option<Taken> {
        if self.paused {
            return None;
        }
        let job = self.ready.take(class)?;
        let entry = self.jobs.get_mut(&job)?;
        let cancel = CancellationToken::new();
        entry.running = Some(cancel.clone());
        entry.fence += 1;
        let record = &mut entry.record;
        self.events.extend(record.started(now));
        Some(Taken {
            job,
            spec: record.spec.clone(),
            cancel,
            fence: entry.fence,
            checkpoint: record.checkpoint.as_deref().cloned(),
            waits: self.waits.of(job),
        })
    }

    /// Submits what is due by the clock.
    fn run_schedules(&mut self, now: Timestamp) {
        for (schedule, occurrence) in self.schedules.take_due(now) {
            self.events.extend(schedule.missed(&occurrence, now));
            let job = self.submit_one(occurrence.spec, None, now);
            self.schedules.ran(&schedule.name, now, job);
        }
    }

    /// Takes what is said of work that goes on elsewhere.
    pub(super) fn signal(&mut self, signal: Signal) -> Signalled {
        let (signalled, job) = self.waits.signal(&signal.key, signal.update, &signal.replay_key);
        if let Some(job) = job {
            self.go_on(job);
        }
        signalled
    }

    /// Lets a job that waits go on. One that is under way looks for itself before it waits.
    fn go_on(&mut self, job: JobId) {
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        if entry.record.state == JobState::Waiting {
            self.waits.wake(job);
            entry.record.state = JobState::Queued;
            self.ready.add(&entry.candidate);
        }
    }

    /// Stores that a group of a job waits.
    pub(super) fn store_wait(
        &mut self,
        job: JobId,
        group: &GroupWait,
        heard: &[u64],
    ) -> Result<()> {
        self.waits.store(job, group, heard)
    }

    /// Lets what is left of a job wait, after an attempt at the rest.
    pub(super) fn suspended(&mut self, job: JobId, suspended: Suspended, now: Timestamp) {
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        entry.running = None;
        if entry.record.cancelled {
            return self.end(job, now, |record| record.end(JobState::Cancelled, None, now));
        }
        self.ready.leave(&entry.candidate);
        let waits_on = self.waits.suspend(job, &suspended);
        self.events.extend(entry.record.suspended(suspended.checkpoint, now));
        if !waits_on {
            self.go_on(job);
        }
    }

    pub(super) fn progress(&mut self, job: JobId, done: f32, now: Timestamp) {
        let event = self.jobs.get_mut(&job).and_then(|entry| entry.record.advance(done, now));
        self.events.extend(event);
    }

    pub(super) fn steps(
        &mut self,
        job: JobId,
        steps: &[String],
        failure: Option<&Failure>,
        now: Timestamp,
    ) {
        let Some(entry) = self.jobs.get(&job) else { return };
        self.events.push_back(entry.record.stepped(steps.to_vec(), failure.cloned(), now));
    }

    /// Ends an attempt that was published.
    pub(super) fn succeeded(&mut self, job: JobId, made: Finished, now: Timestamp) {
        self.end(job, now, |record| record.succeeded(made, now));
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
        let record = &mut entry.record;
        if error.kind() == ErrorKind::Cancelled && handed_back && !record.cancelled {
            // Not the job's fault: the attempt does not count.
            record.attempts -= 1;
            record.state = JobState::Queued;
            self.ready.add(&entry.candidate);
            return;
        }
        // It comes after one that was cancelled.
        record.cancelled |= error.kind() == ErrorKind::Cancelled;
        match record.failed(error, retry) {
            Next::Retry(wait) => {
                let due = now.plus(wait);
                record.state = JobState::Queued;
                self.events.push_back(record.retrying(error.into(), None, due, now));
                self.ready.leave(&entry.candidate);
                self.later.insert((due, job), ());
            }
            Next::End(state) => self.end(job, now, |record| record.end(state, None, now)),
        }
    }
}

impl Taken {
    pub(super) fn attempt(
        self,
        observer: Arc<dyn Observer>,
        journal: Arc<dyn Journal>,
        outcomes: Arc<dyn Outcomes>,
    ) -> Attempt {
        let attempt = Attempt::new(self.spec, self.cancel, observer).following(outcomes);
        attempt.fenced(self.job.to_string(), self.fence).journaled(
            journal,
            self.checkpoint,
            self.waits,
        )
    }
}
