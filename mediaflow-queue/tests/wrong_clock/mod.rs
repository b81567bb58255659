//! A machine whose clock is wrong.

use mediaflow_core::{Clock, SystemClock, Timestamp, async_trait};

/// A clock that goes some milliseconds wrong, as the machine's can.
#[derive(Debug)]
pub(crate) struct Wrong(pub(crate) i64);

#[async_trait]
impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock::default().now().millis().saturating_add_signed(self.0))
    }

    async fn sleep_until(&self, when: Timestamp) {
        let right = Timestamp::from_millis(when.millis().saturating_add_signed(-self.0));
        SystemClock::default().sleep_until(right).await;
    }

    fn is_machine(&self) -> bool {
        true
    }
}
