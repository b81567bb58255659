use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::time::{Clock, Timestamp};

/// A clock that stands until a test turns it. Clones share the hands.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<watch::Sender<Hands>>);

#[derive(Clone, Copy, Debug)]
struct Hands {
    shown: Timestamp,
    run: Duration,
}

impl ManualClock {
    /// Stands at the beginning of 2026.
    #[must_use]
    pub fn new() -> Self {
        let shown = Timestamp::from_millis(1_767_225_600_000);
        Self(Arc::new(watch::Sender::new(Hands { shown, run: Duration::ZERO })))
    }

    /// Lets time pass, and wakes all who sleep until then.
    pub fn advance(&self, time: Duration) {
        self.0.send_modify(|hands| {
            (hands.shown, hands.run) = (hands.shown.plus(time), hands.run.saturating_add(time));
        });
    }

    /// Sets the hands without any time passing, as somebody does whose clock was wrong.
    pub fn set(&self, shown: Timestamp) {
        self.0.send_modify(|hands| hands.shown = shown);
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
        self.0.borrow().shown
    }

    async fn sleep_until(&self, when: Timestamp) {
        // The sender lives in `self`, so this ends only when the time has come.
        let _ = self.0.subscribe().wait_for(|hands| hands.shown >= when).await;
    }

    fn monotonic(&self) -> Duration {
        self.0.borrow().run
    }

    async fn sleep_until_monotonic(&self, when: Duration) {
        let _ = self.0.subscribe().wait_for(|hands| hands.run >= when).await;
    }
}
