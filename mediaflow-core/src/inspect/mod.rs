//! A look into an engine: its jobs, one job's whole history, events after a place, messages, and numbers.
//!
//! Lists come in pages. A page ends with a [`Cursor`], a short text that a client may keep and send back: it says where the
//! next page begins, and which store it belongs to. It stays valid while rows are added, because it names the last row that
//! was read and not how many there were.
//!
//! ```
//! use mediaflow_core::Mediaflow;
//! use mediaflow_core::inspect::{JobFilter, Paging};
//! use mediaflow_core::report::JobState;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> mediaflow_core::Result<()> {
//! let media = Mediaflow::builder().start().await?;
//! let failed = JobFilter::new().state(JobState::Failed).owner("user-7");
//! let page = media.inspect().jobs(&failed, &Paging::first(50)).await?;
//! for job in &page.items {
//!     println!("{} {:?}", job.job, job.failure);
//! }
//! # media.shutdown(std::time::Duration::ZERO).await
//! # }
//! ```
//!
//! Uses: codes, error, event, executor, id, report, spec, time, wire.

mod contract;
mod counts;
mod cursor;
mod filter;
mod history;
mod message;
mod summary;

pub use contract::Inspect;
pub use counts::{Counts, Ended};
pub use cursor::{Cursor, List, Page, Paging};
pub use filter::{EventFilter, JobFilter};
pub use history::{AttemptSummary, JobHistory, MessageHistory, PartSummary, WaitSummary};
pub use message::{Answer, MessageFilter, MessageState, MessageSummary};
pub use summary::{JobSummary, PlacedEvent};
