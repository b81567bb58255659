use std::collections::{BTreeMap, HashMap, VecDeque};

use super::ready::{Candidate, Ready};
use super::schedules::Schedules;
use super::waits::Waits;
use crate::codes;
use crate::engine::{Record, Submission, Submitted};
use crate::event::{Event, EventData, EventKind};
use crate::executor::{Executor, GroupWait, KnownWait};
use crate::id::{BatchId, JobId};
use crate::outbox::Claimed;
use crate::plan::CostClass;
use crate::report::{BatchReport, JobState, JobStatus};
use crate::spec::JobSpec;
use crate::{CancellationToken, Error, Result, Timestamp};

/// All jobs. Every method leaves it consistent, and leaves the events that it has caused in `events`.
#[derive(Default)]
pub(super) struct State {
    pub(super) jobs: HashMap<JobId, Entry>,
    /// Jobs that can start.
    pub(super) ready: Ready,
    /// Jobs that come after others, by each of these that has not ended.
    followers: HashMap<JobId, Vec<JobId>>,
    /// Jobs that wait for their next attempt.
    pub(super) later: BTreeMap<(Timestamp, JobId), ()>,
    batches: HashMap<BatchId, Batch>,
    /// The batches that wait for the end of a job.
    waiting_batches: HashMap<JobId, Vec<BatchId>>,
    keys: HashMap<(Option<String>, String), Keyed>,
    /// Ended jobs, the oldest first.
    ended: VecDeque<JobId>,
    pub(super) events: VecDeque<Event>,
    pub(super) waits: Waits,
    pub(super) schedules: Schedules,
    /// No job is taken while this is set.
    pub(super) paused: bool,
    /// What the host has configured, once it is known.
    pub(super) executor: Option<Executor>,
}

/// One job, and how to stop it.
pub(super) struct Entry {
    pub(super) record: Record,
    /// Cancels the attempt that runs.
    pub(super) running: Option<CancellationToken>,
    /// The number of the last attempt.
    pub(super) fence: u64,
    /// The batches that it is in.
    batches: Vec<BatchId>,
    /// How many jobs that it comes after have not ended.
    after: usize,
    /// How many jobs that come after it have not ended.
    followed: usize,
    /// It is old enough to be forgotten, but a batch that it is in has not ended, or a job that comes after it.
    kept: bool,
    /// Where it waits for its turn.
    pub(super) candidate: Candidate,
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

impl State {
    /// How many ended jobs are remembered.
    pub(super) const HISTORY: usize = 10_000;

    pub(super) fn waiting(&self) -> usize {
        let after: usize = self.followers.values().map(Vec::len).sum();
        self.ready.len() + self.later.len() + after
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

    /// A job that another one comes after.
    fn followed_by(&self, later: &JobSpec, job: JobId) -> Result<&Record> {
        let record = self.record(job)?;
        let known = later.may_follow(record.spec.options.tenant.as_deref());
        if known { Ok(record) } else { Err(unknown(job)) }
    }

    /// What is known of a job, for one that comes after it.
    pub(super) fn outcome(&self, later: JobId, job: JobId) -> Result<JobStatus> {
        let later = self.record(later)?;
        self.followed_by(&later.spec, job).map(Record::status)
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
        for spec in &submission.jobs {
            for after in spec.predecessors() {
                self.followed_by(spec, after.job).map_err(|e| e.with("option", "after"))?;
            }
        }
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
        let mut fresh: HashMap<_, String> = HashMap::new();
        for spec in jobs {
            let Some(key) = key_of(spec) else { continue };
            let digest = spec.digest();
            if let Some(known) = self.keyed(&key).filter(|known| known.digest != digest) {
                return Err(Error::key_reused().with("job", known.job));
            }
            if *fresh.entry(key).or_insert_with(|| digest.clone()) != digest {
                return Err(Error::key_reused());
            }
        }
        Ok(())
    }

    /// What a key stands for. One whose job has failed or was cancelled is free again.
    fn keyed(&self, key: &(Option<String>, String)) -> Option<&Keyed> {
        let known = self.keys.get(key)?;
        let state = self.jobs.get(&known.job)?.record.state;
        Some(known).filter(|_| !matches!(state, JobState::Failed | JobState::Cancelled))
    }

    pub(super) fn submit_one(
        &mut self,
        spec: JobSpec,
        batch: Option<BatchId>,
        now: Timestamp,
    ) -> JobId {
        let key = key_of(&spec);
        if let Some(known) = key.as_ref().and_then(|key| self.keyed(key)) {
            return known.job;
        }
        let digest = spec.digest();
        let record = Record::new(spec, batch, now);
        let id = record.id;
        if let Some(key) = key {
            self.keys.insert(key, Keyed { job: id, digest });
        }
        self.events.push_back(record.event(EventKind::JobCreated, now, EventData::None));
        let mut entry = Entry::new(record, self.executor.as_ref());
        for after in entry.record.spec.predecessors() {
            let Some(earlier) = self.jobs.get_mut(&after.job) else { continue };
            earlier.followed += 1;
            if !earlier.record.state.is_terminal() {
                entry.after += 1;
                self.followers.entry(after.job).or_default().push(id);
            }
        }
        let free = entry.after == 0;
        self.jobs.insert(id, entry);
        if free {
            self.enqueue(id, now);
        }
        id
    }

    /// Lets a job start that waits for no other one: at once, or at its moment.
    fn enqueue(&mut self, job: JobId, now: Timestamp) {
        let Some(entry) = self.jobs.get(&job) else { return };
        match entry.record.spec.options.run_at.filter(|due| *due > now) {
            Some(due) => drop(self.later.insert((due, job), ())),
            None => self.ready.add(&entry.candidate),
        }
    }

    /// Lets the jobs start that came after one which has ended.
    fn follow(&mut self, ended: JobId, now: Timestamp) {
        for job in self.followers.remove(&ended).unwrap_or_default() {
            let Some(entry) = self.jobs.get_mut(&job) else { continue };
            entry.after = entry.after.saturating_sub(1);
            if entry.after == 0 && !entry.record.state.is_terminal() {
                self.enqueue(job, now);
            }
        }
    }

    pub(super) fn status(&self, job: JobId) -> Result<JobStatus> {
        self.record(job).map(Record::status)
    }

    pub(super) fn batch(&self, batch: BatchId) -> Result<Option<BatchReport>> {
        let batched = self.batches.get(&batch).ok_or_else(|| {
            Error::input(codes::BATCH_UNKNOWN, "there is no such batch")
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
                self.ready.leave(&entry.candidate);
                self.later.retain(|(_, waiting), ()| *waiting != job);
                self.end(job, now, |record| record.end(JobState::Cancelled, None, now));
            }
        }
        Ok(())
    }

    pub(super) fn replayable(&self, job: JobId, spec: Option<JobSpec>) -> Result<JobSpec> {
        let entry = self.jobs.get(&job).ok_or_else(|| unknown(job))?;
        if !entry.record.state.is_terminal() {
            return Err(Error::input(
                codes::JOB_NOT_ENDED,
                "only a job that has ended can be replayed",
            )
            .with("job", job)
            .help("wait for its end, or cancel it"));
        }
        Ok(spec.unwrap_or_else(|| entry.record.spec.clone()).again())
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

    pub(super) fn end(
        &mut self,
        job: JobId,
        now: Timestamp,
        end: impl FnOnce(&mut Record) -> Vec<Event>,
    ) {
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        entry.running = None;
        self.events.extend(end(&mut entry.record));
        self.ready.leave(&entry.candidate);
        let after = entry.record.spec.predecessors();
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
        self.follow(job, now);
        for after in &after {
            if let Some(earlier) = self.jobs.get_mut(&after.job) {
                earlier.followed = earlier.followed.saturating_sub(1);
            }
        }
        self.keep_no_longer(after.into_iter().map(|after| after.job));
        self.forget();
    }

    /// Lets jobs be forgotten that were kept for others, if they are old enough.
    fn keep_no_longer(&mut self, jobs: impl IntoIterator<Item = JobId>) {
        for job in jobs {
            if let Some(entry) = self.jobs.get_mut(&job)
                && entry.followed == 0
                && std::mem::take(&mut entry.kept)
            {
                self.ended.push_back(job);
            }
        }
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
        self.keep_no_longer(report.jobs.into_iter().map(|report| report.job));
    }

    /// Drops the oldest ended jobs, but those of batches that have not ended, and those that others come after. A batch goes with the first of its jobs that
    /// goes.
    fn forget(&mut self) {
        while self.ended.len() > Self::HISTORY {
            let Some(job) = self.ended.pop_front() else { return };
            let Some(entry) = self.jobs.get_mut(&job) else { continue };
            let waits = |batch| self.batches.get(batch).is_some_and(|batch| batch.left > 0);
            if entry.batches.iter().any(waits) || entry.followed > 0 {
                entry.kept = true;
                continue;
            }
            let Some(entry) = self.jobs.remove(&job) else { continue };
            if let Some(key) = &key_of(&entry.record.spec)
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
    fn new(record: Record, executor: Option<&Executor>) -> Self {
        let (spec, class) =
            (&record.spec, executor.map(|executor| executor.class_of(&record.spec)));
        let class = class.unwrap_or(CostClass::Image);
        let share =
            spec.options.tenant.as_ref().and_then(|tenant| {
                executor?.share(tenant, class).map(|share| (tenant.clone(), share))
            });
        let priority = spec.options.priority;
        let candidate = Candidate { job: record.id, priority, class, share };
        let batches = Vec::new();
        Self {
            record,
            running: None,
            fence: 0,
            batches,
            after: 0,
            followed: 0,
            kept: false,
            candidate,
        }
    }
}

/// An idempotency key, which is its tenant's own.
fn key_of(spec: &JobSpec) -> Option<(Option<String>, String)> {
    let options = &spec.options;
    options.idempotency_key.clone().map(|key| (options.tenant.clone(), key))
}

const FORGOTTEN: &str =
    "the in-memory engine forgets its oldest jobs, and all of them when the process ends";

fn unknown(job: JobId) -> Error {
    Error::input(codes::JOB_UNKNOWN, "there is no such job").with("job", job).help(FORGOTTEN)
}
