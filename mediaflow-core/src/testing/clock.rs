use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::time::{Clock, Timestamp};

/// A clock that stands until a test turns it. Clones share the hands.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<watch::Sender<Timestamp>>);

impl ManualClock {
    /// Stands at the beginning of 2026.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Timestamp::from_millis(1_767_225_600_000))))
    }

    /// Turns the clock, and wakes all who sleep until then.
    pub fn advance(&self, time: Duration) {
        self.0.send_modify(|now| *now = now.plus(time));
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    async fn sleep_until(&self, when: Timestamp) {
        // The sender lives in `self`, so this ends only when the time has come.
        let _ = self.0.subscribe().wait_for(|now| *now >= when).await;
    }
}
