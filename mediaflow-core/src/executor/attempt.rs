use std::fmt;
use std::sync::Arc;

use super::checkpoint::{Checkpoint, Journal, KnownWait};
use super::fetch::Fetched;
use super::outcomes::Outcomes;
use super::recall::Recall;
use crate::id::JobId;
use crate::spec::JobSpec;
use crate::{CancellationToken, Failure};

/// One attempt at a job. Clones share what was fetched for it, which is kept as long as one of them lives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// What to do.
    pub spec: JobSpec,
    /// Cancels it.
    pub cancel: CancellationToken,
    /// Is told what happens meanwhile.
    pub observer: Arc<dyn Observer>,
    /// The job's name in the [tickets](crate::storage::Ticket) of what is staged. Default: one that nobody else has.
    pub job: String,
    /// Which attempt it is, in these tickets: a later one has a higher fence, and revokes what is staged under lower ones
    /// before it publishes. Default 1.
    pub fence: u64,
    /// Knows what became of the jobs that it comes after. Default: nobody does.
    pub outcomes: Option<Arc<dyn Outcomes>>,
    /// Knows the results of earlier work. Default: nobody does.
    pub recall: Option<Arc<dyn Recall>>,
    /// What earlier attempts have done of it.
    pub checkpoint: Option<Checkpoint>,
    /// What of it waits, and what was said of that.
    pub waits: Vec<KnownWait>,
    /// Keeps what waits. Default: nobody does, and nothing can wait.
    pub journal: Option<Arc<dyn Journal>>,
    pub(super) fetched: Arc<Fetched>,
}

/// Is told what happens during an attempt. Called from any thread; must not block.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// The work is this far, from 0 to 1. Only grows within an attempt.
    fn progress(&self, done: f32);

    /// A step, or steps that ran as one, are done, or failed.
    fn steps(&self, steps: &[String], failure: Option<&Failure>);
}

impl Attempt {
    /// The only attempt at a job that nobody else knows.
    #[must_use]
    pub fn new(spec: JobSpec, cancel: CancellationToken, observer: Arc<dyn Observer>) -> Self {
        let (job, fetched) = (JobId::new().to_string(), Arc::default());
        Self {
            spec,
            cancel,
            observer,
            job,
            fence: 1,
            outcomes: None,
            recall: None,
            checkpoint: None,
            waits: Vec::new(),
            journal: None,
            fetched,
        }
    }

    /// An attempt at a job that others may have attempted, or may attempt, too: on other workers, and at the same time
    /// if this one is taken for dead. Every attempt needs a higher fence than those before. The job's name has letters,
    /// digits, `-` and `_`, at most 80.
    #[must_use]
    pub fn fenced(mut self, job: impl Into<String>, fence: u64) -> Self {
        (self.job, self.fence) = (job.into(), fence);
        self
    }

    /// Lets some of it wait for work that goes on elsewhere, and goes on with what waits already.
    #[must_use]
    pub fn journaled(
        mut self,
        journal: Arc<dyn Journal>,
        checkpoint: Option<Checkpoint>,
        waits: Vec<KnownWait>,
    ) -> Self {
        (self.journal, self.checkpoint, self.waits) = (Some(journal), checkpoint, waits);
        self
    }

    /// Asks what became of the jobs that it comes after, and where their outputs are.
    #[must_use]
    pub fn following(mut self, outcomes: Arc<dyn Outcomes>) -> Self {
        self.outcomes = Some(outcomes);
        self
    }

    /// Asks for results of earlier, equal work, and puts [content keys](Recall) into the reports.
    #[must_use]
    pub fn recalling(mut self, recall: Arc<dyn Recall>) -> Self {
        self.recall = Some(recall);
        self
    }
}
