use async_trait::async_trait;
use mediaflow_core::inspect::{
    Counts, Cursor, EventFilter, Inspect, JobFilter, JobHistory, JobSummary, MessageFilter,
    MessageSummary, Page, Paging, PlacedEvent,
};
use mediaflow_core::{JobId, Result};

use super::handle::Queue;
use crate::inspect;

/// Jobs that an older version has taken are found by their state, batch and time, and not by their kind, owner and tags; nor
/// are its events by their owner.
#[async_trait]
impl Inspect for Queue {
    async fn jobs(&self, filter: &JobFilter, paging: &Paging) -> Result<Page<JobSummary>> {
        inspect::jobs(self.process()?, filter, paging).await
    }

    async fn job(&self, job: JobId) -> Result<JobHistory> {
        inspect::history(self.process()?, job).await
    }

    async fn events(&self, filter: &EventFilter, paging: &Paging) -> Result<Page<PlacedEvent>> {
        inspect::events(self.process()?, filter, paging).await
    }

    async fn newest(&self) -> Result<Cursor> {
        inspect::newest(self.process()?).await
    }

    async fn messages(
        &self,
        filter: &MessageFilter,
        paging: &Paging,
    ) -> Result<Page<MessageSummary>> {
        inspect::messages(self.process()?, filter, paging).await
    }

    async fn counts(&self) -> Result<Counts> {
        inspect::counts(self.process()?).await
    }
}
