//! Time as the database has it: the clocks of worker machines need not agree, and what is due is due for all of them.
//!
//! Uses: db.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mediaflow_core::{Clock, Result, Timestamp, async_trait};
use sqlx::AssertSqlSafe;

use crate::db::Db;

/// A smaller difference is what asking takes, and is not corrected.
const SMALL: i64 = 100;

/// The host's clock, corrected by what the database's is ahead of it. A clock that a test turns is left alone.
pub(crate) struct DatabaseClock {
    host: Arc<dyn Clock>,
    /// In milliseconds.
    ahead: AtomicI64,
}

impl DatabaseClock {
    pub(crate) fn new(host: Arc<dyn Clock>) -> Self {
        Self { host, ahead: AtomicI64::new(0) }
    }

    /// Compares the clocks. A file is on this machine, and so is its clock.
    pub(crate) async fn compare(&self, db: &Db) -> Result<()> {
        if !self.host.is_machine() || db.file().is_some() {
            return Ok(());
        }
        let now = format!("SELECT {} AS now", db.clock());
        let before = self.before();
        let Some(row) = db.row(AssertSqlSafe(now), &[]).await? else { return Ok(()) };
        self.told(db, before, row.int("now")?);
        Ok(())
    }

    /// The host's time, before the database is asked for its own.
    pub(crate) fn before(&self) -> Timestamp {
        self.host.now()
    }

    /// The database has told its time since then.
    pub(crate) fn told(&self, db: &Db, before: Timestamp, database: i64) {
        if self.host.is_machine() && db.file().is_none() {
            self.correct(before, self.host.now(), database);
        }
    }

    fn correct(&self, before: Timestamp, after: Timestamp, database: i64) {
        let took = i64::try_from(after.since(before).as_millis()).unwrap_or(i64::MAX);
        let middle = i64::try_from(before.millis()).unwrap_or(i64::MAX).saturating_add(took / 2);
        let ahead = database.saturating_sub(middle);
        let small = ahead.abs() <= SMALL.max(took);
        self.ahead.store(if small { 0 } else { ahead }, Ordering::Relaxed);
    }

    fn shifted(&self, time: Timestamp, by: i64) -> Timestamp {
        Timestamp::from_millis(time.millis().saturating_add_signed(by))
    }
}

#[async_trait]
impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        self.shifted(self.host.now(), self.ahead.load(Ordering::Relaxed))
    }

    async fn sleep_until(&self, when: Timestamp) {
        let ahead = self.ahead.load(Ordering::Relaxed);
        self.host.sleep_until(self.shifted(when, ahead.saturating_neg())).await;
    }

    fn monotonic(&self) -> Duration {
        self.host.monotonic()
    }

    async fn sleep_until_monotonic(&self, when: Duration) {
        self.host.sleep_until_monotonic(when).await;
    }

    fn is_machine(&self) -> bool {
        self.host.is_machine()
    }
}

impl fmt::Debug for DatabaseClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseClock").field("ahead", &self.ahead).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use mediaflow_core::SystemClock;

    use super::*;

    #[test]
    fn a_clock_that_goes_wrong_is_corrected_and_noise_is_not() {
        let clock = DatabaseClock::new(Arc::new(SystemClock::default()));
        let (before, after) = (Timestamp::from_millis(10_000), Timestamp::from_millis(10_020));
        clock.correct(before, after, 10_050);
        assert_eq!(clock.ahead.load(Ordering::Relaxed), 0);
        clock.correct(before, after, 70_010);
        assert_eq!(clock.ahead.load(Ordering::Relaxed), 60_000);
        assert!(clock.now().since(clock.host.now()) >= Duration::from_secs(59));
        clock.correct(before, after, 4_010);
        assert_eq!(clock.ahead.load(Ordering::Relaxed), -6000);
    }
}
