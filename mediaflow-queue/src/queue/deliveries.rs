use mediaflow_core::Result;

use super::handle::Queue;
use crate::outbox::{Delivery, DeliveryAttempt, DeliveryFilter, Destination, admin};

/// Deliveries: what became of them, and sending them again.
impl Queue {
    /// Deliveries, the newest first, and of those in one state that is an end, the one that reached it last; 100 of them, or
    /// as many as the filter says.
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

    /// Sends deliveries again that were given up, with the same message id and a schedule from its beginning. What has
    /// arrived is sent again only if the filter says `state(Delivered)`, or names one by its number. Those that still wait,
    /// and those to a destination that is disabled or an address that is gone, are left as they are. Gives their number.
    ///
    /// ```no_run
    /// # use mediaflow_queue::{DeliveryFilter, Queue};
    /// # async fn example(queue: Queue) -> mediaflow_core::Result<()> {
    /// queue.redeliver(&DeliveryFilter::new().channel("webhook")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `queue.closed` before the engine has started; the database can not be written.
    pub async fn redeliver(&self, filter: &DeliveryFilter) -> Result<u64> {
        admin::redeliver(self.process()?, filter).await
    }

    /// Destinations that something waits for or that fail, with the state of their breakers; 1,000 at most.
    ///
    /// # Errors
    /// `queue.closed` before the engine has started; the database can not be read.
    pub async fn destinations(&self) -> Result<Vec<Destination>> {
        admin::destinations(self.process()?).await
    }

    /// Sends to a destination again that was disabled or blocked, whose breaker is open, or of which addresses were gone,
    /// from now on, with few messages at a time at first. What was given up meanwhile stays so: see [`Queue::redeliver`].
    ///
    /// # Errors
    /// `destination.unknown`; `queue.closed` before the engine has started; the database can not be written.
    pub async fn enable(&self, channel: &str, origin: &str) -> Result<()> {
        admin::enable(self.process()?, channel, origin).await
    }
}
