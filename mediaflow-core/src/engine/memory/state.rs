use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::schedules::Schedules;
use super::waits::Waits;
use crate::engine::{Next, Record, Submission, Submitted};
use crate::event::{Event, EventData, EventKind};
use crate::executor::{
    Attempt, Checkpoint, Finished, GroupWait, Journal, KnownWait, Observer, RetryPolicy, Suspended,
};
use crate::id::{BatchId, JobId};
use crate::outbox::Claimed;
use crate::report::{BatchReport, JobState, JobStatus};
use crate::spec::JobSpec;
use crate::wait::{Signal, Signalled};
use crate::{CancellationToken, Error, ErrorKind, Failure, Result, Timestamp};

/// All jobs. Every method leaves it consistent, and leaves the events that it has caused in `events`.
#[derive(Default)]
pub(super) struct State {
    jobs: HashMap<JobId, Entry>,
    /// Jobs that can start, the most urgent first: by priority, then by age.
    ready: BTreeMap<(Reverse<i16>, JobId), ()>,
    /// Jobs that wait for their next attempt.
    later: BTreeMap<(Timestamp, JobId), ()>,
    batches: HashMap<BatchId, Batch>,
    /// The batches that wait for the end of a job.
    waiting_batches: HashMap<JobId, Vec<BatchId>>,
    keys: HashMap<String, Keyed>,
    /// Ended jobs, the oldest first.
    ended: VecDeque<JobId>,
    events: VecDeque<Event>,
    waits: Waits,
    pub(super) schedules: Schedules,
    /// No job is taken while this is set.
    pub(super) paused: bool,
}

/// One job, and how to stop it.
struct Entry {
    record: Record,
    /// Cancels the attempt that runs.
    running: Option<CancellationToken>,
    /// The number of the last attempt.
    fence: u64,
    /// The batches that it is in.
    batches: Vec<BatchId>,
    /// It is old enough to be forgotten, but a batch that it is in has not ended.
    kept: bool,
}

struct Batch {
    jobs: Vec<JobId>,
    /// How many of them have not ended. A job that is twice in it is waited for twice.
    left: usize,
}

/// What an idempotency key stands for.
#[derive(Clone)]
struct Keyed {
    job: JobId,
    digest: String,
}

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
    /// How many ended jobs are remembered.
    pub(super) const HISTORY: usize = 10_000;

    pub(super) fn waiting(&self) -> usize {
        self.ready.len() + self.later.len()
    }

    pub(super) fn take_events(&mut self) -> VecDeque<Event> {
        std::mem::take(&mut self.events)
    }

    /// All jobs, in no order.
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.jobs.values().map(|entry| &entry.record)
    }

    pub(super) fn record(&self, job: JobId) -> Result<&Record> {
        self.jobs.get(&job).map(|entry| &entry.record).ok_or_else(|| unknown(job))
    }

    /// The jobs of a batch; none of an unknown one.
    pub(super) fn jobs_of(&self, batch: BatchId) -> &[JobId] {
        self.batches.get(&batch).map_or(&[], |batch| &batch.jobs)
    }

    /// What of a job waits.
    pub(super) fn known_waits(&self, job: JobId) -> Vec<KnownWait> {
        self.waits.of(job)
    }

    pub(super) fn submit(&mut self, submission: Submission, now: Timestamp) -> Result<Submitted> {
        self.check_keys(&submission.jobs)?;
        let batch = submission.batch.then(BatchId::new);
        let jobs: Vec<_> =
            submission.jobs.into_iter().map(|spec| self.submit_one(spec, batch, now)).collect();
        if let Some(batch) = batch {
            let mut left = 0;
            for job in &jobs {
                let ended = |entry: &Entry| entry.record.state.is_terminal();
                if !self.jobs.get(job).is_some_and(ended) {
                    self.waiting_batches.entry(*job).or_default().push(batch);
                    left += 1;
                }
            }
            for job in &jobs {
                let entry = self.jobs.get_mut(job);
                if let Some(entry) = entry.filter(|entry| entry.batches.last() != Some(&batch)) {
                    entry.batches.push(batch);
                }
            }
            self.batches.insert(batch, Batch { jobs: jobs.clone(), left });
            // All of it may have been done before, under the same idempotency keys.
            self.end_batch(batch, now);
        }
        Ok(Submitted::new(jobs, batch))
    }

    /// Refuses all jobs if the key of one stands for another job.
    fn check_keys(&self, jobs: &[JobSpec]) -> Result<()> {
        let mut fresh: HashMap<&str, String> = HashMap::new();
        for spec in jobs {
            let Some(key) = &spec.options.idempotency_key else { continue };
            let digest = spec.digest();
            if let Some(known) = self.keyed(key).filter(|known| known.digest != digest) {
                return Err(Error::key_reused().with("job", known.job));
            }
            if *fresh.entry(key).or_insert_with(|| digest.clone()) != digest {
                return Err(Error::key_reused());
            }
        }
        Ok(())
    }

    /// What a key stands for. One whose job has failed or was cancelled is free again.
    fn keyed(&self, key: &str) -> Option<&Keyed> {
        let known = self.keys.get(key)?;
        let state = self.jobs.get(&known.job)?.record.state;
        Some(known).filter(|_| !matches!(state, JobState::Failed | JobState::Cancelled))
    }

    fn submit_one(&mut self, spec: JobSpec, batch: Option<BatchId>, now: Timestamp) -> JobId {
        let key = spec.options.idempotency_key.as_ref();
        if let Some(known) = key.and_then(|key| self.keyed(key)) {
            return known.job;
        }
        let digest = key.map(|_| spec.digest());
        let record = Record::new(spec, batch, now);
        let (id, options) = (record.id, &record.spec.options);
        if let (Some(key), Some(digest)) = (&options.idempotency_key, digest) {
            self.keys.insert(key.clone(), Keyed { job: id, digest });
        }
        self.events.push_back(record.event(EventKind::JobCreated, now, EventData::None));
        match options.run_at.filter(|due| *due > now) {
            Some(due) => self.later.insert((due, id), ()),
            None => self.ready.insert((Reverse(options.priority), id), ()),
        };
        self.jobs.insert(id, Entry::new(record));
        id
    }

    pub(super) fn status(&self, job: JobId) -> Result<JobStatus> {
        self.record(job).map(Record::status)
    }

    pub(super) fn batch(&self, batch: BatchId) -> Result<Option<BatchReport>> {
        let batched = self.batches.get(&batch).ok_or_else(|| {
            Error::input("batch.unknown", "there is no such batch")
                .with("batch", batch)
                .help(FORGOTTEN)
        })?;
        if batched.left > 0 {
            return Ok(None);
        }
        let reports: Option<Vec<_>> = batched
            .jobs
            .iter()
            .map(|job| self.jobs.get(job).and_then(|entry| entry.record.report.clone()))
            .collect();
        Ok(reports.map(|reports| BatchReport::new(batch, reports)))
    }

    /// Gives messages about batches reports of single jobs: as many as are wanted, those that failed first.
    pub(super) fn add_reports(&self, claimed: &mut [Claimed], most: usize) {
        for message in claimed.iter_mut().filter_map(|claimed| claimed.message.as_mut().ok()) {
            let event = message.event();
            let (Some(batch), None, 1..) = (event.batch, event.job, most) else { continue };
            let Ok(Some(mut report)) = self.batch(batch) else { continue };
            report.jobs.sort_by_key(|job| job.state != JobState::Failed);
            report.jobs.truncate(most);
            message.reports = report.jobs;
        }
    }

    pub(super) fn cancel(&mut self, job: JobId, now: Timestamp) -> Result<()> {
        let entry = self.jobs.get_mut(&job).ok_or_else(|| unknown(job))?;
        if entry.record.state.is_terminal() {
            return Ok(());
        }
        entry.record.cancelled = true;
        match &entry.running {
            Some(running) => running.cancel(),
            None => {
                self.ready.remove(&(Reverse(entry.record.spec.options.priority), job));
                self.later.retain(|(_, waiting), ()| *waiting != job);
                self.end(job, now, |record| record.end(JobState::Cancelled, None, now));
            }
        }
        Ok(())
    }

    pub(super) fn replayable(&self, job: JobId, spec: Option<JobSpec>) -> Result<JobSpec> {
        let entry = self.jobs.get(&job).ok_or_else(|| unknown(job))?;
        if !entry.record.state.is_terminal() {
            return Err(Error::input("job.not_ended", "only a job that has ended can be replayed")
                .with("job", job)
                .help("wait for its end, or cancel it"));
        }
        Ok(spec.unwrap_or_else(|| entry.record.spec.clone()).again())
    }

    /// Takes the most urgent job that is due.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Taken> {
        self.run_schedules(now);
        if self.paused {
            return None;
        }
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let (_, job) = *entry.key();
            entry.remove();
            if let Some(entry) = self.jobs.get(&job) {
                self.ready.insert((Reverse(entry.record.spec.options.priority), job), ());
            }
        }
        for job in self.waits.take_due(now) {
            self.go_on(job);
        }
        let ((_, job), ()) = self.ready.pop_first()?;
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
        for (schedule, run) in self.schedules.take_due(now) {
            self.events.extend(schedule.missed(&run, now));
            let job = self.submit_one(run.spec, None, now);
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
            self.ready.insert((Reverse(entry.record.spec.options.priority), job), ());
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
        let waits_on = self.waits.suspend(job, &suspended);
        self.events.extend(entry.record.suspended(suspended.checkpoint, now));
        if !waits_on {
            self.go_on(job);
        }
    }

    /// What is to be stopped elsewhere, of jobs that have ended.
    pub(super) fn take_abandoned(&mut self) -> Vec<(JobId, Vec<GroupWait>)> {
        self.waits.take_abandoned()
    }

    /// When the next job that waits is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let later = self.later.first_key_value().map(|((due, _), ())| *due);
        let first = later.into_iter().chain(self.waits.next_due()).min();
        first.filter(|_| !self.paused).into_iter().chain(self.schedules.next_due()).min()
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
            self.ready.insert((Reverse(record.spec.options.priority), job), ());
            return;
        }
        match record.failed(error, retry) {
            Next::Retry(wait) => {
                record.state = JobState::Queued;
                self.later.insert((now.plus(wait), job), ());
            }
            Next::End(state) => self.end(job, now, |record| record.end(state, None, now)),
        }
    }

    fn end(&mut self, job: JobId, now: Timestamp, end: impl FnOnce(&mut Record) -> Vec<Event>) {
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        entry.running = None;
        self.events.extend(end(&mut entry.record));
        let stop = matches!(entry.record.state, JobState::Failed | JobState::Cancelled);
        self.waits.end(job, stop);
        self.ended.push_back(job);
        // It can be in several batches: submitted again under its idempotency key.
        let mut batches: Vec<_> = self.waiting_batches.remove(&job).unwrap_or_default();
        for batch in &batches {
            if let Some(batch) = self.batches.get_mut(batch) {
                batch.left = batch.left.saturating_sub(1);
            }
        }
        batches.dedup();
        for batch in batches {
            self.end_batch(batch, now);
        }
        self.forget();
    }

    fn end_batch(&mut self, batch: BatchId, now: Timestamp) {
        let Ok(Some(report)) = self.batch(batch) else { return };
        let first = self
            .batches
            .get(&batch)
            .and_then(|batch| batch.jobs.first())
            .and_then(|job| self.jobs.get(job));
        let options = first.map(|entry| entry.record.spec.options.clone()).unwrap_or_default();
        let event = Event::new(
            EventKind::BatchCompleted,
            now,
            EventData::Batch(Box::new(report.summary())),
        );
        self.events.push_back(event.about_batch(batch, &options));
        // What was kept for it can be forgotten.
        for report in report.jobs {
            if let Some(entry) = self.jobs.get_mut(&report.job)
                && std::mem::take(&mut entry.kept)
            {
                self.ended.push_back(report.job);
            }
        }
    }

    /// Drops the oldest ended jobs, but those of batches that have not ended. A batch goes with the first of its jobs that
    /// goes.
    fn forget(&mut self) {
        while self.ended.len() > Self::HISTORY {
            let Some(job) = self.ended.pop_front() else { return };
            let Some(entry) = self.jobs.get_mut(&job) else { continue };
            let waits = |batch| self.batches.get(batch).is_some_and(|batch| batch.left > 0);
            if entry.batches.iter().any(waits) {
                entry.kept = true;
                continue;
            }
            let Some(entry) = self.jobs.remove(&job) else { continue };
            if let Some(key) = &entry.record.spec.options.idempotency_key
                && self.keys.get(key).is_some_and(|known| known.job == entry.record.id)
            {
                self.keys.remove(key);
            }
            for batch in &entry.batches {
                self.batches.remove(batch);
            }
        }
    }
}

impl Entry {
    fn new(record: Record) -> Self {
        Self { record, running: None, fence: 0, batches: Vec::new(), kept: false }
    }
}

impl Taken {
    pub(super) fn attempt(self, observer: Arc<dyn Observer>, journal: Arc<dyn Journal>) -> Attempt {
        let attempt = Attempt::new(self.spec, self.cancel, observer);
        attempt.fenced(self.job.to_string(), self.fence).journaled(
            journal,
            self.checkpoint,
            self.waits,
        )
    }
}

const FORGOTTEN: &str =
    "the in-memory engine forgets its oldest jobs, and all of them when the process ends";

fn unknown(job: JobId) -> Error {
    Error::input("job.unknown", "there is no such job").with("job", job).help(FORGOTTEN)
}
