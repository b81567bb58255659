use crate::event::{Event, EventData, EventKind};
use crate::id::{BatchId, JobId};
use crate::report::{JobState, JobStatus, OutputReport, OutputState, Report};
use crate::spec::{JobSpec, Pipeline};
use crate::worker::Finished;
use crate::{CancellationToken, Failure, Timestamp};

/// One job and all that is known of it.
pub(super) struct Entry {
    pub(super) id: JobId,
    pub(super) spec: JobSpec,
    pub(super) batch: Option<BatchId>,
    pub(super) state: JobState,
    pub(super) progress: f32,
    pub(super) attempts: u32,
    pub(super) failure: Option<Failure>,
    pub(super) queued_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) report: Option<Report>,
    /// Cancels the attempt that runs.
    pub(super) running: Option<CancellationToken>,
    /// Somebody asked for the end of the job, not only of its attempt.
    pub(super) cancelled: bool,
}

impl Entry {
    pub(super) fn new(spec: JobSpec, batch: Option<BatchId>, now: Timestamp) -> Self {
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
            running: None,
            cancelled: false,
        }
    }

    pub(super) fn event(&self, kind: EventKind, now: Timestamp, data: EventData) -> Event {
        Event::new(kind, now, data).about(self.id, self.batch, &self.spec.options)
    }

    pub(super) fn status(&self) -> JobStatus {
        let outputs = match &self.report {
            Some(report) => report.outputs.clone(),
            None => self.places().into_iter().map(OutputReport::pending).collect(),
        };
        JobStatus {
            job: self.id,
            batch: self.batch,
            state: self.state,
            progress: self.progress,
            attempts: self.attempts,
            failure: self.failure.clone(),
            outputs,
            report: self.report.clone().map(Box::new),
        }
    }

    /// Ends the job. Gives the events that tell of it.
    pub(super) fn end(
        &mut self,
        state: JobState,
        made: Option<Finished>,
        now: Timestamp,
    ) -> Vec<Event> {
        let report = self.write_report(state, made, now);
        let mut events: Vec<_> = report
            .outputs
            .iter()
            .filter(|output| output.state == OutputState::Published)
            .map(|output| {
                self.event(EventKind::OutputReady, now, EventData::Output(Box::new(output.clone())))
            })
            .collect();
        let kind = match state {
            JobState::Failed => EventKind::JobFailed,
            JobState::Cancelled => EventKind::JobCancelled,
            JobState::Queued | JobState::Running | JobState::Succeeded | JobState::Partial => {
                EventKind::JobCompleted
            }
        };
        events.push(self.event(kind, now, EventData::Job(Box::new(report.clone()))));
        if state == JobState::Succeeded {
            self.progress = 1.0;
        }
        (self.state, self.running, self.report) = (state, None, Some(report));
        events
    }

    fn write_report(&self, state: JobState, made: Option<Finished>, now: Timestamp) -> Report {
        let mut report = Report {
            job: self.id,
            state,
            source: None,
            outputs: Vec::new(),
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
            report.failure = None;
            report.source = made.source;
            report.outputs = made.outputs;
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
            for output in &mut report.outputs {
                output.state = ended;
            }
        }
        report
    }

    /// The places of the outputs, as far as the spec tells them before the plan.
    fn places(&self) -> Vec<String> {
        let pipeline = serde_json::from_value::<Pipeline>(self.spec.with.clone());
        pipeline.map_or_else(|_| Vec::new(), |pipeline| pipeline.outputs.into_keys().collect())
    }
}
