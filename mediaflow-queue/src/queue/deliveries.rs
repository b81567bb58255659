use mediaflow_core::Result;

use super::handle::Queue;
use crate::outbox::{Delivery, DeliveryAttempt, DeliveryFilter, Destination, admin};

/// Deliveries: what became of them, and sending them again.
impl Queue {
    /// Deliveries, the newest first; 100 of them, or as many as the filter says.
    ///
    /// # Errors
    /// `queue.closed` before the engine has started; the database can not be read.
    pub async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>> {
        admin::deliveries(self.process()?, filter).await
    }

    /// Every attempt at a delivery, the oldest first; empty for an unknown one.
    ///
    /// # Errors
    /// `queue.closed` before the engine has started; the database can not be read.
    pub async fn delivery_log(&self, delivery: i64) -> Result<Vec<DeliveryAttempt>> {
        admin::delivery_log(self.process()?, delivery).await
    }

    /// Sends deliveries again that have ended, arrived or dead, with the same event id and a schedule from its
    /// beginning. Those that still wait, and those to a disabled destination, are left as they are. Gives their number.
    ///
    /// ```no_run
    /// # use mediaflow_queue::{DeliveryFilter, DeliveryState, Queue};
    /// # async fn example(queue: Queue) -> mediaflow_core::Result<()> {
    /// queue.redeliver(&DeliveryFilter::new().state(DeliveryState::Dead)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `queue.closed` before the engine has started; the database can not be written.
    pub async fn redeliver(&self, filter: &DeliveryFilter) -> Result<u64> {
        admin::redeliver(self.process()?, filter).await
    }

    /// All destinations that were ever sent to, with the state of their breakers.
    ///
    /// # Errors
    /// `queue.closed` before the engine has started; the database can not be read.
    pub async fn destinations(&self) -> Result<Vec<Destination>> {
        admin::destinations(self.process()?).await
    }

    /// Sends to a destination again that was disabled, blocked, or whose breaker is open, from now on. What was given
    /// up meanwhile stays so: see [`Queue::redeliver`].
    ///
    /// # Errors
    /// `destination.unknown`; `queue.closed` before the engine has started; the database can not be written.
    pub async fn enable(&self, destination: i64) -> Result<()> {
        admin::enable(self.process()?, destination).await
    }
}
