use std::fmt;

use async_trait::async_trait;

use super::{
    Counts, Cursor, EventFilter, JobFilter, JobHistory, JobSummary, MessageFilter, MessageSummary,
    Page, Paging, PlacedEvent,
};
use crate::Result;
use crate::id::JobId;

/// A look into an engine. It changes nothing.
///
/// A page costs as much as it examines, never as much as is stored: one for which several things are asked may hold fewer
/// items than fit, or none, and still say that there is [more](Page::more).
///
/// Each method fails with `inspect.cursor` for a cursor that is damaged, or of another store or list, with
/// `inspect.page_size` for a page of none or too many, and if the engine's store can not be read.
#[async_trait]
pub trait Inspect: fmt::Debug + Send + Sync {
    /// Jobs, the newest first, in the order of their ids.
    ///
    /// # Errors
    /// As all.
    async fn jobs(&self, filter: &JobFilter, paging: &Paging) -> Result<Page<JobSummary>>;

    /// All that is kept of one job.
    ///
    /// # Errors
    /// `job.unknown`.
    async fn job(&self, job: JobId) -> Result<JobHistory>;

    /// Events in the order in which they were written, the oldest first: those behind the cursor, or all that are kept.
    /// The page always ends with a cursor, so that whoever has read all goes on from there. Progress is none of them: its
    /// last value is kept with the job.
    ///
    /// # Errors
    /// As all; `inspect.gap` if what followed the cursor is not kept any more.
    async fn events(&self, filter: &EventFilter, paging: &Paging) -> Result<Page<PlacedEvent>>;

    /// The place behind the newest event.
    ///
    /// # Errors
    /// As all.
    async fn newest(&self) -> Result<Cursor>;

    /// Messages, the newest first.
    ///
    /// # Errors
    /// As all.
    async fn messages(
        &self,
        filter: &MessageFilter,
        paging: &Paging,
    ) -> Result<Page<MessageSummary>>;

    /// How many jobs there are, and how many have ended lately.
    ///
    /// # Errors
    /// As all.
    async fn counts(&self) -> Result<Counts>;
}
