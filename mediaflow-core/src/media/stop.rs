use crate::Result;

/// Whether work is to stop. What is pulled is pulled in the middle of somebody's work, and asks this between rows; a
/// [`RunContext`](crate::RunContext) is one.
pub trait Stop: Sync {
    /// # Errors
    /// `job.cancelled`, `job.deadline`: the work is to end with this error.
    fn check(&self) -> Result<()>;
}
