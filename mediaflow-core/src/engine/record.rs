use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::event::{Event, EventData, EventKind, FailedAttempt};
use crate::executor::{Checkpoint, Finished, RetryPolicy, published, with_published};
use crate::id::{BatchId, JobId};
use crate::inspect::JobSummary;
use crate::report::{JobState, JobStatus, OutputReport, OutputState, Report};
use crate::spec::{JobSpec, Pipeline};
use crate::{Error, Failure, Retry, Timestamp};

/// One job and all that is known of it: the rules of a job's life that every engine shares, without the keeping.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Record {
    /// The name of the job.
    pub id: JobId,
    /// What to do.
    pub spec: JobSpec,
    /// The batch that it belongs to.
    pub batch: Option<BatchId>,
    /// Where it is in its life.
    pub state: JobState,
    /// How far it is, from 0 to 1.
    pub progress: f32,
    /// How often it was tried.
    pub attempts: u32,
    /// What the last attempt failed with.
    pub failure: Option<Failure>,
    /// When it was submitted.
    pub queued_at: Timestamp,
    /// When the last attempt began.
    pub started_at: Option<Timestamp>,
    /// What became of it, once it has ended.
    pub report: Option<Report>,
    /// Somebody asked for the end of the job, not only of its attempt.
    pub cancelled: bool,
    /// What has been done of it, if the rest waits, or has waited, for work that goes on elsewhere.
    pub checkpoint: Option<Box<Checkpoint>>,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an engine handles every case")]
pub enum Next {
    /// Another attempt after this time.
    Retry(Duration),
    /// The end, in this state.
    End(JobState),
}

impl Record {
    /// A job that was just submitted.
    #[must_use]
    pub fn new(spec: JobSpec, batch: Option<BatchId>, now: Timestamp) -> Self {
        Self {
            id: JobId::new(),
            spec,
            batch,
            state: JobState::Queued,
            progress: 0.0,
            attempts: 0,
            failure: None,
            queued_at: now,
            started_at: None,
            report: None,
            cancelled: false,
            checkpoint: None,
        }
    }

    /// An event about it.
    #[must_use]
    pub fn event(&self, kind: EventKind, now: Timestamp, data: EventData) -> Event {
        Event::new(kind, now, data).about(self.id, self.batch, &self.spec.options)
    }

    /// What to answer to whoever asks.
    #[must_use]
    pub fn status(&self) -> JobStatus {
        let outputs = match (&self.report, &self.checkpoint) {
            (Some(report), _) => report.outputs.clone(),
            (None, Some(checkpoint)) => checkpoint.outputs(),
            (None, None) => self.places().into_iter().map(OutputReport::pending).collect(),
        };
        JobStatus {
            job: self.id,
            batch: self.batch,
            state: self.state,
            progress: self.progress,
            attempts: self.attempts.max(self.checkpoint.is_some().into()),
            failure: self.failure.clone(),
            outputs,
            report: self.report.clone().map(Box::new),
        }
    }

    /// One line of a list.
    #[must_use]
    pub fn summary(&self) -> JobSummary {
        let (options, report) = (&self.spec.options, self.report.as_ref());
        let mut summary = JobSummary::new(self.id, &self.spec.kind, self.queued_at);
        (summary.batch, summary.state) = (self.batch, self.state);
        (summary.progress, summary.attempts) = (self.progress, self.attempts);
        (summary.owner, summary.tags) = (options.owner.clone(), options.tags.clone());
        summary.tenant.clone_from(&options.tenant);
        let failure = report.and_then(|report| report.failure.as_ref()).or(self.failure.as_ref());
        summary.failure = failure.map(|failure| failure.code.clone());
        (summary.started_at, summary.ended_at) =
            (self.started_at, report.map(|report| report.finished_at));
        summary
    }

    /// Notes progress, in whole percents: more is of use to nobody. Gives the event if it grew.
    pub fn advance(&mut self, done: f32, now: Timestamp) -> Option<Event> {
        // 1 is kept for success.
        let done = (done * 100.0).floor().min(99.0) / 100.0;
        if self.state != JobState::Running || done <= self.progress {
            return None;
        }
        self.progress = done;
        Some(self.event(EventKind::JobProgress, now, EventData::Progress(done)))
    }

    /// The event of steps that are done, or failed.
    #[must_use]
    pub fn stepped(&self, steps: Vec<String>, failure: Option<Failure>, now: Timestamp) -> Event {
        let kind = if failure.is_some() { EventKind::StepFailed } else { EventKind::StepCompleted };
        self.event(kind, now, EventData::Step { steps, failure })
    }

    /// Notes why an attempt failed, and decides what follows.
    pub fn failed(&mut self, error: &Error, retry: &RetryPolicy) -> Next {
        if self.cancelled {
            let failure = Failure::from(error);
            self.failure = match self.failure.take() {
                Some(known) => Some(with_published(known, Some(&failure))),
                None if published(&failure).next().is_none() => None,
                None => Some(failure),
            };
            return Next::End(JobState::Cancelled);
        }
        self.note(error);
        let attempts = retry.attempts(error, self.spec.options.max_attempts);
        let wait = match error.retry() {
            Retry::Never => None,
            Retry::Backoff => Some(retry.wait(self.attempts)),
            Retry::After(asked) => Some(retry.wait(self.attempts).max(asked.min(LONGEST_ASKED))),
        };
        wait.filter(|_| self.attempts < attempts).map_or(Next::End(JobState::Failed), Next::Retry)
    }

    /// The event of an attempt that failed with this, and that another one follows. `part` is the number of the part that it
    /// was at, if the job was split.
    #[must_use]
    pub fn retrying(
        &self,
        failure: Failure,
        part: Option<u32>,
        due: Timestamp,
        now: Timestamp,
    ) -> Event {
        let failed = FailedAttempt { part, ..FailedAttempt::new(self.attempts, failure, due) };
        self.event(EventKind::JobRetrying, now, EventData::Retry(Box::new(failed)))
    }

    /// Notes why an attempt failed, and keeps in mind what earlier ones have published.
    pub fn note(&mut self, error: &Error) {
        self.failure = Some(with_published(error.into(), self.failure.as_ref()));
    }

    /// Begins an attempt. Gives the event that tells of it; that a job goes on with what it has waited for is none.
    pub fn started(&mut self, now: Timestamp) -> Option<Event> {
        self.attempts += 1;
        (self.state, self.started_at) = (JobState::Running, Some(now));
        let new = self.checkpoint.is_none();
        new.then(|| self.event(EventKind::JobStarted, now, EventData::None))
    }

    /// Notes that what is left of the job waits. Gives the event that tells of it, the first time.
    pub fn suspended(&mut self, checkpoint: Checkpoint, now: Timestamp) -> Option<Event> {
        // The attempt goes on later: it is the same one then.
        self.attempts = self.attempts.saturating_sub(1);
        let first = self.checkpoint.is_none();
        (self.state, self.checkpoint) = (JobState::Waiting, Some(Box::new(checkpoint)));
        first.then(|| self.event(EventKind::JobWaiting, now, EventData::None))
    }

    /// Ends the job after an attempt whose outputs were published. Gives the events that tell of it.
    pub fn succeeded(&mut self, made: Finished, now: Timestamp) -> Vec<Event> {
        let published = |output: &OutputReport| output.state == OutputState::Published;
        let whole = made.outputs.iter().all(published) && made.facts_failed.is_empty();
        let any = made.outputs.iter().any(published) || !made.facts.is_empty();
        let state = match (whole, any) {
            (true, _) => JobState::Succeeded,
            (false, true) => JobState::Partial,
            (false, false) => JobState::Failed,
        };
        if state == JobState::Failed {
            // All were skipped: the job has a cause, too.
            let output = made.outputs.iter().find_map(|output| output.failure.clone());
            self.failure = output.or_else(|| made.facts_failed.values().next().cloned());
        }
        self.end(state, Some(made), now)
    }

    /// Ends the job in this state. Gives the events that tell of it.
    pub fn end(&mut self, state: JobState, made: Option<Finished>, now: Timestamp) -> Vec<Event> {
        let whole = made.is_some();
        let report = self.write_report(state, made, now);
        let mut events: Vec<_> = report
            .outputs
            .iter()
            // What an attempt had published before it failed is told by the report alone: only its place is known.
            .filter(|output| whole && output.state == OutputState::Published)
            .map(|output| {
                self.event(EventKind::OutputReady, now, EventData::Output(Box::new(output.clone())))
            })
            .collect();
        let kind = match state {
            JobState::Failed => EventKind::JobFailed,
            JobState::Cancelled => EventKind::JobCancelled,
            JobState::Queued
            | JobState::Running
            | JobState::Waiting
            | JobState::Succeeded
            | JobState::Partial
            | JobState::Other(_) => EventKind::JobCompleted,
        };
        events.push(self.event(kind, now, EventData::Job(Box::new(report.clone()))));
        if state == JobState::Succeeded {
            self.progress = 1.0;
        }
        (self.state, self.report, self.checkpoint) = (state, Some(report), None);
        events
    }

    fn write_report(&self, state: JobState, made: Option<Finished>, now: Timestamp) -> Report {
        let mut report = Report {
            job: self.id,
            state,
            source: None,
            outputs: Vec::new(),
            facts: BTreeMap::new(),
            facts_failed: BTreeMap::new(),
            plan: Vec::new(),
            decodes: 0,
            warnings: Vec::new(),
            failure: self.failure.clone(),
            attempts: self.attempts,
            queued_at: self.queued_at,
            started_at: self.started_at,
            finished_at: now,
        };
        if let Some(made) = made {
            report.failure = report.failure.filter(|_| state == JobState::Failed);
            report.source = made.source;
            report.outputs = made.outputs;
            (report.facts, report.facts_failed) = (made.facts, made.facts_failed);
            report.plan = made.plan;
            report.decodes = made.decodes;
            report.warnings = made.warnings;
        } else {
            let ended = if state == JobState::Cancelled {
                OutputState::Cancelled
            } else {
                OutputState::Failed
            };
            report.outputs = self.places().into_iter().map(OutputReport::pending).collect();
            let failure = self.failure.as_ref();
            let there: BTreeSet<_> = failure.into_iter().flat_map(published).collect();
            for place in &there {
                // Of a custom job the places are known by their publication only.
                if !report.outputs.iter().any(|output| output.output == *place) {
                    report.outputs.push(OutputReport::pending(*place));
                }
            }
            report.outputs.sort_by(|a, b| a.output.cmp(&b.output));
            for output in &mut report.outputs {
                let stays = there.contains(output.output.as_str());
                output.state = if stays { OutputState::Published } else { ended };
                if stays {
                    output.warnings.push(STAYS.to_owned());
                }
            }
        }
        report
    }

    /// The places of the outputs, as far as the spec tells them before the plan.
    fn places(&self) -> Vec<String> {
        if let Some(checkpoint) = &self.checkpoint {
            return checkpoint.pipeline.outputs.keys().cloned().collect();
        }
        let pipeline = serde_json::from_value::<Pipeline>(self.spec.with.clone());
        pipeline.map_or_else(|_| Vec::new(), |pipeline| pipeline.outputs.into_keys().collect())
    }
}

/// What the report says of an output that is there although its job did not succeed.
const STAYS: &str = "it was published before the job ended without success, and stays";

/// No failure can ask for a longer wait.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
