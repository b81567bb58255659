use mediaflow_core::Result;

use super::handle::Queue;
use crate::stats::{Stats, gather};

impl Queue {
    /// What goes on in the queue, in all processes together.
    ///
    /// The same is there to watch for whatever is installed for the crate `metrics`, such as a Prometheus exporter. Each
    /// process counts what it does itself. The gauges are of the whole queue: one worker at a time shows them, refreshed every
    /// 15 seconds, and the others show none, or zeros, so that the sum over all is right:
    ///
    /// | metric | kind | labels | meaning |
    /// |---|---|---|---|
    /// | `mediaflow_jobs_total` | counter | `state` | jobs that have ended |
    /// | `mediaflow_job_seconds` | histogram | `state` | from the start of a job's last attempt to its end |
    /// | `mediaflow_job_wait_seconds` | histogram | | from submission to the start of a job that ran once |
    /// | `mediaflow_deliveries_total` | counter | `channel`, `outcome` | attempts at deliveries: `delivered`, `failed`, `dead` |
    /// | `mediaflow_restarts_total` | counter | `loop` | loops that have panicked and were begun again: a defect |
    /// | `mediaflow_jobs` | gauge | `state` | jobs that are queued or running |
    /// | `mediaflow_oldest_queued_seconds` | gauge | | how long the oldest job waits that could run; 0 if none does |
    /// | `mediaflow_deliveries_pending` | gauge | | deliveries that have not ended |
    ///
    /// ```no_run
    /// # async fn example(queue: mediaflow_queue::Queue) -> mediaflow_core::Result<()> {
    /// let stats = queue.stats().await?;
    /// println!("{stats}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `queue.closed` before the engine has started; the database can not be reached.
    pub async fn stats(&self) -> Result<Stats> {
        gather(self.process()?).await
    }
}
