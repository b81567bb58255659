use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::engine::Record;
use mediaflow_core::executor::Observer;
use mediaflow_core::{CancellationToken, Event, Failure, Result};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::process::Process;

/// What an attempt reports while it runs.
#[derive(Debug)]
enum Report {
    Progress(f32),
    Steps(Vec<String>, Option<Failure>),
}

/// Where the attempt reports; never blocks.
struct ProgressObserver(mpsc::UnboundedSender<Report>);

impl Observer for ProgressObserver {
    fn progress(&self, done: f32) {
        // Nobody listening any more is no error.
        let _ = self.0.send(Report::Progress(done));
    }

    fn steps(&self, steps: &[String], failure: Option<&Failure>) {
        let _ = self.0.send(Report::Steps(steps.to_vec(), failure.cloned()));
    }
}

impl fmt::Debug for ProgressObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressObserver").finish_non_exhaustive()
    }
}

/// Writes down what an attempt tells, not more often than four times a second: one row for many percents.
pub(super) struct ProgressWriter {
    reports: mpsc::UnboundedReceiver<Report>,
    /// Steps in order; progress as of the last report.
    steps: Vec<Event>,
    progress: Option<f32>,
}

const EVERY: Duration = Duration::from_millis(250);

impl ProgressWriter {
    pub(super) fn new() -> (Arc<dyn Observer>, Self) {
        let (sender, reports) = mpsc::unbounded_channel();
        (Arc::new(ProgressObserver(sender)), Self { reports, steps: Vec::new(), progress: None })
    }

    /// Writes for as long as `work` runs. An attempt that does not count any more is stopped.
    pub(super) async fn during<T, W>(
        &mut self,
        process: &Process,
        record: &mut Record,
        stop: &CancellationToken,
        work: impl Future<Output = T>,
        write: impl Fn(Record, Option<f32>, Vec<Event>) -> W,
    ) -> T
    where
        W: Future<Output = Result<bool>>,
    {
        let mut work = std::pin::pin!(work);
        let mut next = Instant::now() + EVERY;
        loop {
            let pending = self.progress.is_some() || !self.steps.is_empty();
            tokio::select! {
                biased;
                ended = &mut work => return ended,
                Some(report) = self.reports.recv() => self.note(report, record, process),
                () = tokio::time::sleep_until(next), if pending => {
                    next = Instant::now() + EVERY;
                    let (progress, events) = self.take(record, process);
                    match write(record.clone(), progress, events.clone()).await {
                        Ok(true) => {}
                        Ok(false) => stop.cancel(),
                        Err(error) => {
                            tracing::debug!(%error, "progress can not be written; it is tried again");
                            self.steps = events;
                        }
                    }
                }
            }
        }
    }

    /// What was told and not written yet.
    pub(super) fn rest(&mut self, record: &mut Record, process: &Process) -> Vec<Event> {
        while let Ok(report) = self.reports.try_recv() {
            self.note(report, record, process);
        }
        self.take(record, process).1
    }

    fn note(&mut self, report: Report, record: &Record, process: &Process) {
        match report {
            Report::Progress(done) => self.progress = Some(done),
            Report::Steps(steps, failure) => {
                self.steps.push(record.stepped(steps, failure, process.now()));
            }
        }
    }

    fn take(&mut self, record: &mut Record, process: &Process) -> (Option<f32>, Vec<Event>) {
        let progress = self.progress.take();
        let mut events = std::mem::take(&mut self.steps);
        events.extend(progress.and_then(|done| record.advance(done, process.now())));
        (progress, events)
    }
}
