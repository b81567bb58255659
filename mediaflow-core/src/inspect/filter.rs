use crate::event::{Event, EventKind};
use crate::id::{BatchId, JobId};
use crate::report::JobState;
use crate::time::Timestamp;

/// Which jobs: those that everything said here is true of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct JobFilter {
    /// In this state.
    pub state: Option<JobState>,
    /// Of this kind: `pipeline`, or a custom [`Job::KIND`](crate::Job::KIND).
    pub kind: Option<String>,
    /// With this word among their tags.
    pub tag: Option<String>,
    /// Of this tenant.
    pub tenant: Option<String>,
    /// Asked for by this owner.
    pub owner: Option<String>,
    /// Submitted with this batch.
    pub batch: Option<BatchId>,
    /// Submitted at this moment or later, by the clock of the process that took them.
    pub since: Option<Timestamp>,
    /// Submitted before this moment.
    pub until: Option<Timestamp>,
}

impl JobFilter {
    /// All.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those in this state.
    pub fn state(mut self, state: JobState) -> Self {
        self.state = Some(state);
        self
    }

    /// Those of this kind.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Those with this tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Those of this tenant.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Those of this owner.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Those of this batch.
    pub fn batch(mut self, batch: BatchId) -> Self {
        self.batch = Some(batch);
        self
    }

    /// Those that were submitted at this moment or later.
    pub fn since(mut self, time: Timestamp) -> Self {
        self.since = Some(time);
        self
    }

    /// Those that were submitted before this moment.
    pub fn until(mut self, time: Timestamp) -> Self {
        self.until = Some(time);
        self
    }
}

/// Which events: those that everything said here is true of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct EventFilter {
    /// Of one of these kinds; of any if there is none.
    pub kinds: Vec<EventKind>,
    /// About this job.
    pub job: Option<JobId>,
    /// About this batch, or a job that was submitted with it.
    pub batch: Option<BatchId>,
    /// About jobs of this tenant.
    pub tenant: Option<String>,
    /// About jobs of this owner.
    pub owner: Option<String>,
}

impl EventFilter {
    /// All.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those of these kinds.
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.kinds.extend(kinds);
        self
    }

    /// Those about this job.
    pub fn job(mut self, job: JobId) -> Self {
        self.job = Some(job);
        self
    }

    /// Those about this batch, or a job that was submitted with it.
    pub fn batch(mut self, batch: BatchId) -> Self {
        self.batch = Some(batch);
        self
    }

    /// Those about jobs of this tenant.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Those about jobs of this owner.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn takes(&self, event: &Event) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && self.job.is_none_or(|job| event.job == Some(job))
            && self.batch.is_none_or(|batch| event.batch == Some(batch))
            && self.tenant.as_ref().is_none_or(|tenant| event.tenant.as_ref() == Some(tenant))
            && self.owner.as_ref().is_none_or(|owner| event.owner.as_ref() == Some(owner))
    }
}
